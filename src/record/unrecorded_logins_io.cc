#include "record/unrecorded_logins_io.h"

#include <dirent.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>

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

// Logins that are looked after at once, of all and of one user, and past ones that are remembered; a kilobyte
// or two each.
constexpr std::size_t kMostBegun = 4096, kMostOfUser = 512;
// Events that are held for all of them together.
constexpr std::size_t kMostHeldBytes = 32U << 20;
// How often one that waits for something is looked at; and how long a shim's login is left alone.
constexpr std::uint64_t kLookAfterMs = 500;
constexpr MonoUs kUnclaimedUs = 1 * kUsPerS;
// How often it is stated that there is no room.
constexpr MonoUs kTellUs = 60 * kUsPerS;
// Events come together: one without a process that is known is not over before none came for so long.
constexpr MonoUs kQuietUs = 1 * kUsPerS;
// How often other processes of it are looked for then.
constexpr MonoUs kScanUs = 5 * kUsPerS;
constexpr const char* kLosses = "more happened than could be fetched in time";
constexpr const char* kBegunBefore = "the login began before opelogd looked";

Fd open_pidfd(std::int64_t pid) {
  return Fd(static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(pid), 0)));
}

// Which processes belong to the logins `of`; those of `kill` get SIGKILL.
struct Scan {
  std::function<std::uint64_t(int)> probe;
  std::set<std::uint64_t> of, kill;
  MonoUs begun = 0;
  std::map<std::uint64_t, std::set<std::int64_t>> found;

  void run();
};

// Reads all of /proc: on a thread.
void Scan::run() {
  DIR* proc = ::opendir("/proc");
  if (proc == nullptr) return;
  while (const dirent* entry = ::readdir(proc)) {
    const auto pid = parse_proc_number(entry->d_name);
    if (!pid) continue;
    const Fd pidfd = open_pidfd(*pid);
    const std::uint64_t number = pidfd ? probe(pidfd.get()) : 0;
    if (of.count(number) == 0) continue;
    const auto directory = ProcDirectory::open(*pid);
    if (!directory || !directory->stat()) continue;  // a zombie
    found[number].insert(*pid);
    if (kill.count(number) > 0) (void)::syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0);
  }
  ::closedir(proc);
}

// A session's id.
std::string hex_of(std::uint64_t number) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(number));
  return text;
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

// The process nearest to the beginning of a login of which only a later program is known: who that runs as
// says nothing of who logged in, nor its parent of the server.
struct Origin {
  std::int64_t pid = 0, parent = 0;
  std::uint64_t started = 0;
  std::uint32_t uid = 0, loginuid = 0xffffffff, audit_session = 0xffffffff;
  std::string tty, exe;
};

std::optional<Origin> read_origin(std::int64_t pid) {
  const auto directory = ProcDirectory::open(pid);
  if (!directory) return std::nullopt;
  const auto stat = directory->stat();
  const auto status = directory->status();
  const auto exe = directory->exe();
  if (!stat || !status || !exe) return std::nullopt;
  Origin origin{pid,
                stat->parent,
                stat->started,
                status->real_uid,
                0xffffffff,
                0xffffffff,
                terminal_path(stat->terminal),
                *exe};
  const auto number = [&](const char* file, std::uint32_t& value) {
    if (const auto text = directory->read(file)) {
      if (const auto parsed = parse_proc_number(*text)) value = *parsed;
    }
  };
  number("loginuid", origin.loginuid);
  number("sessionid", origin.audit_session);
  return origin;
}

// The oldest process of a login: what it was told of may have ended, or have lost its parent. The kernel says
// which login a process is of, by its pidfd. Reads all of /proc: on a thread.
std::optional<Origin> find_origin(std::uint64_t number, const std::function<std::uint64_t(int)>& probe) {
  DIR* proc = ::opendir("/proc");
  if (proc == nullptr) return std::nullopt;
  std::optional<Origin> oldest;
  while (const dirent* entry = ::readdir(proc)) {
    const auto pid = parse_proc_number(entry->d_name);
    if (!pid) continue;
    const Fd pidfd = open_pidfd(*pid);
    if (!pidfd || probe(pidfd.get()) != number) continue;
    auto found = read_origin(*pid);
    // Still that process, whose directory was read.
    if (!found || ::syscall(SYS_pidfd_send_signal, pidfd.get(), 0, nullptr, 0) != 0) continue;
    if (!oldest || std::pair(found->started, found->pid) < std::pair(oldest->started, oldest->pid))
      oldest = std::move(found);
  }
  ::closedir(proc);
  return oldest;
}

