#include "record/session_machine.h"

#include <algorithm>

namespace opelog::record {

using Kind = SessionEvent::Kind;
using format::EndReason;

namespace {

// "10 min", "90 s": what a person is told.
std::string idle_text(std::int64_t us) {
  const std::int64_t s = (us + kUsPerS / 2) / kUsPerS;
  return s % 60 == 0 && s > 0 ? std::to_string(s / 60) + " min" : std::to_string(s) + " s";
}

}  // namespace

SessionMachine::SessionMachine(bool terminal, SessionLimits limits, MonoUs now)
    : terminal_(terminal), limits_(limits), deadline_(now + limits.start_us) {}

SessionMachine::SessionMachine(const MachineMark& mark)
    : terminal_(mark.terminal != 0),
      limits_{static_cast<OnFailure>(mark.on_failure),
              mark.start_us,
              mark.hold_us,
              mark.grace_us,
              mark.idle_warning_us,
              mark.idle_end_us},
      state_(static_cast<State>(mark.state)),
      shell_known_ended_(mark.shell_known_ended != 0),
      shell_gone_(mark.shell_gone != 0),
      shim_gone_(mark.shim_gone != 0),
      killed_(mark.killed != 0),
      unrecorded_(mark.unrecorded != 0) {
  if (mark.deadline != 0) deadline_ = mark.deadline;
  if (mark.held_until != 0) held_until_ = mark.held_until;
  if (mark.idle_at != 0) idle_at_ = mark.idle_at;
  if (mark.warned_at != 0) warned_at_ = mark.warned_at;
  end_.reason = static_cast<EndReason>(mark.reason);
  if (mark.has_exit != 0) end_.exit_code = mark.exit_code;
  if (mark.has_signal != 0) end_.signal = mark.signal;
}

MachineMark SessionMachine::mark() const {
  MachineMark mark{};
  mark.terminal = terminal_ ? 1 : 0;
  mark.state = static_cast<std::uint32_t>(state_);
  mark.on_failure = static_cast<std::uint32_t>(limits_.on_failure);
  mark.start_us = limits_.start_us;
  mark.hold_us = limits_.hold_us;
  mark.grace_us = limits_.grace_us;
  mark.deadline = deadline_.value_or(0);
  mark.held_until = held_until_.value_or(0);
  mark.idle_warning_us = limits_.idle_warning_us;
  mark.idle_end_us = limits_.idle_end_us;
  mark.idle_at = idle_at_.value_or(0);
  mark.warned_at = warned_at_.value_or(0);
  mark.reason = static_cast<std::uint32_t>(end_.reason);
  mark.has_exit = end_.exit_code ? 1 : 0;
  mark.exit_code = end_.exit_code.value_or(0);
  mark.has_signal = end_.signal ? 1 : 0;
  mark.signal = end_.signal.value_or(0);
  mark.shell_known_ended = shell_known_ended_ ? 1 : 0;
  mark.shell_gone = shell_gone_ ? 1 : 0;
  mark.shim_gone = shim_gone_ ? 1 : 0;
  mark.killed = killed_ ? 1 : 0;
  mark.unrecorded = unrecorded_ ? 1 : 0;
  return mark;
}

bool SessionMachine::is_sound(const MachineMark& mark) noexcept {
  for (const std::int64_t time : {mark.start_us, mark.hold_us, mark.grace_us, mark.deadline, mark.held_until,
                                  mark.idle_warning_us, mark.idle_end_us, mark.idle_at, mark.warned_at}) {
    if (!is_time(time)) return false;
  }
  return mark.state <= static_cast<std::uint32_t>(State::kClosed) &&
         mark.on_failure <= static_cast<std::uint32_t>(OnFailure::kContinue) &&
         mark.reason <= static_cast<std::uint32_t>(EndReason::kCrash);
}

SessionActions SessionMachine::again() const {
  SessionActions actions;
  switch (state_) {
    case State::kStarting:
    case State::kRunning:
      break;
    case State::kEnding:
      actions.drain = true;
      break;
    case State::kLingering:
      actions.release_shim = true;
      break;
    case State::kHangingUp:
      actions.hang_up = true;
      actions.kill_shell = killed_;
      break;
    case State::kClosed:
      actions.close = true;
      actions.kill_shell = killed_ || !shell_known_ended_;
      break;
  }
  return actions;
}

SessionActions SessionMachine::step(const SessionEvent& event, MonoUs now) {
  SessionActions actions;
  if (state_ == State::kClosed) return actions;
  switch (event.kind) {
    case Kind::kStarted:
      if (state_ == State::kStarting) {
        state_ = State::kRunning;
        deadline_.reset();
        active_at_ = now;
        idle_at_ = next_idle(now);
      }
      break;
    case Kind::kShellEnded:
      ended(event, now, actions);
      break;
    case Kind::kShellGone:
      // Normally the waiter reports within microseconds; a stopped one never does.
      shell_gone_ = true;
      if (state_ == State::kRunning) deadline_ = now + limits_.grace_us;
      break;
    case Kind::kOuterGone:
      if (state_ == State::kEnding) {
        close(actions);  // nobody is left to show the rest to
      } else if (state_ != State::kHangingUp && state_ != State::kLingering) {
        hang_up(EndReason::kHangup, now, actions);
      }
      break;
    case Kind::kDrained:
      if (state_ == State::kEnding) close(actions);
      break;
    case Kind::kOutputEnded:
      if (state_ == State::kLingering) close(actions);
      break;
    case Kind::kShimGone:
      shim_gone_ = true;
      if (state_ == State::kHangingUp && shell_known_ended_) {
        close(actions);
      } else if (state_ == State::kStarting || state_ == State::kRunning) {
        hang_up(EndReason::kShim, now, actions);
        // Nobody will tell us the shell's end any more: it is ended for certain.
        actions.kill_shell = true;
        close(actions);
      } else if (state_ == State::kHangingUp) {
        // The waiter leads the outer terminal's session and stays through a hang-up: if it is gone, its end
        // was what hung the terminal up.
        if (end_.reason == EndReason::kHangup) end_.reason = EndReason::kShim;
        actions.kill_shell = true;
        close(actions);
      }
      break;
    case Kind::kRecordFailed:
      failed(event, now, actions);
      break;
    case Kind::kRecordAccepted:
      if (held_until_) {
        held_until_.reset();
        actions.go_on = true;
        if (state_ == State::kEnding || (state_ == State::kRunning && shell_gone_))
          deadline_ = now + limits_.grace_us;
      }
      break;
    case Kind::kKill:
      if (!hung_up()) {
        actions.say = "opelog: this session is ended by " + event.text;
        hang_up(EndReason::kKilled, now, actions);
      } else if (shell_known_ended_) {
        close(actions);  // not even the rest is waited for
      }
      break;
    case Kind::kTorn:
      if (!hung_up()) hang_up(EndReason::kFailure, now, actions);
      break;
    case Kind::kLimit:
      if (!hung_up()) {
        actions.say = "opelog: the recording of this session has reached its limit of " + event.text +
                      " bytes; the session ends";
        hang_up(EndReason::kLimit, now, actions);
      }
      break;
    case Kind::kShutdown:
      if (state_ == State::kRunning || state_ == State::kStarting)
        actions.say = "opelog: the recorder stops; this session ends";
      // One that is hanging up has its reason.
      if (!shell_known_ended_ && state_ != State::kHangingUp) end_.reason = EndReason::kShutdown;
      actions.hang_up = !shell_known_ended_;
      close(actions);
      break;
    case Kind::kTick:
      tick(now, actions);
      break;
  }
  return actions;
}

void SessionMachine::ended(const SessionEvent& event, MonoUs now, SessionActions& actions) {
  if (shell_known_ended_) return;
  shell_known_ended_ = true;
  if (event.exited)
    end_.exit_code = event.status;
  else
    end_.signal = event.status;
  // Where somebody is left who looks on, he is to see the rest, and why it ends.
  const bool nobody = end_.reason == EndReason::kHangup || end_.reason == EndReason::kShim;
  if (state_ == State::kHangingUp && (!terminal_ || nobody)) {
    close(actions);
    return;
  }
  if (terminal_) {
    deadline_ = now + limits_.grace_us;  // bounds the drain
    state_ = State::kEnding;
    actions.drain = true;
  } else {
    // sshd reads a command's streams to their end by itself, so the exit status need not wait for it.
    state_ = State::kLingering;
    deadline_.reset();
    actions.release_shim = true;
  }
}

bool SessionMachine::hung_up() const noexcept {
  // Where the shell has ended by itself (kShim: the waiter kept silent) its output still comes.
  const bool by_itself = end_.reason == EndReason::kExit || end_.reason == EndReason::kShim;
  return state_ == State::kHangingUp || (state_ == State::kEnding && !by_itself);
}

void SessionMachine::hang_up(EndReason reason, MonoUs now, SessionActions& actions) {
  end_.reason = reason;
  held_until_.reset();
  actions.hang_up = true;
  if (shell_known_ended_) {
    close(actions);
    return;
  }
  state_ = State::kHangingUp;
  deadline_ = now + limits_.grace_us;
}

void SessionMachine::failed(const SessionEvent& event, MonoUs now, SessionActions& actions) {
  if (hung_up() || unrecorded_) return;
  switch (limits_.on_failure) {
    case OnFailure::kContinue:
      unrecorded_ = true;
      actions.unrecorded = true;
      break;
    case OnFailure::kCut:
      actions.say = "opelog: recording failed (" + event.text + "); this session ends";
      hang_up(EndReason::kFailure, now, actions);
      break;
    case OnFailure::kHold:
      if (held_until_) break;
      actions.hold = true;
      held_until_ = now + limits_.hold_us;
      break;
  }
}

// When to look whether the terminal is idle. Whoever was warned may come back and leave again: then the next
// warning must not be late.
std::optional<MonoUs> SessionMachine::next_idle(MonoUs now) const noexcept {
  std::optional<MonoUs> next;
  if (!terminal_) return next;
  if (limits_.idle_end_us > 0) next = active_at_ + limits_.idle_end_us;
  if (limits_.idle_warning_us > 0) {
    const MonoUs warning = (warned() ? now : active_at_) + limits_.idle_warning_us;
    next = next ? std::min(*next, warning) : warning;
  }
  return next;
}

std::optional<MonoUs> SessionMachine::deadline() const noexcept {
  if (!held_until_) {
    if (state_ == State::kRunning && idle_at_ && (!deadline_ || *idle_at_ < *deadline_)) return idle_at_;
    return deadline_;
  }
  return state_ == State::kStarting && deadline_ ? std::min(*deadline_, *held_until_) : *held_until_;
}

void SessionMachine::tick(MonoUs now, SessionActions& actions) {
  if (!deadline() || now < *deadline()) return;
  if (held_until_ && now >= *held_until_) {
    if (shell_known_ended_) {
      end_.reason = EndReason::kFailure;  // its exit status stands beside it
      close(actions);
    } else {
      actions.say = "opelog: recording has not been possible for too long; this session ends";
      hang_up(EndReason::kFailure, now, actions);
    }
    return;
  }
  if (state_ == State::kRunning && idle_at_ && now >= *idle_at_) {
    idle(now, actions);
    if (state_ != State::kRunning || !deadline_ || now < *deadline_) return;
  }
  switch (state_) {
    case State::kStarting:
      hang_up(EndReason::kShim, now, actions);
      actions.kill_shell = true;
      close(actions);
      break;
    case State::kHangingUp:
      if (!killed_) {
        killed_ = true;
        actions.kill_shell = true;
        deadline_ = now + limits_.grace_us;
      } else {
        close(actions);  // a stopped waiter, a shell in uninterruptible sleep: it has no terminal any more
      }
      break;
    case State::kEnding:
    case State::kLingering:
      close(actions);
      break;
    case State::kRunning:  // the shell is gone and the waiter keeps silent
      end_.reason = EndReason::kShim;
      if (terminal_) {
        state_ = State::kEnding;
        deadline_ = now + limits_.grace_us;
        actions.drain = true;
      } else {
        close(actions);
      }
      break;
    case State::kClosed:
      deadline_.reset();
      break;
  }
}

void SessionMachine::idle(MonoUs now, SessionActions& actions) {
  const std::int64_t since = now - active_at_;
  if (limits_.idle_end_us > 0 && since >= limits_.idle_end_us) {
    actions.say = "opelog: nothing has happened here for " + idle_text(since) + "; this session ends";
    hang_up(EndReason::kIdle, now, actions);
    return;
  }
  if (limits_.idle_warning_us > 0 && since >= limits_.idle_warning_us && !warned()) {
    warned_at_ = now;
    actions.warn = "opelog: nothing has happened here for " + idle_text(since);
    if (limits_.idle_end_us > 0)
      actions.warn += "; this session ends in " + idle_text(limits_.idle_end_us - since) + " if nothing does";
  }
  idle_at_ = next_idle(now);
}

void SessionMachine::close(SessionActions& actions) {
  state_ = State::kClosed;
  deadline_.reset();
  held_until_.reset();
  actions.close = true;
}

const char* SessionMachine::state_word() const noexcept {
  if (held_until_) return "holding";
  switch (state_) {
    case State::kStarting:
      return "starting";
    case State::kRunning:
      return unrecorded_ ? "unrecorded" : "running";
    case State::kEnding:
      return "ending";
    case State::kLingering:
      return "lingering";
    case State::kHangingUp:
      return "hanging-up";
    case State::kClosed:
      return "closed";
  }
  return "closed";
}

std::string SessionMachine::describe() const {
  std::string text = std::string("state=") + state_word() + (terminal_ ? " terminal" : " streams");
  if (shell_known_ended_) text += " shell-ended";
  if (shim_gone_) text += " shim-gone";
  if (killed_) text += " killed";
  if (state_ == State::kRunning && warned()) text += " idle";
  if (const auto at = deadline()) text += " deadline=" + std::to_string(*at);
  return text;
}

}  // namespace opelog::record
