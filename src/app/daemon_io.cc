#include "app/daemon_io.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <map>
#include <set>
#include <utility>

#include "app/main_process_io.h"
#include "app/recording_repairs_io.h"
#include "core/append_only_io.h"
#include "core/clock_io.h"
#include "core/fd_io.h"
#include "format/recording_files_io.h"
#include "format/recording_list_io.h"
#include "format/stored_name.h"
#include "record/account_io.h"
#include "record/exec_capture_io.h"
#include "record/proc_connector_io.h"
#include "record/seqpacket_listener_io.h"
#include "seal/seal_record.h"

namespace opelog::app {
namespace {

constexpr const char* kFileSuffix[] = {".log", ".time", ".in"};

// Where the recording is: in `today`, where new ones are, or where the policy put it when it began.
std::string directory_of(const format::RecordingWriter& writer, const std::string& today) {
  const std::string file = "/" + writer.name() + std::string(format::kLogSuffix);
  const std::vector<int> fds = writer.descriptors();
  struct stat open {
  }, there{};
  if (fds.empty() || ::fstat(fds.front(), &open) != 0) return today;
  if (::lstat((today + file).c_str(), &there) == 0 && there.st_dev == open.st_dev &&
      there.st_ino == open.st_ino)
    return today;
  std::error_code failed;
  const std::string path =
      std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fds.front()), failed).string();
  if (failed || !path.ends_with(file)) return today;  // removed
  return path.substr(0, path.size() - file.size());
}

// Of the files that a removal takes, as they are stored.
seal::FileSizes sizes_of(const record::RecordingRemoval& removal) {
  seal::FileSizes sizes;
  for (const auto& file : removal.files()) {
    const std::string written = format::parse_stored_name(file.name).file;
    (written.ends_with(format::kTimeSuffix)  ? sizes.time
     : written.ends_with(format::kLogSuffix) ? sizes.log
                                             : sizes.in) += file.bytes;
  }
  return sizes;
}

}  // namespace

Daemon::Daemon(Paths paths, Config config, std::unique_ptr<Log> log, bool log_to_stderr, Before before)
    : paths_(std::move(paths)),
      config_(std::move(config)),
      log_(std::move(log)),
      log_to_stderr_(log_to_stderr),
      log_config_(config_.policy.policy.log),
      facts_([this](const Fact& fact) {
        events_.add(fact.event);
        log_->write(fact);
        if (hooks_) hooks_->tell(fact);
      }),
      started_(wall_now()),
      started_mono_(mono_now()),
      loaded_(started_),
      former_left_(std::move(before.left)),
      policy_error_(std::move(before.rejected)) {}

Daemon::~Daemon() = default;

Result<Fd> Daemon::listener(std::vector<record::PassedFd>& passed, const char* name, unsigned group) {
  auto given = record::take_listener(passed, name);
  if (!given) return std::move(given).error();
  if (*given) return given;
  record::ListenerOptions options;
  options.path = paths_.run + "/" + name + ".sock";
  options.group = group;
  options.descriptors = std::string_view(name) == "login";  // a login's terminal
  return record::listen_seqpacket(options);
}

