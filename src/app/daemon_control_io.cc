// What the control socket asks of the daemon, and what it is told (record/control_server_io.h has the
// protocol).
#include <unistd.h>

#include <utility>

#include "app/daemon_io.h"
#include "core/clock_io.h"

namespace opelog::app {

record::StatusAnswer Daemon::status() {
  record::StatusAnswer answer;
  answer.version = OPELOG_VERSION;
  answer.pid = ::getpid();
  answer.started = started_;
  answer.uptime_s = (mono_now() - started_mono_) / kUsPerS;
  answer.policy.file = paths_.policy;
  answer.policy.digest = config_.policy.digest;
  answer.policy.loaded = loaded_;
  answer.policy.error = policy_error_;
  answer.sessions = static_cast<std::uint64_t>(recorder_->count());
  answer.pending = static_cast<std::uint64_t>(logins_->pending());
  const auto& counts = logins_->counts();
  answer.recorded_total = counts.recorded;
  answer.refused_total = counts.refused;
  answer.passed_total = counts.passed;
  answer.failed_total = counts.failed;
  answer.unrecorded_total =
      counts.unrecorded + connections_->stated() + (unrecorded_ ? unrecorded_->total() : 0);
  const watch::GuardStatus guard = guard_->status();
  answer.guard.flagged = guard.flagged_total;
  answer.guard.findings = guard.findings;
  answer.guard.overflows = guard.overflows;
  recorder_->each([&answer](const record::Session& s) {
    answer.held += s.machine().holding() ? 1 : 0;
    answer.unkept += s.kept() ? 0 : 1;
    answer.limited += s.limited() ? 1 : 0;
  });
  const record::DiskReserve& disk = recorder_->disk().reserve();
  answer.disk = {disk.free(), disk.reserve(), disk.low()};
  recorder_->disk().look();  // for whoever asks next
  if (disk.low())
    answer.degraded.push_back({"less than " + std::to_string(disk.reserve()) +
                                   " bytes are free where recordings are: each user may write " +
                                   std::to_string(disk.part()) + " more, then his sessions meet a full disk",
                               "make room, or see retention.reserve and opelog retain"});
  answer.kept_layout = record::kSessionMemoryLayout;
  answer.bytes_recorded = recorder_->bytes_out();
  answer.calls_waiting = logins_work_->count() + sessions_work_->count();
  answer.log_failures = log_->failures();
  answer.events = events_.all();
  for (const auto& directory : guard.directories) {
    answer.guard.directories.push_back(directory.path);
    if (!directory.degraded.empty())
      answer.degraded.push_back({directory.path + ": " + directory.degraded, directory.remedy});
  }
  if (const std::string problem = ledger_->problem(); !problem.empty())
    answer.degraded.push_back(
        {"the ledger: " + problem,
         "see to the disk of " + config_.policy.policy.seal_ledger + "; it goes on by itself once it can"});
  if (const std::size_t unkept = recorder_->without_room(); unkept > 0)
    answer.degraded.push_back(
        {"sessions that end when opelogd does, because their descriptors could not be kept (store-full in "
         "the log says why): " +
             std::to_string(unkept),
         "if FileDescriptorStoreMax= of opelogd.service was lowered, raise it to " +
             std::to_string(record::kStoreMost) +
             " and start opelogd again when they have ended; else they are kept as soon as others end"});
  if (answer.log_failures > 0)
    answer.degraded.push_back({"facts that the log did not take: " + std::to_string(answer.log_failures),
                               "see to the log's target (journald, disk), then restart the daemon"});
  if (const auto open = connections_->unrecorded(); open > 0)
    answer.degraded.push_back(
        {"ssh connections that carry no session, so nothing of them is recorded: " + std::to_string(open),
         "see connection-unrecorded in the log, and /usr/share/doc/opelog/docs/login-hooks.md"});
  if (unrecorded_ && unrecorded_->recorded() > 0)
    answer.degraded.push_back({"logins that never passed opelog-shell, only what they execute is recorded: " +
                                   std::to_string(unrecorded_->recorded()),
                               "see terminal-unrecorded in the log, and run: opelog doctor"});
  if (!policy_error_.empty())
    answer.degraded.push_back({"the policy file is rejected, the old policy stays: " + policy_error_,
                               "correct it; check with: opelog policy check"});
  if (!append_only_)
    answer.degraded.push_back({append_only_.error().message,
                               "choose a directory on ext4, xfs or btrfs, or set recordings.append_only"});
  if (!fallback_error_.empty())
    answer.degraded.push_back({"the fallback file is not current: " + fallback_error_,
                               "mkdir -p /var/lib/opelog && opelog reload"});
  if (!policy_watcher_)
    answer.degraded.push_back({"the policy file is not watched", "run opelog reload after each change"});
  if (guard.thawed) answer.degraded.push_back({"recordings are thawed for rotation", "opelog freeze"});
  return answer;
}

std::vector<record::SessionRow> Daemon::sessions() {
  std::vector<record::SessionRow> rows;
  recorder_->each([&rows](const record::Session& s) {
    record::SessionRow row;
    const format::SessionInfo& info = s.info();
    row.id = info.id;
    row.name = s.recording();
    row.user = info.user;
    row.uid = info.uid;
    row.client = info.client;
    row.tty = info.tty;
    row.inner_tty = info.inner_tty;
    row.started = info.started;
    row.terminal = info.terminal;
    row.state = s.machine().state_word();
    row.bytes_out = s.bytes_out();
    row.bytes_in = s.bytes_in();
    row.pid = s.shell_pid();
    rows.push_back(std::move(row));
  });
  return rows;
}

Result<std::string> Daemon::kill(const std::string& session) {
  auto ended = recorder_->kill(session, "root");
  if (!ended && ended.error().code == Code::kNotFound && unrecorded_)
    return unrecorded_->kill(session, "root");
  return ended;
}

void Daemon::reload(Reply<std::string> reply) {
  reload_replies_.push_back(std::move(reply));
  load_again();
}

Status Daemon::reopen_log() {
  log_->reopen();
  return {};
}

void Daemon::thaw(int seconds, Reply<std::int64_t> reply) {
  // Entered before the first flag goes.
  if (auto entered = ledger_->thawing(seconds); !entered) return reply(std::move(entered).error());
  guard_->thaw(seconds,
               [reply](Result<int> files) { files ? reply(std::int64_t{*files}) : reply(files.error()); });
}

void Daemon::freeze(Reply<std::int64_t> reply) {
  guard_->freeze([this, reply](Result<int> files) {
    if (!files) return reply(files.error());
    ledger_->add(seal::FrozenEntry{*files});
    reply(std::int64_t{*files});
  });
}

void Daemon::prune(const std::string& recording, format::PruneReason why, Reply<std::int64_t> reply) {
  retention_->prune(recording, why, std::move(reply));
}

void Daemon::compressed(const std::string& recording, Reply<std::int64_t> reply) {
  retention_->compressed(recording, std::move(reply));
}

Status Daemon::viewed(uid_t uid, const std::string& recording, format::View what) {
  if (!config_.policy.policy.seal_viewed) return {};
  if (Status open = ledger_->opened(); !open) return open;
  views_->viewed({uid, recording, what});
  return {};
}

void Daemon::rotate_key(Reply<record::RotatedKeyAnswer> reply) {
  ledger_->rotate_log([reply](Result<seal::RotatedLog> rotated) {
    if (!rotated) return reply(std::move(rotated).error());
    reply(record::RotatedKeyAnswer{rotated->log, rotated->former, rotated->size});
  });
}

std::string Daemon::dump() {
  std::string text = "daemon pid=" + std::to_string(::getpid()) + " policy=" + config_.policy.digest + "\n";
  return text + logins_->describe() + recorder_->describe() + logins_work_->describe() +
         sessions_work_->describe() + (unrecorded_ ? unrecorded_->describe() : std::string()) +
         (exec_ ? "exec " + exec_->describe() + "\n" : std::string("exec unavailable\n")) +
         guard_->describe();
}

}  // namespace opelog::app