// Who a login is, and what the policy says of it. Made on a thread.
struct UnrecordedLogins::Lookup {
  // given:
  format::ExecInfo first;
  bool begins = false, leads = false, kin = false;  ///< as ProcessEvent has them
  std::shared_ptr<const LoginConfig> config;
  std::uint64_t number = 0;
  std::function<std::uint64_t(int)> probe;
  // found:
  bool done = false;
  Account account;
  ProcessFacts server;
  ClientAddress client;
  Rule rule;
  bool wanted = false;
  bool claimed = false;  ///< the login had its claim
  /// Of what a session left behind: that session. Nothing else of the above but `done` and `wanted`.
  std::optional<format::SessionInfo> left_by;

  void run();
};

void UnrecordedLogins::Lookup::run() {
  if (left_by) {  // of a session that nobody remembers
    if (auto found = lookup_account(first.uid, Groups::kWithoutGroups)) left_by->user = found->user;
    wanted = true;
    return;
  }
  if (!begins) {
    if (const auto origin = find_origin(number, probe)) {
      first.pid = origin->pid;
      first.parent = origin->parent;
      first.uid = origin->uid;
      first.loginuid = origin->loginuid;
      first.audit_session = origin->audit_session;
      first.tty = origin->tty;
      first.exe = origin->exe;
    }
    first.argv.clear();  // of a later program
  }
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
  // What PAM or sshd run for themselves, as root or as a user of their own, is no login: that leads its
  // session, or is started by an sshd that has become the user. Where the first program was lost, nothing of
  // this is known, and it counts as one.
  if (!begins) return;
  if (first.uid != 0)
    wanted = wanted && (leads || kin);
  else
    wanted = wanted && leads && first.file == (account.shell.empty() ? "/bin/sh" : account.shell);
}

struct UnrecordedLogins::Login {
  explicit Login(std::string shim_path) : state(std::move(shim_path)) {}
  BegunLogin state;
  std::shared_ptr<Lookup> found;
  std::optional<ProcessEvent> first;  ///< its first exec event
  std::unique_ptr<ExecOnlyRecording> recording;
  MonoUs begun = mono_now();
  std::uint32_t uid = 0;
  MonoUs last_event = 0;
  MonoUs scanned = INT64_MIN / 2;  ///< when it was last looked for processes that are not known
  bool ends = false;               ///< whatever it still starts is killed
  bool unsure = false;             ///< ends of processes may have been lost
  bool headless = false;  ///< what it executed first is not known: another daemon saw it, or it was lost
  format::EndReason reason = format::EndReason::kExit;
};

UnrecordedLogins::UnrecordedLogins(Loop& loop, FactSink facts, Recorder& recorder, ExecSource& source)
    : loop_(loop),
      facts_(std::move(facts)),
      recorder_(recorder),
      source_(source),
      probe_(source.session_probe()),
      work_(loop),
      host_(read_host_facts()),
      timer_(loop, [this] { look_after(); }),
      slow_timer_(loop, [this] { scan(); }) {}

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

UnrecordedLogins::Login* UnrecordedLogins::find_or_begin(std::uint64_t number, std::uint32_t uid) {
  if (auto it = logins_.find(number); it != logins_.end()) return it->second.get();
  if (!config_) return nullptr;
  if (logins_.size() >= kMostBegun || (uid != 0 && of_user_[uid] >= kMostOfUser)) {
    // Its next event may find room.
    const MonoUs now = mono_now();
    if (now >= crowded_told_ + kTellUs) {
      crowded_told_ = now;
      facts_(
          {Level::kWarning,
           "unrecorded-crowded",
           "more logins have begun than can be looked after: what one executes that never meets opelog-shell "
           "may be missed",
           {{"uid", std::to_string(uid)}}});
    }
    return nullptr;
  }
  auto login = std::make_unique<Login>(config_->shim_path);
  login->uid = uid;
  ++of_user_[uid];
  if (auto before = past_.find(number); before != past_.end()) {
    login->found = before->second;
    if (login->found->done) login->state.wanted(login->found->wanted);
    if (login->found->claimed) login->state.was_claimed();
  }
  return logins_.emplace(number, std::move(login)).first->second.get();
}