Status Daemon::start() {
  // Every session takes descriptors; the unit's limit may be soft only.
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
    files.rlim_cur = files.rlim_max;
    (void)::setrlimit(RLIMIT_NOFILE, &files);
  }
  auto shim_group = record::lookup_group("opelog");
  if (!shim_group)
    return Error{Code::kNotFound, shim_group.error().message + "; run: groupadd --system opelog", 0};
  shim_group_ = *shim_group;

  auto passed = record::take_passed_fds();
  if (!passed) return std::move(passed).error();
  record::KeptSessions kept = record::take_kept(*passed);
  record::unlock(std::exchange(kept.ledger, {}));
  auto login = listener(*passed, "login", *shim_group);
  if (!login) return std::move(login).error();
  auto control = listener(*passed, "control", config_.file_group);
  if (!control) return std::move(control).error();

  hooks_ = std::make_unique<EventHooks>(loop_, facts_);
  hooks_->configure(config_.policy.policy.on_event);
  auto guard = watch::Guard::open(loop_, facts_);
  if (!guard) return std::move(guard).error();
  guard_ = std::move(*guard);
  guard_->set_live_size([this](std::uint64_t inode) -> std::optional<std::uint64_t> {
    auto it = live_.find(inode);
    if (it == live_.end()) return std::nullopt;
    return it->second.writer->bytes(it->second.number);
  });
  ledger_ = std::make_unique<HostLedger>(loop_, facts_, paths_.ledger_key);
  ledger_->set_live([this] { return recorder_ ? recorder_->count() : 0; });
  logins_work_ = std::make_unique<record::UserWork>(loop_);
  sessions_work_ = std::make_unique<record::UserWork>(loop_);
  recorder_ = std::make_unique<record::Recorder>(
      loop_, *sessions_work_, facts_,
      record::RecordingHooks{
          [this](const format::RecordingWriter& w) { own_opened(w, config_.policy.policy.directory); },
          [this](const format::RecordingWriter& w) {
            own_opened(w, directory_of(w, config_.policy.policy.directory));
          },
          [this](const format::RecordingWriter& w) { own_closed(w); },
          [this](std::uint64_t number, const format::SessionInfo& info) {
            if (unrecorded_) unrecorded_->session_ended(number, info);
          },
          [this] { return ledger_->entries_to_sync(); }, [this] { return ledger_->sync_round(); }});
  store_ = record::FdStore::open(loop_, std::move(kept.there));
  if (store_) {
    if (auto set = recorder_->set_store(store_.get(), std::move(kept.buffer)); !set) return set;
    ledger_->set_locked([this](const std::vector<int>& locked) {
      store_->remove(record::kKeptLedgerName);
      (void)store_->put({{record::kKeptLedgerName, locked}});
    });
  }
  open_exec(std::move(kept.exec));
  auto logins = record::LoginServer::open(loop_, *logins_work_, std::move(*login), facts_, *recorder_);
  if (!logins) return std::move(logins).error();
  logins_ = std::move(*logins);
  if (unrecorded_) logins_->set_claims(unrecorded_.get());
  connections_ = std::make_unique<record::ConnectionWatcher>(
      loop_, facts_,
      [this](const record::Connection& serving) {
        return recorder_->descends_from(serving.pid, serving.started) ||
               (unrecorded_ && unrecorded_->started_by(serving.pid));
      },
      [this](const std::vector<record::LoginServerProcess>& servers) {
        if (unrecorded_) unrecorded_->watch(servers);
      });
  retention_ = std::make_unique<record::RetentionDesk>(
      loop_, facts_, [this](std::uint64_t inode) { guard_->own_removed(inode); });
  retention_->synced_before = [this] { return ledger_->entries_to_sync(); };
  retention_->before_prune = [this](const record::RecordingRemoval& removal, format::PruneReason why) {
    return ledger_->pruned(removal.recording().name, format::prune_word(why), sizes_of(removal));
  };
  retention_->before_compressed = [this](const record::RecordingRemoval& removal) {
    return ledger_->compressed(removal.recording().name, sizes_of(removal));
  };
  views_ = std::make_unique<record::ViewDesk>(loop_, facts_);
  views_->enter = [this](const record::Viewing& v) {
    ledger_->add(seal::ViewedEntry{v.recording, v.uid, format::view_word(v.what)});
  };
  views_->enter_left_out = [this](const record::EntriesLeftOut& left) {
    enter_left_out(seal::kGapOfViews, left);
  };
  unrecorded_desk_ = std::make_unique<record::UnrecordedDesk>(loop_);
  unrecorded_desk_->enter = [this](const record::UnrecordedLogin& l) {
    ledger_->add(seal::UnrecordedEntry{l.what, l.user, l.uid, l.client, l.rule, l.why});
  };
  unrecorded_desk_->enter_left_out = [this](const record::EntriesLeftOut& left) {
    enter_left_out(seal::kGapOfUnrecorded, left);
  };
  const record::UnrecordedSink unrecorded = [this](const record::UnrecordedLogin& l) {
    unrecorded_desk_->unrecorded(l);
  };
  logins_->tell_unrecorded = unrecorded;
  connections_->tell_unrecorded = unrecorded;
  if (unrecorded_) unrecorded_->tell_unrecorded = unrecorded;
  auto server = record::ControlServer::start(loop_, std::move(*control), config_.file_group, *this, facts_);
  if (!server) return std::move(server).error();
  control_ = std::move(*server);

  for (int signum : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2}) {
    auto signal = Signal::open(loop_, signum, [this](int which) {
      if (which == SIGHUP) {
        log_->reopen();
        load_again();
      } else if (which == SIGUSR1) {
        state(Level::kInfo, "dump", dump());
      } else if (which == SIGUSR2) {
        hand_over();
      } else {
        asked_to_stop();
      }
    });
    if (!signal) return std::move(signal).error();
    signals_.push_back(std::move(*signal));
  }
  ::signal(SIGPIPE, SIG_IGN);
  for (auto [path, watcher] :
       {std::pair{&paths_.policy, &policy_watcher_}, std::pair{&paths_.enrolled, &enrolled_watcher_}}) {
    auto opened = PolicyWatcher::open(loop_, *path, [this] { load_again(); });
    if (opened)
      *watcher = std::move(*opened);
    else
      state(Level::kWarning, "policy-unwatched",
            "changes are noticed on SIGHUP only: " + opened.error().message);
  }
  if (auto interval = record::watchdog_interval_ms()) {
    watchdog_ = std::make_unique<Timer>(loop_, [] { record::notify_watchdog(); });
    watchdog_->start(*interval, *interval);
  }
  apply(std::move(config_));
  if (store_) recorder_->take_over(std::move(kept.sessions));
  for (const std::uint64_t number : std::exchange(exec_counted_, {})) {
    if (number > record::kLastBegun && !recorder_->has(number)) exec_->forget(number);
  }
  repair_then_guard();
  state(Level::kInfo, "daemon-start",
        std::string("opelogd ") + OPELOG_VERSION + " records to " + config_.policy.policy.directory,
        {{"policy", config_.policy.digest}});
  if (!former_left_.empty()) state(Level::kWarning, "calls-left", former_left_);
  if (!policy_error_.empty())
    state(Level::kError, "policy-rejected",
          policy_error_ + "; sessions go on under the policy that was in force before");
  record::notify_ready(policy_error_.empty() ? "recording to " + config_.policy.policy.directory
                                             : "policy file rejected: " + policy_error_);
  return {};
}

