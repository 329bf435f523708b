// Guard: keeps files in the guarded directories append-only, and says so when one changes other than by us.
//
// Owns its inotify descriptor (libuv's fs events hide overflows) and one timer; everything is decided by
// GuardTable. A turn of the loop is held for a few milliseconds at most, whatever the directories hold.
// Handlers given to it are called from the loop and must not destroy the Guard. docs/guard.md tells what it
// states and cannot do.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/fact.h"
#include "core/loop_io.h"
#include "core/policy.h"
#include "core/result.h"
#include "watch/guard_event.h"
#include "watch/guard_table.h"

namespace opelog::watch {

class Guard {
 public:
  /// Size in bytes that a recording in progress should have now; nullopt if the recorder does not know the
  /// inode.
  using LiveSize = std::function<std::optional<std::uint64_t>(std::uint64_t inode)>;
  /// How many files were thawed or frozen.
  using Done = std::function<void(Result<int>)>;

  static Result<std::unique_ptr<Guard>> open(Loop& loop, FactSink facts, GuardLimits limits = {});
  ~Guard();
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;

  /// What to guard from now on: at start and at each reload. `sweep_ms` 0 never sweeps.
  void configure(const std::vector<GuardedDirectory>& directories, int sweep_ms);

  /// Asked whenever a recording in progress is looked at; without it only shrinking is noticed.
  void set_live_size(LiveSize live_size);
  /// A recording's file was created (or taken over after a restart) by us. `directory` as configured;
  /// `flagged` false if it is without the flag on purpose (policy, or a file system without).
  void own_created(const std::string& directory, const std::string& name, std::uint64_t inode,
                   bool flagged = true);
  /// We closed it with `size` bytes in it. From now on it may be thawed, and any change is a finding.
  void own_closed(std::uint64_t inode, std::uint64_t size);
  /// We are about to remove it ourselves, or have (retention); also one that an earlier run of us wrote.
  void own_removed(std::uint64_t inode);

  /// Clears the flags of all files but live recordings for at most `seconds`; `done` when all are cleared.
  /// Code::kInvalid for seconds outside 1..86400, Code::kExists while another thaw or freeze is under way.
  void thaw(int seconds, Done done);
  /// Sets them again and follows what was renamed; `done` when all are set. Works without a thaw before it,
  /// too.
  void freeze(Done done);

  [[nodiscard]] GuardStatus status() const;
  /// State for `opelog dump`, the last raw events included.
  [[nodiscard]] std::string describe() const;

  /// For tests: hands bytes to the guard as if they had been read from the inotify descriptor.
  void inject(std::string_view bytes);

 private:
  struct State;
  explicit Guard(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace opelog::watch
