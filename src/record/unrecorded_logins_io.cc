#include "record/unrecorded_logins_io.h"

#include <dirent.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "core/clock_io.h"
#include "core/policy_decide.h"
#include "record/account_io.h"
#include "record/client_address_io.h"
#include "record/login_lookup_io.h"
#include "record/proc_directory_io.h"
#include "record/proc_text.h"
#include "record/process_facts_io.h"

namespace opelog::record {
namespace {

// Logins that are looked after at once, and past ones that are remembered; a kilobyte or two each.
constexpr std::size_t kMostBegun = 4096;
// How often one that waits for something is looked at.
constexpr std::uint64_t kLookAfterMs = 500;
// Events come together: one without a process that is known is not over before none came for so long.
constexpr MonoUs kQuietUs = 1 * kUsPerS;
// How often other processes of it are looked for then: that reads all of /proc.
constexpr MonoUs kScanUs = 5 * kUsPerS;
constexpr const char* kLosses = "more happened than could be fetched in time";

Fd open_pidfd(std::int64_t pid) {
  return Fd(static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(pid), 0)));
}

// Every process there is, until `visit` says that it is enough.
void each_process(const std::function<bool(std::int64_t pid, int pidfd)>& visit) {
  DIR* proc = ::opendir("/proc");
  if (proc == nullptr) return;
  while (const dirent* entry = ::readdir(proc)) {
    const auto pid = parse_proc_number(entry->d_name);
    if (!pid) continue;
    const Fd pidfd = open_pidfd(*pid);
    if (pidfd && !visit(*pid, pidfd.get())) break;
  }
  ::closedir(proc);
}

// What the header says of what a session left behind: who, from where and by which rule, as its own did.
format::SessionInfo left_info(const format::SessionInfo& session) {
  format::SessionInfo info = session;
  info.how = "left";
  info.terminal = false;
  info.records_input = info.records_payload = false;
  info.kept.fill(format::Kept::kOther);
  info.left_by = session.id;
  info.command.reset();
  info.original.reset();
  return info;
}

bool is_begun(std::uint64_t number) noexcept {
  return number > OPELOG_RING_SERVERS && number <= kLastBegun;
}

}  // namespace

// Who a login is, and what the policy says of it. Made on a thread.
struct UnrecordedLogins::Lookup {
  // given:
  format::ExecInfo first;
  std::shared_ptr<const LoginConfig> config;
  // found:
  bool done = false;
  Account account;
  ProcessFacts server;
  ClientAddress client;
  Rule rule;
  bool wanted = false;
  /// Of what a session left behind: that session. Nothing else of the above but `done` and `wanted`.
  std::optional<format::SessionInfo> left_by;

  void run();
};

void UnrecordedLogins::Lookup::run() {
  const Policy& policy = config->policy;
  if (auto process = read_serving_process(first.parent)) {
    server = std::move(process->login);
    client = find_client_address(server, "");
  }
  // It is gone already; only a server starts a login.
  if (server.ancestor_exes.empty()) server.ancestor_exes = {"/usr/sbin/sshd"};
  if (auto found =
          lookup_account(first.uid, asks_for_groups(policy) ? Groups::kWithGroups : Groups::kWithoutGroups)) {
    account = std::move(*found);
  } else {
    account.uid = first.uid;
    account.user = std::to_string(first.uid);
  }
  LoginFacts facts;
  facts.uid = first.uid;
  facts.user = account.user;
  facts.groups = account.groups;
  facts.ancestor_exes = server.ancestor_exes;
  facts.client = client.bytes;
  facts.terminal = !first.tty.empty();
  const Decision decision = decide(policy, facts);
  wanted = decision.rule != nullptr && decision.action != Action::kPass;
  if (wanted) rule = *decision.rule;
  if (!wanted || first.uid != 0) return;
  // What PAM or sshd run as root for themselves leads no session; a login does.
  auto directory = ProcDirectory::open(first.pid);
  auto stat = directory ? directory->stat() : Result<ProcStat>(process_gone());
  wanted = stat && stat->session == first.pid;
}

struct UnrecordedLogins::Login {
  explicit Login(std::string shim_path) : state(std::move(shim_path)) {}
  BegunLogin state;
  std::shared_ptr<Lookup> found;
  std::unique_ptr<ExecOnlyRecording> recording;
  MonoUs last_event = 0;
  MonoUs scanned = INT64_MIN / 2;  ///< when it was last looked for processes that are not known
  bool ends = false;               ///< whatever it still starts is killed
  format::EndReason reason = format::EndReason::kExit;
};