// What sessions execute; without it they are recorded all the same. `kept` is what ExecSource::keep() gave to
// an earlier daemon.
void Daemon::open_exec(std::vector<Fd> kept) {
  const record::ExecSink sink{[this](record::ProcessEvent&& event) {
                                if (!recorder_->executed(event) && unrecorded_)
                                  unrecorded_->executed(std::move(event));
                              },
                              [this](std::uint64_t session, std::uint64_t count) {
                                recorder_->events_lost(session, count);
                                if (unrecorded_) unrecorded_->events_lost(session, count);
                              }};
  record::ExecCaptureOptions options;
  options.kept = std::move(kept);
  auto capture = record::ExecCapture::open(loop_, sink, std::move(options));
  if (capture) {
    const std::string& problem = capture->get()->adoption().problem;
    if (!problem.empty()) state(Level::kWarning, "exec-restarted", problem);
    using How = record::ExecAdoption::How;
    const bool whole = capture->get()->adoption().how == How::kWhole;
    exec_counted_ = capture->get()->adoption().counted;
    exec_ = std::move(*capture);
    if (store_ && !whole) {
      store_->remove(record::kKeptExecName);
      std::vector<int> lent;
      const std::vector<Fd> keeps = exec_->keep();
      for (const Fd& fd : keeps) lent.push_back(fd.get());
      (void)store_->put({{record::kKeptExecName, lent}});
    }
  } else {
    auto connector = record::ProcConnector::open(loop_, sink);
    if (connector) exec_ = std::move(*connector);
    state(Level::kWarning, connector ? "exec-degraded" : "exec-unavailable",
          capture.error().message +
              (connector ? "; the proc connector tells less" : "; " + connector.error().message));
  }
  recorder_->set_exec(exec_.get());
  if (exec_ && exec_->follows_logins())
    unrecorded_ = std::make_unique<record::UnrecordedLogins>(loop_, facts_, *recorder_, *exec_);
}

