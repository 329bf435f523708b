// FileIndex: the files the guard knows in one directory, by inode and by name.
//
// Pure. The identity of a file is its inode with its birth time (an inode number alone is reused at once by
// ext4); the name is what may change. At most one file has a name; a file whose name was taken or vanished
// is nameless until it is seen again or given up.
//
// Bound: `capacity` files (guard_table.h says which and why). When it is full, the file flagged longest ago
// that is neither live nor waiting is forgotten: its flag stays on disk, only changes to it are no longer
// told apart.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/clock.h"

namespace opelog::watch {

enum class FileState : std::uint8_t {
  kWaiting,    ///< still empty: flagged at its first byte or at `deadline`
  kFlagged,    ///< carries the flag
  kUnflagged,  ///< should carry it, setting failed; tried again at `deadline` and at each sweep
  kThawed,     ///< flag cleared by thaw
  kPlain,      ///< our own, without the flag on purpose (policy, or the file system has none)
};

struct File {
  std::string name;  ///< the last one known
  std::uint64_t inode = 0;
  std::int64_t birth_ns = 0;  ///< 0 unknown
  std::uint64_t size = 0;     ///< bytes at the last look
  std::int64_t mtime_ns = 0;
  MonoUs deadline = 0;         ///< 0 none; meaning by state, or for a nameless file when it is given up
  std::uint32_t seen = 0;      ///< number of the last scan that met it
  std::uint16_t attempts = 0;  ///< failed settings of the flag in a row
  FileState state = FileState::kWaiting;
  bool own = false;      ///< one of our recordings
  bool live = false;     ///< … being written by us
  bool watched = false;  ///< has an inotify watch of its own
  bool nameless = false;
  bool replaced = false;  ///< nameless because another file has its name
  bool linked = false;    ///< a second hard link was stated
  bool sized = false;     ///< own: a size differing from ours was stated
};

class FileIndex {
 public:
  explicit FileIndex(std::size_t capacity) : capacity_(capacity) {}
  FileIndex(const FileIndex&) = delete;
  FileIndex& operator=(const FileIndex&) = delete;

  /// The file, or nullptr. A birth time known on both sides must agree.
  File* by_inode(std::uint64_t inode, std::int64_t birth_ns);
  File* by_name(std::string_view name);

  /// Adds a file. nullptr if its inode number or its name is another's, or if full and nothing can be
  /// forgotten.
  File* insert(File file);
  /// Gives the file a (free) name.
  void rename(File& file, std::string name);
  /// Takes the file's name away; it keeps the text for messages.
  void unname(File& file);
  void erase(File& file);
  void clear();
  /// Puts the file into the order in which full indexes forget.
  void may_forget(const File& file);

  [[nodiscard]] std::size_t size() const noexcept { return files_.size(); }
  [[nodiscard]] bool full() const noexcept { return files_.size() >= capacity_; }
  [[nodiscard]] std::uint64_t forgotten() const noexcept { return forgotten_; }

  template <typename F>
  void for_each(F&& f) {
    for (auto& [inode, file] : files_) f(file);
  }
  template <typename F>
  void for_each(F&& f) const {
    for (const auto& [inode, file] : files_) f(file);
  }

 private:
  bool forget_one();

  std::size_t capacity_;
  std::uint64_t forgotten_ = 0;
  std::unordered_map<std::uint64_t, File> files_;  ///< nodes are stable: names_ points into them
  std::unordered_map<std::string_view, File*> names_;
  std::deque<std::uint64_t> order_;  ///< inodes that may be forgotten, oldest first; may hold stale ones
};

}  // namespace opelog::watch