UnrecordedLogins::UnrecordedLogins(Loop& loop, FactSink facts, Recorder& recorder, ExecSource& source)
    : facts_(std::move(facts)),
      recorder_(recorder),
      source_(source),
      work_(loop),
      host_(read_host_facts()),
      timer_(loop, [this] { look_after(); }),
      slow_timer_(loop, [this] { look_after(); }) {}

UnrecordedLogins::~UnrecordedLogins() {
  *alive_ = false;
}

void UnrecordedLogins::configure(const LoginConfig& config) {
  config_ = std::make_shared<const LoginConfig>(config);
}

void UnrecordedLogins::watch(const std::vector<LoginServerProcess>& servers) {
  std::set<std::pair<std::int64_t, std::uint64_t>> now;
  for (const LoginServerProcess& server : servers) {
    const std::pair key{server.pid, server.started};
    if (servers_.count(key) == 0) {
      const Fd pidfd = open_pidfd(server.pid);
      auto directory = ProcDirectory::open(server.pid);
      auto stat = directory ? directory->stat() : Result<ProcStat>(process_gone());
      if (!pidfd || !stat || stat->started != server.started) continue;
      if (!source_.watch_server(pidfd.get())) continue;
    }
    now.insert(key);
  }
  if (now != servers_)
    facts_({Level::kDebug,
            "servers-watched",
            "logins that begin at sshd are looked after",
            {{"servers", std::to_string(now.size())}}});
  servers_.swap(now);
}

// ---- events

UnrecordedLogins::Login* UnrecordedLogins::find_or_begin(std::uint64_t number) {
  if (auto it = logins_.find(number); it != logins_.end()) return it->second.get();
  if (!config_) return nullptr;
  if (logins_.size() >= kMostBegun) {
    source_.release(number);
    if (!std::exchange(crowded_, true))
      facts_({Level::kWarning,
              "unrecorded-crowded",
              "more logins begin than can be looked after: one that never meets opelog-shell may be missed",
              {}});
    return nullptr;
  }
  crowded_ = false;
  auto login = std::make_unique<Login>(config_->shim_path);
  if (auto before = past_.find(number); before != past_.end()) {
    login->found = before->second;
    if (login->found->done) login->state.wanted(login->found->wanted);
  }
  return logins_.emplace(number, std::move(login)).first->second.get();
}

void UnrecordedLogins::executed(ProcessEvent event) {
  if (stopped_) return;
  const std::uint64_t number = event.session;
  const auto* exec = std::get_if<format::ExecInfo>(&event.what);
  if (logins_.count(number) == 0) {
    if (exec == nullptr) return;                                // of one that is over
    if (!is_begun(number) && past_.count(number) == 0) return;  // long over
  }
  Login* login = find_or_begin(number);
  if (login == nullptr) return;
  login->last_event = mono_now();
  const bool starts = exec != nullptr;
  // The shim speaks for itself; to look its user up here as well would be a second time.
  const bool look = starts && !login->found && is_begun(number) && exec->exe != config_->shim_path;
  if (login->recording) login->recording->executed(event);
  login->state.take(std::move(event), mono_now());
  if (look) look_up(number, *login);
  if (login->ends && starts) end_processes(number);
  review(number);
}

void UnrecordedLogins::events_lost(std::uint64_t number, std::uint64_t count) {
  for (const auto& [which, login] : logins_) {
    if (number != 0 && number != which) continue;
    if (login->recording)
      login->recording->lost(count, kLosses);
    else
      login->state.lost(count);
    login->state.retain([this, number = which](std::int64_t pid) {
      const Fd pidfd = open_pidfd(pid);
      return pidfd && source_.session_of(pidfd.get()) == number;
    });
  }
  look_after();
}

void UnrecordedLogins::claimed(int shim_pidfd, std::int64_t pid, BegunLogin::Claim claim) {
  source_.drain();  // what it executed before belongs to what it answers for
  const std::uint64_t number = source_.session_of(shim_pidfd);
  if (!is_begun(number)) return;
  const auto it = logins_.find(number);
  if (it == logins_.end()) return;
  it->second->state.claimed(pid, claim);
  review(number);
}