// ---- configuration

void Daemon::apply(Config config) {
  config_ = std::move(config);
  const Policy& p = config_.policy.policy;
  hooks_->configure(p.on_event);
  for (const std::string& warning : config_.warnings) state(Level::kWarning, "policy-warning", warning);
  ledger_->configure(p, config_.file_group);
  ledger_->add(seal::PolicyEntry{config_.policy.digest});
  recorder_->configure(
      p, {-1, config_.file_group, config_.tty_group, paths_.utmp,
          [this, directory = p.directory](const format::SessionInfo& info, const std::string& name) {
            return ledger_->open_session(info, name, directory);
          },
          [this](const format::SealerMark& mark, std::array<std::uint64_t, 3>& covered) {
            return ledger_->resume_session(mark, covered);
          }});
  connections_->configure(p);
  retention_->configure(p.directory, p.retention);
  const record::LoginConfig logins{p, config_.policy.digest, config_.enrolled, paths_.shim};
  if (unrecorded_) unrecorded_->configure(logins);
  logins_->configure(logins);
  if (!log_to_stderr_ && (p.log.target != log_config_.target || p.log.file != log_config_.file)) {
    if (auto log = Log::open(p.log, "opelogd", {}, config_.file_group)) {
      log_ = std::move(*log);
      log_config_ = p.log;
    } else {
      state(Level::kError, "policy-warning", "the log stays where it is: " + log.error().message);
    }
  }
  log_->set_level(p.log.level);
  write_fallback();
  if (store_ && policy_error_.empty()) remember_good_policy(paths_, config_.policy.digest);
  auto directory = record::open_recordings_directory(p.directory, config_.file_group);
  append_only_ = directory ? (p.append_only == AppendOnly::kOff ? Status{} : probe_append_only(p.directory))
                           : Status{directory.error()};
  if (!append_only_) state(Level::kError, "recordings-degraded", append_only_.error().message);
  if (guard_ready_) configure_guard();
}

void Daemon::configure_guard() {
  const Policy& p = config_.policy.policy;
  std::vector<GuardedDirectory> directories = p.guard;
  bool named = false;
  for (const GuardedDirectory& d : directories) named = named || d.path == p.directory;
  if (!named) directories.insert(directories.begin(), GuardedDirectory{p.directory});
  guard_->configure(directories, p.guard_sweep_ms);
}

void Daemon::write_fallback() {
  // Readable for the setgid shim only: it says who may log in unrecorded when we are not there.
  auto written = replace_file(paths_.fallback, config_.fallback, 0640, shim_group_);
  fallback_error_ = written ? "" : written.error().message;
  if (!written)
    state(Level::kError, "fallback-failed",
          "logins while the daemon is absent follow the old policy: " + fallback_error_);
}