void UnrecordedLogins::executed(ProcessEvent event) {
  if (stopped_) return;
  const std::uint64_t number = event.session;
  const auto* exec = std::get_if<format::ExecInfo>(&event.what);
  if (exec == nullptr && logins_.count(number) == 0) return;  // of one that is over
  Login* login = find_or_begin(number, exec != nullptr ? exec->uid : 0);
  if (login == nullptr) return;
  login->last_event = mono_now();
  if (exec != nullptr && !login->first) {
    login->first = event;
    login->headless = !event.begins && !login->found && is_begun(number);
  }
  // The shim speaks for itself; to look its user up here as well would be a second time.
  const bool look = exec != nullptr && !login->found && exec->exe != config_->shim_path;
  if (login->recording) login->recording->executed(event);
  const std::size_t before = login->state.held_bytes();
  login->state.take(std::move(event), mono_now(), held_bytes_ < kMostHeldBytes);
  held_bytes_ += login->state.held_bytes() - before;
  if (look) look_up(number, *login);
  review(number);
}

void UnrecordedLogins::events_lost(std::uint64_t number, std::uint64_t count) {
  for (const auto& [which, login] : logins_) {
    const bool counted_apart = login->recording && number == OPELOG_RING_SERVERS;
    if (counted_apart || (number > OPELOG_RING_SERVERS && number != which)) continue;
    if (login->recording)
      login->recording->lost(count, kLosses);
    else
      login->state.lost(count);
    login->unsure = true;
  }
  if (!slow_timer_.active()) slow_timer_.start(kQuietUs / kUsPerMs);
}

HeldEvents UnrecordedLogins::claimed(int shim_pidfd, std::int64_t pid, std::uint32_t uid,
                                     BegunLogin::Claim claim) {
  source_.drain();  // what it executed before belongs to what it answers for
  const std::uint64_t number = probe_(shim_pidfd);
  if (!is_begun(number)) return {};
  const auto it = logins_.find(number);
  if (it == logins_.end()) return {};
  BegunLogin& state = it->second->state;
  held_bytes_ -= state.held_bytes();
  HeldEvents before = state.claimed(pid, uid, claim);
  held_bytes_ += state.held_bytes();
  review(number);
  return before;
}

void UnrecordedLogins::look_up(std::uint64_t number, Login& login) {
  login.found = std::make_shared<Lookup>();
  const ProcessEvent& first = *login.first;
  login.found->first = std::get<format::ExecInfo>(first.what);
  login.found->begins = first.begins;
  login.found->leads = first.leads;
  login.found->kin = first.kin;
  login.found->config = config_;
  login.found->number = number;
  login.found->probe = probe_;
  if (!is_begun(number)) {
    login.found->left_by = format::SessionInfo{};
    login.found->left_by->id = hex_of(number);
    login.found->left_by->uid = login.found->first.uid;
    login.found->left_by->user = std::to_string(login.found->first.uid);
  }
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
  Login& login = *it->second;
  switch (login.state.step(mono_now())) {
    case BegunLogin::Step::kWait:
      if (!login.found && login.state.has_reason() && mono_now() >= login.begun + kUnclaimedUs)
        look_up(number, login);
      if (login.state.waits_for_time() && !timer_.active()) timer_.start(kLookAfterMs);
      return;
    case BegunLogin::Step::kRelease:
      source_.release(number);
      // What was told before that is not looked up again.
      return forget(it);
    case BegunLogin::Step::kRecord:
      record(number, login);
      return review(number);
    case BegunLogin::Step::kOver:
      if (!login.recording) return forget(it);
      if (!slow_timer_.active()) slow_timer_.start(kQuietUs / kUsPerMs);
  }
}

void UnrecordedLogins::look_after() {
  std::vector<std::uint64_t> numbers;
  for (const auto& [number, login] : logins_) numbers.push_back(number);
  for (const std::uint64_t number : numbers) review(number);
}

