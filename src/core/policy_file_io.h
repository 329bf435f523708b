// The policy on disk: read with its safety checks, and watched for changes.
//
// A policy that somebody else could write is no policy: the file (a symlink's target) must belong to root
// and be writable by nobody else. PolicyWatcher only says "look again"; what to do with a broken file is the
// caller's (the daemon keeps the last good policy).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/loop_io.h"
#include "core/policy.h"
#include "core/result.h"

namespace opelog {

struct LoadedPolicy {
  Policy policy;
  std::string digest;  ///< SHA-256 of the file's bytes, lower-case hex
  std::string path;    ///< as given
  WallUs mtime = 0;    ///< of the file
};

enum class Trust {
  kRoot,  ///< owner root, not writable by group or others: for the daemon
  kAny,   ///< whoever may read it: for `opelog policy check` on a draft
};

/// Reads, checks and parses. Code::kNotFound, kDenied (owner or mode; with the command that repairs it),
/// kInvalid ("file:line:col: …"), kIo (also: changed while being read).
Result<LoadedPolicy> load_policy(const std::string& path, Trust trust = Trust::kRoot);

/// The bytes of a small file of root's (the enrolled users) after the checks of Trust::kRoot; Code::kLimit
/// beyond `limit`.
Result<std::string> read_root_file(const std::string& path, std::size_t limit);

/// Calls back when the file's content, owner or mode may have changed, appeared or gone: also when an editor
/// replaced it, when its directory was replaced, and when it is a symlink and its target changes. Changes
/// within kSettleMs are one. Open it before the first load_policy(): nothing falls between then.
class PolicyWatcher {
 public:
  using Handler = std::function<void()>;
  /// Quiet time after the last change: an editor's rename, or a write in several parts, is over by then.
  static constexpr int kSettleMs = 200;
  /// A file that never comes to rest is looked at nevertheless.
  static constexpr int kLongestSettleMs = 2000;

  static Result<std::unique_ptr<PolicyWatcher>> open(Loop& loop, const std::string& path, Handler handler);
  ~PolicyWatcher();
  PolicyWatcher(const PolicyWatcher&) = delete;
  PolicyWatcher& operator=(const PolicyWatcher&) = delete;

 private:
  struct State;
  explicit PolicyWatcher(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// A line for each command of `on_event` that cannot be executed here. Looks at the files.
std::vector<std::string> missing_commands(const Policy& policy, const std::string& file);

}  // namespace opelog