// Loads on a worker thread: the name service may block.
void Daemon::load_again() {
  if (reloading_) {
    reload_again_ = true;
    return;
  }
  reloading_ = true;
  record::notify_reloading(mono_now());
  auto loaded = std::make_shared<Result<Config>>(Error{});
  auto queued = run_work(
      loop_, [loaded, paths = paths_] { *loaded = load_config(paths); },
      [this, loaded] {
        reloading_ = false;
        std::vector<Reply<std::string>> replies;
        replies.swap(reload_replies_);
        if (stopping_) return;
        if (*loaded) {
          // One that was rejected and is what it was again is said, too.
          const bool same = policy_error_.empty() && loaded->value().policy.digest == config_.policy.digest;
          policy_error_.clear();
          loaded_ = wall_now();
          apply(std::move(*loaded).value());
          state(same ? Level::kDebug : Level::kInfo, "policy-loaded", "the policy is in force",
                {{"policy", config_.policy.digest}});
        } else {
          policy_error_ = loaded->error().message;
          state(Level::kError, "policy-rejected", policy_error_ + "; the policy in force stays");
        }
        record::notify_ready(policy_error_.empty() ? "recording to " + config_.policy.policy.directory
                                                   : "policy file rejected: " + policy_error_);
        for (auto& reply : replies) {
          if (policy_error_.empty())
            reply(config_.policy.digest);
          else
            reply(loaded->error());
        }
        if (std::exchange(reload_again_, false)) load_again();
      });
  if (queued) return;
  reloading_ = false;
  state(Level::kError, "policy-rejected", queued.error().message + "; the policy in force stays");
  std::vector<Reply<std::string>> replies;
  replies.swap(reload_replies_);
  for (auto& reply : replies) reply(queued.error());
}

// What a crash or power cut left is completed before the guard remembers sizes; logins need not wait for it.
void Daemon::repair_then_guard() {
  auto repairs = std::make_shared<Repairs>();
  auto queued = run_work(
      loop_,
      [repairs, directory = config_.policy.policy.directory, began = started_,
       ledger = ledger_->opened() ? config_.policy.policy.seal_ledger : std::string(),
       interrupted = ledger_->interrupted()] {
        *repairs = repair_recordings(directory, began, ledger, interrupted);
      },
      [this, repairs] {
        if (stopping_) return;
        for (const Fact& fact : repairs->facts) facts_(fact);
        for (const seal::CrashedEntry& entry : repairs->interrupted.entries) ledger_->add(entry);
        for (const std::string& why : repairs->interrupted.unfinished)
          state(Level::kWarning, "repair-failed", "an interrupted session stays open in the ledger: " + why);
        begin_guard();
      });
  if (!queued) begin_guard();
}

// Of what was being recorded before, taken over or begun just now, it has not heard.
void Daemon::begin_guard() {
  guard_ready_ = true;
  configure_guard();
  for (const auto& [inode, file] : live_) tell_own(inode, file);
}

void Daemon::enter_left_out(const char* what, const record::EntriesLeftOut& left) {
  ledger_->add(seal::LedgerGapEntry{what, "more than is entered of one user: uid " + std::to_string(left.uid),
                                    left.count});
}

// ---- the guard learns of our own files

void Daemon::own_opened(const format::RecordingWriter& writer, const std::string& directory) {
  for (int i = 0; i < 3; ++i) {
    const std::uint64_t inode = writer.inode(i);
    if (inode == 0) continue;
    tell_own(inode, live_[inode] = {&writer, i, directory});
  }
}

void Daemon::tell_own(std::uint64_t inode, const LiveFile& file) {
  guard_->own_created(file.directory, file.writer->name() + kFileSuffix[file.number], inode,
                      file.writer->append_only());
}

void Daemon::own_closed(const format::RecordingWriter& writer) {
  for (int i = 0; i < 3; ++i) {
    const std::uint64_t inode = writer.inode(i);
    if (inode == 0) continue;
    live_.erase(inode);
    guard_->own_closed(inode, writer.bytes(i));
  }
}

void Daemon::state(Level level, const char* event, std::string text,
                   std::vector<std::pair<std::string, std::string>> fields) {
  facts_({level, event, std::move(text), std::move(fields)});
}

}  // namespace opelog::app
