// BegunLogin: a login that began at a server, seen by what it executes, and what has to be done about it.
//
// Pure. Most logins meet the shim at once and are its business from then on (claimed). What is executed
// beside it, or without it, by somebody whom the policy wants recorded, becomes a recording of its own
// (kRecord), with everything from the first program on. Held until then: at most kMaxHeldEvents events, and
// the number of the rest.
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

class BegunLogin {
 public:
  /// How long a login may execute something before it meets the shim: start-up files ahead of a hook.
  static constexpr MonoUs kGraceUs = 2 * kUsPerS;
  static constexpr std::size_t kMaxHeldEvents = 1024;
  /// Processes whose end is waited for; more end the login's recording early.
  static constexpr std::size_t kMaxLive = 65536;

  /// `shim_path`: to execute that is no reason for a recording.
  explicit BegunLogin(std::string shim_path) : shim_path_(std::move(shim_path)) {}

  void take(ProcessEvent event, MonoUs now);
  /// So many events are lost; 0: nobody knows how many.
  void lost(std::uint64_t count) { missing_ += count > 0 ? count : 1; }
  /// The policy records or refuses such a login, or does neither.
  void wanted(bool is) { wanted_ = is; }
  enum class Claim { kRecorded, kPasses, kRefused };
  /// The shim that runs as `pid` is about to have its verdict; recorded, its process leaves this login. What
  /// came before is answered for. What is executed beside it from now on is a reason again.
  void claimed(std::int64_t pid, Claim claim);

  enum class Step {
    kWait,
    kRelease,  ///< it is none of our business
    kRecord,   ///< what it executes must be recorded: from now on take() keeps nothing
    kOver,     ///< it is at its end, and nothing was to be recorded; of a recorded one: its recording ends
  };
  Step step(MonoUs now);
  /// Whether step() will come to something else by time alone.
  [[nodiscard]] bool waits_for_time() const noexcept {
    return !recorded_ && wanted_.value_or(false) && reason_at_.has_value();
  }
  /// Ends of processes may have been lost.
  void retain(const std::function<bool(std::int64_t pid)>& alive);

  /// What take() kept, oldest first, and how many events are missing; empties both.
  std::vector<ProcessEvent> held() { return std::exchange(held_, {}); }
  std::uint64_t missing() { return std::exchange(missing_, 0); }

  [[nodiscard]] bool recorded() const noexcept { return recorded_; }
  /// What it began with; nullopt before the first program was told.
  [[nodiscard]] const std::optional<format::ExecInfo>& first() const noexcept { return first_; }
  /// How its first process ended.
  [[nodiscard]] const std::optional<format::ExitInfo>& end() const noexcept { return end_; }

 private:
  std::string shim_path_;
  std::optional<bool> wanted_;
  std::optional<format::ExecInfo> first_;
  std::optional<format::ExitInfo> end_;
  std::vector<ProcessEvent> held_;
  std::uint64_t missing_ = 0;
  std::set<std::int64_t> live_;
  std::optional<MonoUs> reason_at_;  ///< when something was executed that is a reason for a recording
  bool passes_ = false;
  bool recorded_ = false;
};

}  // namespace opelog::record
