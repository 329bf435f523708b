// What the guard's machine is told (events) and what it asks for (actions), as plain values.
//
// Pure. inotify's events are only hints that something changed; the truth about a name is a Look, taken at
// one moment by one statx(2). So lagging, merged and lost events need no cases of their own.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/clock.h"
#include "core/fact.h"
#include "core/policy.h"

namespace opelog::watch {

/// Number of a guarded directory; never used again while the guard lives.
using DirectoryId = int;

enum class FileKind { kGone, kRegular, kSymlink, kFifo, kSocket, kDevice, kDirectory, kUnreadable };

/// What one statx said of a name.
struct Look {
  FileKind kind = FileKind::kGone;
  bool foreign_mount = false;  ///< something is mounted over the name
  bool append_only = false;
  std::uint32_t links = 1;
  std::uint32_t uid = 0;
  std::uint64_t inode = 0;
  std::uint64_t size = 0;  ///< bytes
  std::int64_t mtime_ns = 0;
  std::int64_t birth_ns = 0;  ///< 0 where the file system does not say
};

/// Why a name is looked at.
enum class Why {
  kArrived,  ///< created or moved in
  kTouched,  ///< written to and closed, a first byte
  kSeen,   ///< read or attributes changed: says something about known files only. (Our own setting of a flag
           ///< ends in such an event; were it a reason to set one, a flag that cannot be set would keep us
           ///< busy for ever.)
  kMoved,  ///< moved away: may come again under another name
  kSettled,  ///< empty for the settle time, or time for another try
  kStart,    ///< scan after arming
  kMissed,   ///< scan after an overflow
  kSweep,    ///< periodic scan
  kThaw,     ///< scan that clears flags
  kFreeze,   ///< scan that sets them again
};

enum class ArmOutcome { kArmed, kUnchanged, kAlias, kAbsent, kRefused };

enum class FlagOutcome {
  kDone,
  kGone,         ///< the name is gone or holds another file by now
  kNotEligible,  ///< no longer a regular file with one link on the directory's mount
  kBusy,         ///< somebody holds a lease: the kernel is breaking it
  kUnsupported,
  kDenied,
  kFailed,
};

namespace event {

/// The whole configuration; directories are told apart by path.
struct Configured {
  std::vector<GuardedDirectory> directories;
  int sweep_ms = 60000;
};
/// Answer to action::Arm.
struct ArmDone {
  DirectoryId directory = 0;
  ArmOutcome outcome = ArmOutcome::kAbsent;
  std::uint64_t inode = 0;
  std::uint64_t device = 0;
  DirectoryId alias_of = 0;  ///< kAlias: the directory that is watched already
  bool supported = true;     ///< the file system keeps the append-only flag
  bool watched = true;       ///< false: no inotify watch was to be had; sweeps only
  std::string reason;        ///< for people: why not armed, not supported or not watched
  std::string remedy;
};
/// A decoded inotify event of a directory's watch.
struct Notified {
  DirectoryId directory = 0;
  std::uint32_t mask = 0;
  std::string name;
};
/// The watch of a single file fired.
struct FileModified {
  DirectoryId directory = 0;
  std::uint64_t inode = 0;
};
/// Events were lost (IN_Q_OVERFLOW) or could not be decoded.
struct Overflowed {
  std::string reason;
};
/// Answer to action::Examine and to each entry of a scan. `expected_size`: what a live recording of ours
/// should hold.
struct Looked {
  DirectoryId directory = 0;
  std::string name;
  Look look;
  Why why = Why::kTouched;
  std::optional<std::uint64_t> expected_size;
};
/// Answer to action::Flag and action::Unflag.
struct FlagDone {
  DirectoryId directory = 0;
  std::string name;
  std::uint64_t inode = 0;  ///< as asked for
  Look look;                ///< of the very descriptor that was used; kGone if there was none
  bool on = true;
  FlagOutcome outcome = FlagOutcome::kDone;
  std::string reason;
};
/// Answer to action::WatchFile where no watch was to be had. `passing`: the name is gone or another's by now,
/// which its own events tell.
struct WatchRefused {
  DirectoryId directory = 0;
  std::uint64_t inode = 0;
  std::string reason;
  bool passing = false;
  std::string remedy = "raise fs.inotify.max_user_watches";
};
struct ScanEnded {
  DirectoryId directory = 0;
  Why why = Why::kSweep;
};
/// The directory could not be read to its end. `removed`: because it is a removed one, which Arm will tell.
struct ScanFailed {
  DirectoryId directory = 0;
  std::string reason;
  bool removed = false;
};
struct OwnCreated {
  std::string directory;  ///< path as configured
  std::string name;
  std::uint64_t inode = 0;
  bool flagged = true;  ///< false: without the flag on purpose
};
/// `size`: what the recorder wrote in all.
struct OwnClosed {
  std::uint64_t inode = 0;
  std::uint64_t size = 0;
};
/// We are about to remove it ourselves.
struct OwnRemoved {
  std::uint64_t inode = 0;
};
struct Thaw {
  int seconds = 0;
};
struct Freeze {};
struct Tick {};

}  // namespace event

using Event = std::variant<event::Configured, event::ArmDone, event::Notified, event::FileModified,
                           event::Overflowed, event::Looked, event::FlagDone, event::WatchRefused,
                           event::ScanEnded, event::ScanFailed, event::OwnCreated, event::OwnClosed,
                           event::OwnRemoved, event::Thaw, event::Freeze, event::Tick>;

namespace action {

/// Look whether the path is still the directory we watch; if not, watch what is there now. Answer: ArmDone.
struct Arm {
  DirectoryId directory = 0;
  std::string path;
};
/// Stop watching; no answer.
struct Disarm {
  DirectoryId directory = 0;
};
struct Examine {
  DirectoryId directory = 0;
  std::string name;
  Why why = Why::kTouched;
};
/// Watch one file for its first byte; then look at it again (the byte may have come before the watch).
struct WatchFile {
  DirectoryId directory = 0;
  std::string name;
  std::uint64_t inode = 0;
};
struct UnwatchFile {
  DirectoryId directory = 0;
  std::uint64_t inode = 0;
};
/// Set or clear the flag of `name` if it still is this inode. Answer: FlagDone.
struct Flag {
  DirectoryId directory = 0;
  std::string name;
  std::uint64_t inode = 0;
  bool on = true;
};
/// Look at every entry from the beginning; replaces a scan of the directory that is under way. Ends with
/// ScanEnded or ScanFailed.
struct Rescan {
  DirectoryId directory = 0;
  Why why = Why::kSweep;
};
struct State {
  Fact fact;
};
/// A thaw (or freeze) is complete: files whose flag was cleared (set again).
struct Rotated {
  bool thawed = false;
  int files = 0;
};

}  // namespace action

using Action =
    std::variant<action::Arm, action::Disarm, action::Examine, action::WatchFile, action::UnwatchFile,
                 action::Flag, action::Rescan, action::State, action::Rotated>;

/// What `opelog status` shows of one directory.
struct DirectoryStatus {
  std::string path;
  bool armed = false;
  bool supported = true;
  std::size_t known = 0;      ///< files tracked
  std::size_t flagged = 0;    ///< of these with the flag
  std::size_t waiting = 0;    ///< empty, not yet settled
  std::uint64_t skipped = 0;  ///< entries stated as not guardable, in all
  std::string degraded;       ///< "" or why the guard is weaker here
  std::string remedy;
};

struct GuardStatus {
  std::vector<DirectoryStatus> directories;
  std::uint64_t flagged_total = 0;  ///< files of others made append-only since the start, without freezes
  std::uint64_t findings = 0;       ///< lost flags, changes, replacements, vanished and renamed files
  std::uint64_t overflows = 0;
  bool thawed = false;
};

}  // namespace opelog::watch
