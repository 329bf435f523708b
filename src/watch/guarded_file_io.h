// One guarded file or directory seen through system calls: look, set the flag, read entries.
//
// Invariant: nothing but a regular file with one link on the directory's own mount is ever opened. What is
// checked and what is opened is the same inode, because an O_PATH descriptor pins it and /proc/self/fd opens
// it again.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/fd_io.h"
#include "core/result.h"
#include "watch/guard_event.h"

namespace opelog::watch {

/// Where a directory lies; entries elsewhere are foreign mounts.
struct Place {
  std::uint64_t inode = 0;
  std::uint64_t device = 0;
  std::uint64_t mount = 0;  ///< 0 where the kernel does not say (before 5.8): then devices are compared
  bool operator==(const Place&) const = default;
};

/// One statx on `name` below `directory`, symlinks not followed. Raises no inotify event.
Look look_at(int directory, const Place& place, const std::string& name);
/// The same for an open descriptor.
Look look_at(int fd, const Place& place);

/// Where the path leads, its last component not followed. Code::kNotFound, or Code::kInvalid for what is no
/// directory.
Result<Place> find_directory(const std::string& path);

struct OpenedDirectory {
  Fd fd;
  Place place;
};
/// Opens a directory, its last component not followed.
Result<OpenedDirectory> open_directory(const std::string& path);

/// An O_PATH descriptor of `name` if it is regular, has one link and is the inode wanted.
struct PinnedFile {
  Fd fd;
  Look look;
  FlagOutcome outcome = FlagOutcome::kDone;
  std::string reason;
};
PinnedFile pin_file(int directory, const Place& place, const std::string& name, std::uint64_t inode);

/// Sets or clears the append-only flag of that inode under that name.
event::FlagDone change_flag(int directory, const Place& place, const action::Flag& wanted);

/// Some names of the directory from where the last call stopped; empty at the end. Bound: one buffer of
/// kScanBytes.
Result<std::vector<std::string>> read_entries(int directory);
/// Lets read_entries begin again.
void rewind_entries(int directory);

/// About 180 names of recordings: with a flag to set for each still below 4 ms a turn.
constexpr std::size_t kScanBytes = 8192;

}  // namespace opelog::watch
