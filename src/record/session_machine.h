// SessionMachine: what a session does next, decided without touching anything.
//
// States: starting -> running -> ending | lingering | hanging-up -> closed. The shell's own end is drained
// and kept (kEnding); any other end hangs the session up and waits a bounded time for the shell (kHangingUp),
// and then for whoever looks on to see the rest (kEnding). Beside the state, output may be held because the
// record refuses it: from the first refusal hold_us run, in whatever state, and what else has a deadline
// waits meanwhile. A running terminal may have a deadline for being idle: active() is told of each byte, and
// looked at when the deadline comes. Every state but running (and lingering, where a background process may
// hold a stream as long as it likes, as under plain sshd) has a deadline, so nothing waits for ever.
// session_io.h carries the actions out.
#pragma once

#include <optional>
#include <string>

#include "core/clock.h"
#include "core/policy.h"
#include "format/session_info.h"

namespace opelog::record {

struct SessionEvent {
  enum class Kind {
    kStarted,         ///< the shim has forked the shell
    kShellEnded,      ///< `exited`, `status` from the waiter
    kShellGone,       ///< its pidfd says so; the waiter has not (yet)
    kOuterGone,       ///< the operator's terminal is gone
    kDrained,         ///< after kDrain: nothing more to show
    kOutputEnded,     ///< streams: every output is at its end
    kShimGone,        ///< the connection to the shim broke
    kRecordFailed,    ///< `text` says why
    kRecordAccepted,  ///< after a failure, the record takes bytes again
    kKill,            ///< an administrator's wish; `text` names him
    kLimit,           ///< the recording is as large as it may be; `text` says how large
    kShutdown,        ///< the daemon stops
    kTorn,            ///< a former daemon was killed, and what passed then is not known
    kTick,            ///< deadline() has passed
  };
  Kind kind = Kind::kTick;
  bool exited = false;
  int status = 0;
  std::string text;
};

/// What to do now, in the order of the members.
struct SessionActions {
  std::string say;          ///< a line for the operator, "" for none
  std::string warn;         ///< the same, but only if nothing waits to be shown before it
  bool hold = false;        ///< show nothing, try again periodically
  bool go_on = false;       ///< stop holding
  bool unrecorded = false;  ///< from now on: show what the record refuses, count it
  bool hang_up = false;     ///< SIGHUP to the session: close the inner master, signal the shell
  bool kill_shell = false;  ///< SIGKILL
  bool drain = false;
  bool release_shim = false;  ///< tell the waiter DONE although streams still run
  bool close = false;         ///< restore the outer terminal, write the end, DONE, forget
};

struct SessionLimits {
  OnFailure on_failure = OnFailure::kHold;
  std::int64_t start_us = 10 * kUsPerS;  ///< from the verdict to kStarted
  std::int64_t hold_us = 60 * kUsPerS;
  std::int64_t grace_us = 2 * kUsPerS;  ///< for draining, and for the shell to follow a hang-up
  std::int64_t idle_warning_us = 0;     ///< of terminals; 0 never
  std::int64_t idle_end_us = 0;         ///< longer than the warning; 0 never
};

/// A machine's whole state, for memory that outlives it. Times are absolute; 0: none.
struct MachineMark {
  std::uint32_t state, on_failure;
  std::int64_t start_us, hold_us, grace_us;
  std::int64_t deadline, held_until;
  std::int64_t idle_warning_us, idle_end_us, idle_at, warned_at;
  std::uint32_t reason, has_exit, has_signal;
  std::int32_t exit_code, signal;
  std::uint32_t terminal, shell_known_ended, shell_gone, shim_gone, killed, unrecorded;
};

class SessionMachine {
 public:
  SessionMachine(bool terminal, SessionLimits limits, MonoUs now);
  /// Goes on from a mark; `mark.state` must be one that mark() wrote. When something happened last it does
  /// not know: tell it by active().
  explicit SessionMachine(const MachineMark& mark);
  [[nodiscard]] MachineMark mark() const;
  /// Whether mark() may have written it.
  static bool is_sound(const MachineMark& mark) noexcept;
  /// What the state wants done, for one that goes on and does not know whether it was.
  [[nodiscard]] SessionActions again() const;

  SessionActions step(const SessionEvent& event, MonoUs now);
  /// Something was typed or shown.
  void active(MonoUs now) noexcept { active_at_ = now; }
  [[nodiscard]] std::optional<MonoUs> deadline() const noexcept;
  [[nodiscard]] std::string describe() const;

  [[nodiscard]] bool closed() const noexcept { return state_ == State::kClosed; }
  [[nodiscard]] bool holding() const noexcept { return held_until_.has_value(); }
  /// Whether the shell has ended and the waiter knows: only then does DONE let it leave with the right
  /// status.
  [[nodiscard]] bool shell_ended() const noexcept { return shell_known_ended_; }
  /// How it ended; meaningful once closed (bytes are filled in by the owner).
  [[nodiscard]] const format::EndInfo& end() const noexcept { return end_; }
  [[nodiscard]] const char* state_word() const noexcept;

 private:
  enum class State { kStarting, kRunning, kEnding, kLingering, kHangingUp, kClosed };

  void ended(const SessionEvent& event, MonoUs now, SessionActions& actions);
  void hang_up(format::EndReason reason, MonoUs now, SessionActions& actions);
  /// Or was: what it ends for is known, and is said once.
  [[nodiscard]] bool hung_up() const noexcept;
  void failed(const SessionEvent& event, MonoUs now, SessionActions& actions);
  void tick(MonoUs now, SessionActions& actions);
  void idle(MonoUs now, SessionActions& actions);
  [[nodiscard]] bool warned() const noexcept { return warned_at_ && active_at_ <= *warned_at_; }
  [[nodiscard]] std::optional<MonoUs> next_idle(MonoUs now) const noexcept;
  void close(SessionActions& actions);

  bool terminal_;
  SessionLimits limits_;
  State state_ = State::kStarting;
  std::optional<MonoUs> deadline_;    ///< of the state
  std::optional<MonoUs> held_until_;  ///< of holding; the state's deadline waits for it, but in kStarting
  MonoUs active_at_ = 0;              ///< when a byte last passed
  std::optional<MonoUs> idle_at_;     ///< when to look at that
  std::optional<MonoUs> warned_at_;   ///< of being idle; a byte since then makes it past
  format::EndInfo end_;
  bool shell_known_ended_ = false;
  bool shell_gone_ = false;
  bool shim_gone_ = false;
  bool killed_ = false;
  bool unrecorded_ = false;
};

}  // namespace opelog::record
