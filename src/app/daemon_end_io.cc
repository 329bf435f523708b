// How the daemon ends: by itself, by a stop, or by handing its sessions over to the next one.

#include <utility>

#include "app/daemon_io.h"
#include "app/main_process_io.h"
#include "core/clock_io.h"

namespace opelog::app {
namespace {

// How long a stop waits for waiters to leave after their sessions have been ended.
constexpr std::int64_t kStopUs = 3 * kUsPerS;
// How long the next daemon waits for calls that a user keeps waiting.
constexpr std::int64_t kCallsUs = kUsPerS;
// Who signals every process of the unit (systemctl kill) means the daemon once, and it hears of it twice.
constexpr std::int64_t kSameSignalUs = 500 * kUsPerMs;

}  // namespace

int Daemon::run() {
  loop_.run();
  // Handles end before the loop; the loop then proves that it is empty.
  control_.reset();
  views_->finish();
  views_.reset();
  retention_.reset();
  connections_.reset();
  logins_.reset();
  unrecorded_.reset();
  unrecorded_desk_->finish();
  unrecorded_desk_.reset();
  // Sessions that are handed over wait for the next daemon, not for a disk.
  const bool on_disk = !handing_over_ && recorder_->sync_all().ok();
  recorder_.reset();
  if (store_) (void)store_->flush();
  const bool leaves_calls = !logins_work_->idle() || !sessions_work_->idle();
  if (leaves_calls) leave_calls();
  logins_work_.reset();
  sessions_work_.reset();
  exec_.reset();
  ledger_->quiesce();
  guard_.reset();
  policy_watcher_.reset();
  enrolled_watcher_.reset();
  signals_.clear();
  watchdog_.reset();
  stop_poll_.reset();
  if (store_) store_->quiesce();
  loop_.run();  // close callbacks, and work still under way
  store_.reset();
  ledger_->finish(on_disk, !handing_over_);
  hooks_.reset();
  state(Level::kInfo, "daemon-stop", "opelogd has stopped");
  if (leaves_calls) leave_threads(exit_code_);
  return exit_code_;
}

void Daemon::leave_calls() {
  state(Level::kWarning, "calls-left",
        std::to_string(logins_work_->count() + sessions_work_->count()) +
            " calls on users' terminals do not come back; the process is gone once they do",
        {{"uids_of_logins", logins_work_->users()}, {"uids_of_sessions", sessions_work_->users()}});
  logins_work_->abandon();
  sessions_work_->abandon();
}

void Daemon::asked_to_stop() {
  if (mono_now() < same_until_) return;
  same_until_ = mono_now() + kSameSignalUs;
  if (!store_ || stopping_) return stop();
  if (std::exchange(asking_, true)) return stop();
  auto restarts = std::make_shared<bool>(false);
  auto queued = run_work(
      loop_, [restarts] { *restarts = record::restarts_us(); },
      [this, restarts] {
        if (stopping_) return;
        if (*restarts)
          hand_over();
        else
          stop();
      });
  if (!queued) stop();
}

// What runs goes on under the next daemon; what cannot be kept ends as in a stop. First all that takes time:
// until the very end the sessions go on here.
void Daemon::hand_over() {
  if (!store_ || std::exchange(stopping_, true)) return;
  handing_over_ = true;
  record::notify_stopping();
  state(Level::kInfo, "daemon-handover",
        "leaving " + std::to_string(recorder_->count()) + " sessions to the next daemon");
  logins_->stop();
  if (unrecorded_) unrecorded_->shutdown();
  recorder_->end_unkept();
  wait_for_the_end();
}

void Daemon::stop() {
  if (std::exchange(stopping_, true)) {
    if (handing_over_) recorder_->hand_over();
    loop_.stop();  // asked twice: now
    return;
  }
  record::notify_stopping();
  state(Level::kInfo, "daemon-stopping", "ending " + std::to_string(recorder_->count()) + " sessions");
  logins_->stop();
  if (unrecorded_) unrecorded_->shutdown();
  recorder_->shutdown();
  wait_for_the_end();
}

void Daemon::wait_for_the_end() {
  const MonoUs calls_deadline = mono_now() + kCallsUs;
  stop_deadline_ = mono_now() + kStopUs;
  stop_poll_ = std::make_unique<Timer>(loop_, [this, calls_deadline] {
    // A login that was given up meanwhile gives its terminal back, and its recording has an end. Sessions go
    // on.
    bool idle = logins_work_->idle() && sessions_work_->idle();
    if (handing_over_) {
      if (!idle && mono_now() < calls_deadline) return;
      idle = recorder_->only_kept() && ledger_->all_entered();
      if (!ledger_->all_entered()) recorder_->sync();
    } else {
      idle = idle && recorder_->idle();
    }
    if (!idle && mono_now() < stop_deadline_) return;
    if (handing_over_) recorder_->hand_over();
    loop_.stop();
  });
  stop_poll_->start(0, 10);
}

}  // namespace opelog::app
