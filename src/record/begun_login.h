// BegunLogin: a login that began at a server, seen by what it executes, and what has to be done about it.
//
// Pure. Most logins meet the shim at once and are its business from then on (claimed). What is executed
// beside it, or without it, by somebody whom the policy wants recorded, becomes a recording of its own
// (kRecord), with everything from the first program on. What start-up files executed ahead of the shim goes
// into its session's recording. Held until then: at most kMaxHeldEvents events of kMaxHeldBytes, and the
// number of the rest. A login is claimed once: who runs the shim again and again
// beside what he does gains nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "record/exec_event.h"

namespace opelog::record {

/// What a login did before anything of it was recorded, oldest first, and how many further events are not
/// here.
struct HeldEvents {
  std::vector<ProcessEvent> events;
  std::uint64_t missing = 0;
};

class BegunLogin {
 public:
  /// How long a login may execute something before it meets the shim: start-up files ahead of a hook.
  static constexpr MonoUs kGraceUs = 2 * kUsPerS;
  /// The same of the shim, which waits for its verdict that long: without one it is somebody else's program.
  static constexpr MonoUs kShimGraceUs = 30 * kUsPerS;
  static constexpr std::size_t kMaxHeldEvents = 1024;
  static constexpr std::size_t kMaxHeldBytes = 1 << 20;
  /// Processes whose end is waited for; more end the login's recording early.
  static constexpr std::size_t kMaxLive = 65536;

  /// `shim_path`: to execute that is no reason for a recording for so long.
  explicit BegunLogin(std::string shim_path) : shim_path_(std::move(shim_path)) {}

  /// Without `keep` it is counted instead of held: there is no room for more.
  void take(ProcessEvent event, MonoUs now, bool keep = true);
  /// So many events are lost; 0: nobody knows how many.
  void lost(std::uint64_t count) { missing_ += count > 0 ? count : 1; }
  /// The policy records or refuses such a login, or does neither.
  void wanted(bool is) { wanted_ = is; }
  enum class Claim { kRecorded, kPasses, kRefused };
  /// The shim that runs as `pid` for `uid` is about to have its verdict; recorded, its process leaves this
  /// login. The first time, what came before is answered for; what is executed beside it from then on is a
  /// reason again. Recorded, what came before is returned, for the session's recording: nothing of a login
  /// that the policy may not want, if another user's shim claims it. That a shim may pass counts for the
  /// login only where the shim is the login's first process.
  HeldEvents claimed(std::int64_t pid, std::uint32_t uid, Claim claim);
  /// It had its claim, and was over since then.
  void was_claimed() noexcept { claimed_ = true; }
  [[nodiscard]] bool is_claimed() const noexcept { return claimed_; }

  enum class Step {
    kWait,
    kRelease,  ///< it is none of our business
    kRecord,   ///< what it executes must be recorded: from now on take() keeps nothing
    kOver,     ///< it is at its end, and nothing was to be recorded; of a recorded one: its recording ends
  };
  Step step(MonoUs now);
  /// Whether step() will come to something else by time alone.
  [[nodiscard]] bool waits_for_time() const noexcept { return !recorded_ && record_at_.has_value(); }
  /// Whether something was executed that is a reason for a recording.
  [[nodiscard]] bool has_reason() const noexcept { return record_at_.has_value(); }
  /// Ends of processes may have been lost.
  void retain(const std::function<bool(std::int64_t pid)>& alive);

  /// What take() kept; empties it.
  HeldEvents held() {
    held_bytes_ = 0;
    return {std::exchange(held_, {}), std::exchange(missing_, 0)};
  }

  [[nodiscard]] std::size_t held_bytes() const noexcept { return held_bytes_; }  ///< about
  [[nodiscard]] bool recorded() const noexcept { return recorded_; }
  /// Whether no process of it is known any more.
  [[nodiscard]] bool empty() const noexcept { return live_.empty(); }
  /// What it began with; nullopt before the first program was told.
  [[nodiscard]] const std::optional<format::ExecInfo>& first() const noexcept { return first_; }
  /// How its first process ended.
  [[nodiscard]] const std::optional<format::ExitInfo>& end() const noexcept { return end_; }

 private:
  void forget_what_was();

  std::string shim_path_;
  std::optional<bool> wanted_;
  std::optional<format::ExecInfo> first_;
  std::optional<format::ExitInfo> end_;
  std::vector<ProcessEvent> held_;
  std::uint64_t missing_ = 0;
  std::set<std::int64_t> live_;
  std::optional<MonoUs> record_at_;  ///< when what was executed must be recorded
  /// The process that executed what looks like the shim, as long as nothing else was executed.
  std::optional<std::int64_t> shim_;
  std::size_t held_bytes_ = 0;
  bool claimed_ = false;
  bool passes_ = false;
  bool recorded_ = false;
};

}  // namespace opelog::record