void UnrecordedLogins::look_up(std::uint64_t number, Login& login) {
  login.found = std::make_shared<Lookup>();
  login.found->first = *login.state.first();
  login.found->config = config_;
  work_.run(
      login.found->first.uid, [found = login.found] { found->run(); },
      [this, number, found = login.found, alive = alive_] {
        if (!*alive) return;
        found->done = true;
        const auto it = logins_.find(number);
        if (it == logins_.end()) return;
        it->second->state.wanted(found->wanted);
        review(number);
      });
}

// ---- what follows

void UnrecordedLogins::review(std::uint64_t number) {
  const auto it = logins_.find(number);
  if (it == logins_.end()) return;
  switch (it->second->state.step(mono_now())) {
    case BegunLogin::Step::kWait:
      if (it->second->state.waits_for_time() && !timer_.active()) timer_.start(kLookAfterMs);
      return;
    case BegunLogin::Step::kRelease:
      source_.release(number);
      // What was told before that is not looked up again.
      if (it->second->found) remember(number, it->second->found);
      logins_.erase(it);
      return;
    case BegunLogin::Step::kRecord:
      record(number, *it->second);
      return review(number);
    case BegunLogin::Step::kOver:
      if (it->second->recording && goes_on(number, *it->second)) return;
      return over(it, it->second->reason);
  }
}

void UnrecordedLogins::look_after() {
  std::vector<std::uint64_t> numbers;
  for (const auto& [number, login] : logins_) numbers.push_back(number);
  for (const std::uint64_t number : numbers) review(number);
}

// What the header says of a login that never met the shim.
format::SessionInfo UnrecordedLogins::unrecorded_info(const Lookup& found, const HostFacts& host) {
  const format::ExecInfo& first = found.first;
  format::SessionInfo info;
  info.host = host.host;
  info.host_id = host.host_id;
  info.boot_id = host.boot_id;
  info.user = found.account.user;
  info.uid = first.uid;
  info.gid = found.account.gid;
  info.loginuid = first.loginuid;
  info.audit_session = first.audit_session;
  info.client = found.client.text;
  info.client_port = found.client.port;
  info.ancestry = found.server.ancestry;
  info.how = "unrecorded";
  info.tty = first.tty;
  info.shell = first.exe;
  if (first.argv.size() > 2 && first.argv[1] == "-c") info.command = first.argv[2];
  info.kept.fill(first.tty.empty() ? format::Kept::kOther : format::Kept::kTerminal);
  info.rule = found.rule.name;
  info.policy_digest = found.config->policy_digest;
  return info;
}

Status UnrecordedLogins::open_recording_of(std::uint64_t number, Login& login) {
  const std::vector<ProcessEvent> events = login.state.held();
  const MonoUs now = mono_now();
  const MonoUs begun = events.empty() ? now : std::min(events.front().when, now);
  const Lookup& found = *login.found;
  format::SessionInfo info = found.left_by ? left_info(*found.left_by) : unrecorded_info(found, host_);
  info.started = wall_now() - (now - begun);
  auto opened = recorder_.open_exec_only(std::move(info), begun);
  if (!opened) return std::move(opened).error();
  login.recording = std::move(*opened);
  (void)source_.count_losses(number);
  for (const ProcessEvent& event : events) login.recording->executed(event);
  if (const auto missing = login.state.missing(); missing > 0)
    login.recording->lost(missing, "more happened before this recording began than was kept");
  return {};
}

void UnrecordedLogins::record(std::uint64_t number, Login& login) {
  const Status opened = open_recording_of(number, login);
  const Lookup& found = *login.found;
  std::vector<std::pair<std::string, std::string>> fields;
  if (opened) {
    fields.emplace_back("session", login.recording->info().id);
    fields.emplace_back("recording", login.recording->writer().name());
  } else {
    fields.emplace_back("error", opened.error().message);
  }
  if (found.left_by) {
    fields.emplace_back("user", found.left_by->user);
    fields.emplace_back("left_by", found.left_by->id);
    facts_({opened ? Level::kInfo : Level::kError, "session-left",
            "what a session of " + found.left_by->user + " left behind goes on" +
                (opened ? ": what it executes is recorded" : ", and is not recorded"),
            std::move(fields)});
    return;
  }
  ++total_;
  fields.insert(fields.begin(), {{"user", found.account.user},
                                 {"uid", std::to_string(found.first.uid)},
                                 {"client", found.client.text.empty() ? "UNKNOWN" : found.client.text},
                                 {"rule", found.rule.name},
                                 {"pid", std::to_string(found.first.pid)},
                                 {"program", found.first.exe}});
  facts_({Level::kWarning, "terminal-unrecorded",
          found.account.user + (found.first.tty.empty() ? " runs commands" : " works in a terminal") +
              " that never passed opelog-shell: " +
              (opened ? "only what is executed is recorded" : "it is not recorded"),
          std::move(fields)});
  if (found.rule.on_unrecorded != OnUnrecorded::kEnd) return;
  facts_({Level::kWarning,
          "session-kill",
          "the unrecorded login of " + found.account.user + " is ended by the policy",
          {{"user", found.account.user}, {"rule", found.rule.name}}});
  login.ends = true;
  login.reason = format::EndReason::kKilled;
  end_processes(number);
}