// Processes that no event told of, or whose end was lost; and those that are to be killed, whatever they are
// a child of by now.
void UnrecordedLogins::scan() {
  if (scanning_) {
    slow_timer_.start(kQuietUs / kUsPerMs);
    return;
  }
  auto scan = std::make_shared<Scan>();
  scan->begun = mono_now();
  bool later = false;
  for (const auto& [number, login] : logins_) {
    const bool idle = login->recording && login->state.empty();
    if (!login->ends && !login->unsure && !idle) continue;
    later = true;
    if (!login->ends && scan->begun < std::max(login->last_event + kQuietUs, login->scanned + kScanUs))
      continue;
    scan->of.insert(number);
    if (login->ends) scan->kill.insert(number);
    login->scanned = scan->begun;
  }
  if (later) slow_timer_.start(kQuietUs / kUsPerMs);
  if (scan->of.empty()) return;
  scan->probe = probe_;
  const Status queued = run_work(
      loop_, [scan] { scan->run(); },
      [this, scan, alive = alive_] {
        if (!*alive) return;
        scanning_ = false;
        for (const std::uint64_t number : scan->of) {
          const auto it = logins_.find(number);
          if (it == logins_.end() || it->second->last_event >= scan->begun) continue;
          const std::set<std::int64_t>& living = scan->found[number];
          it->second->unsure = false;
          it->second->state.retain([&living](std::int64_t pid) { return living.count(pid) > 0; });
          if (living.empty() && it->second->recording) over(it);
        }
      });
  scanning_ = queued.ok();
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
  held_bytes_ -= login.state.held_bytes();
  const auto [events, missing] = login.state.held();
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
  if (missing > 0) login.recording->lost(missing, kMoreBefore);
  if (login.headless) login.recording->lost(0, kBegunBefore);
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
    if (!opened && tell_unrecorded)
      tell_unrecorded({"left", found.left_by->uid, found.left_by->user, found.left_by->client,
                       found.left_by->rule, "it could not be recorded: " + opened.error().message});
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
  if (!opened && tell_unrecorded)
    tell_unrecorded({"programs", found.first.uid, found.account.user, found.client.text, found.rule.name,
                     "it never passed opelog-shell, and could not be recorded: " + opened.error().message});
  if (found.rule.on_unrecorded != OnUnrecorded::kEnd) return;
  facts_({Level::kWarning,
          "session-kill",
          "the unrecorded login of " + found.account.user + " is ended by the policy",
          {{"user", found.account.user}, {"rule", found.rule.name}}});
  end(login);
}

void UnrecordedLogins::end(Login& login) {
  login.ends = true;
  login.reason = format::EndReason::kKilled;
  scan();
}

void UnrecordedLogins::forget(Logins::iterator login) {
  held_bytes_ -= login->second->state.held_bytes();
  if (login->second->found) {
    login->second->found->claimed = login->second->state.is_claimed();
    remember(login->first, login->second->found);
  }
  const auto share = of_user_.find(login->second->uid);
  if (share != of_user_.end() && --share->second == 0) of_user_.erase(share);
  logins_.erase(login);
}

void UnrecordedLogins::over(Logins::iterator login) {
  if (const auto& recording = login->second->recording) {
    source_.forget(login->first);
    format::EndInfo end;
    end.reason = stopped_ ? format::EndReason::kShutdown : login->second->reason;
    if (const auto& exit = login->second->state.end()) {
      end.exit_code = exit->exit_code;
      end.signal = exit->signal;
    }
    recorder_.close_exec_only(*recording, end);
  }
  forget(login);
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
    end(*login);
    return id;
  }
  return Error{Code::kNotFound, which + ": no such live session", 0};
}

void UnrecordedLogins::shutdown() {
  source_.drain();
  stopped_ = true;
  timer_.stop();
  slow_timer_.stop();
  // What is held of one that was still to be judged is not thrown away, if anything is known of it.
  for (const auto& [number, login] : logins_) {
    if (!login->recording && login->found && login->found->done && login->found->wanted &&
        login->state.has_reason())
      record(number, *login);
  }
  while (!logins_.empty()) over(logins_.begin());
}

bool UnrecordedLogins::started_by(std::int64_t pid) const {
  return std::any_of(logins_.begin(), logins_.end(), [pid](const auto& login) {
    const auto& first = login.second->first;
    return first && std::get<format::ExecInfo>(first->what).parent == pid;
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
