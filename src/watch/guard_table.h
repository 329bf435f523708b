// GuardTable: the guard's machine. It knows directories and files and decides; guard_io.h looks and acts.
//
// Pure: step(event, now) -> actions, deadline() says when it wants event::Tick, describe() prints its state.
// Invariants: a file of others is flagged at its first byte or once settled, never while thawed; only regular
// files with one link on the directory's own mount are ever flagged; every change to a flagged file that was
// not ours is stated (docs/guard.md lists the words); each table has a bound with a verdict. Not here:
// descriptors, inotify, statx, the order in which a directory is read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "watch/fact_limit.h"
#include "watch/file_index.h"
#include "watch/guard_event.h"

namespace opelog::watch {

/// Bounds; tests make them small.
struct GuardLimits {
  /// Files known per directory: about 200 bytes each, so 13 MiB. Beyond, the ones flagged longest ago are
  /// forgotten (their flags stay and sweeps still look at them, but a rename or loss is no longer told
  /// apart): guard-untracked.
  std::size_t files_per_directory = 65536;
  /// Per-file watches at once: half of what small hosts allow a user (8192). Beyond: settle time alone.
  std::size_t file_watches = 4096;
};

/// A file whose name vanished is given up after this; a rename shows its new name within one queue of events.
constexpr MonoUs kRenameGrace = 200 * kUsPerMs;
/// How often a path is compared with what we watch: a mount over it or a renamed parent raises no event.
constexpr MonoUs kCheckInterval = kUsPerS;
/// Overflow rescans of a directory are at least this far apart, so that a flood of events cannot keep us
/// reading it.
constexpr MonoUs kRescanInterval = kUsPerS;
/// First pause before a flag that could not be set is tried again; it grows with each failure up to
/// kCheckInterval.
constexpr MonoUs kRetryInterval = 100 * kUsPerMs;
/// Failures in a row after which only sweeps try, and a thaw or freeze no longer waits for a directory:
/// longer than a lease holds (lease-break-time, 45 s).
constexpr int kRetries = 60;
/// Files worked on in one Tick, so that a turn of the loop stays at a few milliseconds.
constexpr int kFilesPerTick = 128;
constexpr int kThawSecondsLimit = 86400;

class GuardTable {
 public:
  explicit GuardTable(GuardLimits limits = {});
  ~GuardTable();
  GuardTable(const GuardTable&) = delete;
  GuardTable& operator=(const GuardTable&) = delete;

  std::vector<Action> step(const Event& event, MonoUs now);
  [[nodiscard]] std::optional<MonoUs> deadline() const;
  [[nodiscard]] std::string describe() const;
  [[nodiscard]] GuardStatus status() const;

  /// Whether the inode is a recording being written by us (then its look wants an expected size).
  [[nodiscard]] bool is_live(DirectoryId directory, std::uint64_t inode);
  [[nodiscard]] bool thawed() const noexcept { return thawed_until_.has_value(); }
  [[nodiscard]] bool rotating() const noexcept { return rotation_.has_value(); }

 private:
  struct Directory;
  struct Rotation {
    bool thaw = false;
    bool time_over = false;
    int seconds = 0;
    int files = 0;
    std::set<DirectoryId> left;  ///< directories whose scan is not yet through
  };
  using Fields = std::vector<std::pair<std::string, std::string>>;

  void on(const event::Configured& e, MonoUs now);
  void on(const event::ArmDone& e, MonoUs now);
  void on(const event::Notified& e, MonoUs now);
  void on(const event::FileModified& e, MonoUs now);
  void on(const event::Overflowed& e, MonoUs now);
  void on(const event::Looked& e, MonoUs now);
  void on(const event::FlagDone& e, MonoUs now);
  void on(const event::WatchRefused& e, MonoUs now);
  void on(const event::ScanEnded& e, MonoUs now);
  void on(const event::ScanFailed& e, MonoUs now);
  void on(const event::OwnCreated& e, MonoUs now);
  void on(const event::OwnClosed& e, MonoUs now);
  void on(const event::OwnRemoved& e, MonoUs now);
  void on(const event::Thaw& e, MonoUs now);
  void on(const event::Freeze& e, MonoUs now);
  void on(const event::Tick& e, MonoUs now);

  // guard_table.cc: directories, time
  Directory* directory(DirectoryId id);
  void armed(Directory& d, const event::ArmDone& e, MonoUs now);
  void not_armed(Directory& d, const event::ArmDone& e, MonoUs now);
  void unsupported(Directory& d, const std::string& reason, MonoUs now);
  void rescan(Directory& d, Why why, MonoUs now);
  void due_files(MonoUs now);
  void forget_files(Directory& d);

  // guard_table_files.cc: single files
  void new_file(Directory& d, const event::Looked& e, MonoUs now);
  void known_file(Directory& d, File& file, const event::Looked& e, MonoUs now);
  void flagged_file(Directory& d, File& file, const event::Looked& e, MonoUs now);
  void changed(Directory& d, File& file, const event::Looked& e, MonoUs now);
  void linked(Directory& d, File* file, const event::Looked& e, MonoUs now);
  void skip(Directory& d, const event::Looked& e, const char* kind, MonoUs now);
  void name_lost(Directory& d, File& file, bool replaced, MonoUs now);
  void give_up(Directory& d, File& file, MonoUs now);
  void renamed(Directory& d, File& file, const std::string& name, MonoUs now);
  File* adopt(Directory& d, const Look& look, const std::string& name, MonoUs now);
  void flag_set(Directory& d, const event::FlagDone& e, MonoUs now);
  void flag_failed(Directory& d, const event::FlagDone& e, MonoUs now);
  void drop(Directory& d, File& file);
  void unwatch(Directory& d, File& file);
  void set_deadline(Directory& d, File& file, MonoUs when);
  void want_flag(Directory& d, const std::string& name, std::uint64_t inode, bool on);

  // guard_rotation.cc: thaw and freeze
  void begin_rotation(Rotation rotation, MonoUs now);
  void rotated_directory(DirectoryId id, MonoUs now);
  /// Whether renames and removals are the expected ones of a rotation.
  [[nodiscard]] bool rotation_quiet(MonoUs now) const;

  void state(Level level, const char* word, std::string text, Fields fields, bool own, MonoUs now);
  void finding(const char* word, std::string text, Fields fields, bool own, MonoUs now);

  GuardLimits limits_;
  std::map<DirectoryId, std::unique_ptr<Directory>> directories_;
  DirectoryId next_id_ = 1;
  std::set<std::tuple<MonoUs, DirectoryId, std::uint64_t>>
      due_;  ///< deadlines of files; as many as files at most
  std::size_t watches_ = 0;
  bool watches_refused_ = false;
  MonoUs sweep_interval_ = 60 * kUsPerS;
  MonoUs sweep_at_ = 0;
  std::optional<MonoUs> thawed_until_;
  std::optional<Rotation> rotation_;
  MonoUs quiet_until_ = 0;
  FactLimit limit_;
  std::uint64_t flagged_total_ = 0;
  std::uint64_t findings_ = 0;
  std::uint64_t overflows_ = 0;
  std::vector<Action>* out_ = nullptr;  ///< the actions of the step under way
};

}  // namespace opelog::watch