void UnrecordedLogins::over(Logins::iterator login, format::EndReason reason) {
  const std::uint64_t number = login->first;
  const std::unique_ptr<Login> ended = std::move(login->second);
  logins_.erase(login);
  if (ended->found) remember(number, ended->found);
  if (!ended->recording) return;
  source_.forget(number);
  format::EndInfo end;
  end.reason = reason;
  if (const auto& exit = ended->state.end()) {
    end.exit_code = exit->exit_code;
    end.signal = exit->signal;
  }
  recorder_.close_exec_only(*ended->recording, end);
}

void UnrecordedLogins::remember(std::uint64_t number, std::shared_ptr<Lookup> found) {
  if (!past_.emplace(number, std::move(found)).second) return;
  past_order_.push_back(number);
  if (past_order_.size() <= kMostBegun) return;
  past_.erase(past_order_.front());
  past_order_.pop_front();
}

void UnrecordedLogins::session_ended(std::uint64_t number, const format::SessionInfo& info) {
  auto left = std::make_shared<Lookup>();
  left->left_by = info;
  left->done = left->wanted = true;
  remember(number, std::move(left));
}

// Whether a process of it lives, though none that is known does.
bool UnrecordedLogins::goes_on(std::uint64_t number, Login& login) {
  const MonoUs now = mono_now();
  if (!slow_timer_.active()) slow_timer_.start(kQuietUs / kUsPerMs);
  if (now < login.last_event + kQuietUs || now < login.scanned + kScanUs) return true;  // looked for later
  login.scanned = now;
  bool found = false;
  each_process([this, number, &found](std::int64_t pid, int pidfd) {
    if (source_.session_of(pidfd) != number) return true;
    const auto directory = ProcDirectory::open(pid);
    found = directory && directory->stat();  // no zombie
    return !found;
  });
  return found;
}

// Every process of it, whatever it is a child of by now.
void UnrecordedLogins::end_processes(std::uint64_t number) {
  each_process([this, number](std::int64_t, int pidfd) {
    if (source_.session_of(pidfd) == number)
      (void)::syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, nullptr, 0);
    return true;
  });
}

// ---- asked from outside

Result<std::string> UnrecordedLogins::kill(const std::string& which, const std::string& who) {
  for (const auto& [number, login] : logins_) {
    if (!login->recording) continue;
    const std::string& id = login->recording->info().id;
    if (which != id && which != login->recording->writer().name()) continue;
    facts_({Level::kWarning,
            "session-kill",
            "unrecorded login of " + login->recording->info().user + " is ended by " + who,
            {{"session", id},
             {"user", login->recording->info().user},
             {"recording", login->recording->writer().name()}}});
    login->ends = true;
    login->reason = format::EndReason::kKilled;
    end_processes(number);
    return id;
  }
  return Error{Code::kNotFound, which + ": no such live session", 0};
}

void UnrecordedLogins::shutdown() {
  stopped_ = true;
  timer_.stop();
  slow_timer_.stop();
  while (!logins_.empty()) over(logins_.begin(), format::EndReason::kShutdown);
}

bool UnrecordedLogins::started_by(std::int64_t pid) const {
  return std::any_of(logins_.begin(), logins_.end(), [pid](const auto& login) {
    const auto& first = login.second->state.first();
    return first && first->parent == pid;
  });
}

std::size_t UnrecordedLogins::recorded() const {
  return static_cast<std::size_t>(std::count_if(logins_.begin(), logins_.end(), [](const auto& login) {
    return login.second->recording && !login.second->found->left_by;
  }));
}

std::string UnrecordedLogins::describe() const {
  return "unrecorded servers=" + std::to_string(servers_.size()) +
         " begun=" + std::to_string(logins_.size()) + " recorded=" + std::to_string(recorded()) +
         " total=" + std::to_string(total_) + "\n";
}

}  // namespace opelog::record
