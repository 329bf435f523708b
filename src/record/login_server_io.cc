#include "record/login_server_io.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "core/clock_io.h"
#include "core/policy_decide.h"
#include "record/descriptor_packet_io.h"
#include "record/terminal_check_io.h"

namespace opelog::record {
namespace {

// Connections taken per turn of the loop; the rest stay in the kernel's backlog.
constexpr int kLoginsPerTurn = 16;
// The part of all pending logins that one uid may hold: others always find a place.
constexpr int kPendingShare = 4;
// Of what one uid has waiting on threads, for logins and for sessions. Each holds a descriptor or two, and is
// left behind by a login that was given up, or a session that has ended: only calls on terminals that
// somebody keeps waiting come near it.
constexpr std::size_t kMostWork = 512;
constexpr std::uint64_t kExpiryMs = 500;

constexpr const char* kUnsettled = "opelog: this login could not be settled and is refused; try again";

}  // namespace

struct LoginServer::Pending {
  std::uint64_t id = 0;
  Fd socket;
  std::unique_ptr<Poll> poll;
  std::uint32_t uid = 0;
  MonoUs deadline = 0;
  bool asked = false;     ///< the HELLO is here
  bool starting = false;  ///< its terminal is being taken: a session already, as the limits count
  Hello hello;
  Fd terminal;  ///< came with it, until it is looked up; else invalid
};

Result<std::unique_ptr<LoginServer>> LoginServer::open(Loop& loop, UserWork& work, Fd listener,
                                                       FactSink facts, Recorder& recorder) {
  std::unique_ptr<LoginServer> server(
      new LoginServer(loop, work, std::move(listener), std::move(facts), recorder));
  auto poll = Poll::open(loop, server->listener_.get(), [s = server.get()](int, int) { s->accept_some(); });
  if (!poll) return std::move(poll).error();
  server->poll_ = std::move(*poll);
  return server;
}

LoginServer::LoginServer(Loop& loop, UserWork& work, Fd listener, FactSink facts, Recorder& recorder)
    : loop_(loop),
      work_(work),
      listener_(std::move(listener)),
      facts_(std::move(facts)),
      recorder_(recorder),
      host_(read_host_facts()),
      expiry_(loop, [this] { expire(); }),
      packet_(std::make_unique<char[]>(OPELOG_MAX_FRAME + 1)) {}

// A login that is to be recorded, on its way from the decision to the verdict.
struct LoginServer::Start {
  std::shared_ptr<LoginLookup> found;
  Rule rule;
  std::string shell;
  StartedSession session;
  Status taken;
};

LoginServer::~LoginServer() {
  *alive_ = false;
}

void LoginServer::configure(LoginConfig config) {
  config_ = std::move(config);
  (void)poll_->watch(Poll::kReadable);
  expiry_.start(kExpiryMs, kExpiryMs);
}

void LoginServer::stop() {
  poll_.reset();
  listener_.reset();
  expiry_.stop();
  while (!pending_.empty()) drop(pending_.begin()->first);
}

void LoginServer::accept_some() {
  for (int i = 0; i < kLoginsPerTurn; ++i) {
    Fd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK)
        wait_for_resources(errno);
      else if (std::exchange(accepting_fails_, false))  // none waits any more
        state(Level::kWarning, "login-accept", "connections to the login socket are taken again");
      return;
    }
    ucred peer{};
    socklen_t length = sizeof peer;
    if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) continue;
    const int share = config_.policy.max_pending_logins / kPendingShare > 0
                          ? config_.policy.max_pending_logins / kPendingShare
                          : 1;
    const auto held = pending_by_uid_.find(peer.uid);
    if (pending() >= config_.policy.max_pending_logins ||
        (peer.uid != 0 && ((held != pending_by_uid_.end() && held->second >= share) ||
                           work_.count_of(peer.uid) + recorder_.calls_of(peer.uid) >= kMostWork))) {
      ++counts_.refused;
      ++busy_told_;  // stated once a turn of the expiry timer, not once a connection
      // A verdict, not silence: a shim that hears nothing takes the daemon for absent, and a user could bring
      // that about.
      Pending busy;
      busy.socket = std::move(socket);
      refuse(busy, "opelog: too many logins are waiting; try again in a moment", OPELOG_EXIT_REFUSED);
      put_away(peer.uid, std::move(busy.socket));
      continue;
    }
    const std::uint64_t id = next_id_++;
    auto pending = std::make_unique<Pending>();
    pending->id = id;
    pending->uid = peer.uid;
    pending->socket = std::move(socket);
    pending->deadline = mono_now() + config_.policy.login_timeout_ms * kUsPerMs;
    auto poll = Poll::open(loop_, pending->socket.get(), [this, id](int, int) { readable(id); });
    if (!poll) {
      ++counts_.failed;
      state(Level::kError, "login-failed", "a login was refused: " + poll.error().message);
      refuse(*pending, kUnsettled, OPELOG_EXIT_REFUSED);
      put_away(peer.uid, std::move(pending->socket));
      continue;
    }
    pending->poll = std::move(*poll);
    (void)pending->poll->watch(Poll::kReadable);
    ++pending_by_uid_[peer.uid];
    pending_.emplace(id, std::move(pending));
  }
}

// Out of descriptors or memory: the connection stays in the backlog and readiness stays with it. Wait for the
// next expiry turn instead of spinning.
void LoginServer::wait_for_resources(int error) {
  (void)poll_->watch(0);
  if (std::exchange(accepting_fails_, true)) return;
  facts_(
      {Level::kError,
       "login-accept",
       error_from_errno(error, "logins wait, their connection cannot be taken").message,
       {{"remedy", "raise the daemon's LimitNOFILE, or lower limits.max_sessions and max_pending_logins"}}});
}

void LoginServer::readable(std::uint64_t id) {
  auto it = pending_.find(id);
  if (it == pending_.end()) return;
  Pending& p = *it->second;
  std::vector<Fd> descriptors;
  bool cut = false;
  const ssize_t n = receive_packet(p.socket.get(), packet_.get(), OPELOG_MAX_FRAME + 1, descriptors, cut);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) return drop(id);  // gone before it said anything, or while we looked it up
  if (p.asked) return malformed(id, "spoke again before the verdict");
  if (cut || static_cast<std::size_t>(n) > OPELOG_MAX_FRAME)
    return malformed(id, "message or descriptors were cut off");
  auto hello = decode_hello(std::string_view(packet_.get(), static_cast<std::size_t>(n)), descriptors.size());
  if (!hello) return malformed(id, hello.error().message);
  p.hello = std::move(*hello);
  if (!descriptors.empty()) p.terminal = std::move(descriptors[0]);
  if (p.terminal && !may_be_terminal(p.terminal.get())) return malformed(id, "what it sent is no terminal");
  p.asked = true;
  look_up(id);
}

void LoginServer::look_up(std::uint64_t id) {
  Pending& p = *pending_.at(id);
  auto peer = peer_credentials(p.socket.get());
  if (!peer) return unsettled(id, peer.error());
  auto found = std::make_shared<LoginLookup>();
  found->peer = std::move(*peer);
  found->shim_path = config_.shim_path;
  found->claim = p.hello.claim;
  if (!asks_for_groups(config_.policy)) found->groups = Groups::kWithoutGroups;
  auto terminal = std::make_shared<LoginTerminal>();
  terminal->given = std::move(p.terminal);
  work_.run(
      p.uid,
      [found, terminal] {
        record::look_up(*found);
        open_terminal(*terminal);
      },
      [this, id, found, terminal, alive = alive_]() mutable {
        if (!*alive) return;
        decide(id, found, *terminal);
        // What no session has taken over.
        if (terminal->given || terminal->outer) work_.drop(found->peer.uid, std::move(terminal));
      });
}

void LoginServer::decide(std::uint64_t id, const std::shared_ptr<LoginLookup>& found,
                         LoginTerminal& terminal) {
  auto it = pending_.find(id);
  if (it == pending_.end()) return;
  Pending& p = *it->second;
  if (found->groups == Groups::kWithoutGroups && asks_for_groups(config_.policy)) {
    // Another policy came meanwhile.
    p.terminal = std::move(terminal.given);
    return look_up(id);
  }
  p.poll.reset();  // from here on the shim has nothing to say
  if (!found->status) return unsettled(id, found->status.error());
  AdmissionFacts facts = admission_facts(*found, p.hello);
  facts.nested = recorder_.covers(found->process.ancestry, found->process.ancestry_started);
  facts.sessions = recorder_.count();
  facts.sessions_of_user = recorder_.count_of(found->peer.uid);
  for (const auto& [other, login] : pending_) {
    if (!login->starting) continue;
    ++facts.sessions;
    if (login->uid == found->peer.uid) ++facts.sessions_of_user;
  }
  if (auto shell = config_.enrolled.find(found->account.user); shell != config_.enrolled.end())
    facts.enrolled_shell = shell->second;
  const Admission admission = admit(config_.policy, facts);

  if (p.hello.how == OPELOG_HOW_QUERY) {
    Verdict verdict;
    verdict.action = admission.action == OPELOG_REFUSE ? OPELOG_REFUSE : OPELOG_PASS;
    verdict.recorded = admission.query_recorded;
    verdict.shell = admission.shell;
    verdict.message = admission.message;
    (void)answer(p, verdict, {});
    return drop(id);
  }
  if (admission.unrecorded) {
    ++counts_.unrecorded;
    state(Level::kWarning, "login-unrecorded",
          "login of " + found->account.user + " passes unrecorded: " + admission_cause_word(admission.cause),
          found.get(), admission.rule.name);
    passes_unrecorded(*found, admission.rule.name, admission_cause_word(admission.cause));
  }
  switch (admission.action) {
    case OPELOG_REFUSE:
      ++counts_.refused;
      state(Level::kWarning, "login-refused",
            "login of " + found->account.user + " refused: " + admission.message, found.get(),
            admission.rule.name);
      if (admission.cause != AdmissionCause::kShim) claim(*found, BegunLogin::Claim::kRefused);
      refuse(p, admission.message, admission.exit_code);
      break;
    case OPELOG_PASS: {
      ++counts_.passed;
      state(Level::kDebug, "login-passed",
            "login of " + found->account.user + " passes: " + admission_cause_word(admission.cause),
            found.get(), admission.rule.name);
      claim(*found, BegunLogin::Claim::kPasses);
      Verdict verdict;
      verdict.action = OPELOG_PASS;
      verdict.shell = admission.shell;
      (void)answer(p, verdict, {});
      break;
    }
    default:
      return record(id, found, terminal, admission);
  }
  drop(id);
}

void LoginServer::record(std::uint64_t id, const std::shared_ptr<LoginLookup>& found, LoginTerminal& terminal,
                         const Admission& admission) {
  Pending& p = *pending_.at(id);
  if (beside_a_terminal(*found, p.hello)) {
    ++counts_.refused;
    state(Level::kWarning, "login-refused",
          "a command of " + found->account.user + " beside the terminal of his login (~/.ssh/rc) is not run",
          found.get(), admission.rule.name);
    claim(*found, BegunLogin::Claim::kRefused);
    refuse(p, "opelog: ~/.ssh/rc is not run where the login's terminal is recorded", OPELOG_EXIT_REFUSED);
    return drop(id);
  }
  auto start = std::make_shared<Start>();
  start->found = found;
  start->rule = admission.rule;
  start->shell = admission.shell;

  if (!terminal.opened) return not_started(id, *start, terminal.opened.error().message);

  // To revoke a terminal sends SIGHUP to its session's leader. If that is a shell that waits for the shim
  // (dash runs `-c` so), it would die and the login with it, without a word.
  if (terminal.outer && !found->process.leads_session)
    return not_started(id, *start,
                       "opelog-shell was not started in place of the shell that leads the terminal's "
                       "session; in sshd_config write: ForceCommand exec /usr/bin/opelog-shell --force");
  format::SessionInfo info = session_info(*found, p.hello, host_);
  info.policy_digest = config_.policy_digest;
  auto prepared = recorder_.prepare(admission, p.hello, terminal.outer, std::move(info));
  if (!prepared) return not_started(id, *start, prepared.error().message);
  start->session = std::move(*prepared);
  if (!start->session.parts.outer) return run(id, start);
  p.starting = true;
  work_.run(
      p.uid,
      [start, given = std::make_shared<Fd>(std::move(terminal.given))] {
        start->taken = take_terminal(start->session);
        given->reset();
      },
      [this, id, start, alive = alive_] {
        if (*alive) run(id, start);
      });
}

void LoginServer::passes_unrecorded(const LoginLookup& found, const std::string& rule,
                                    const std::string& why) const {
  if (tell_unrecorded)
    tell_unrecorded({"login", found.peer.uid, found.account.user, found.client.text, rule, why});
}

void LoginServer::not_started(std::uint64_t id, const Start& start, const std::string& why) {
  Pending& p = *pending_.at(id);
  const std::string login = "login of " + start.found->account.user;
  const bool passes = start.rule.on_start_failure == OnRefuse::kPass;
  claim(*start.found, passes ? BegunLogin::Claim::kPasses : BegunLogin::Claim::kRefused);
  if (passes) {
    ++counts_.unrecorded;
    state(Level::kError, "login-unrecorded", login + " passes unrecorded, it could not be recorded: " + why,
          start.found.get(), start.rule.name);
    passes_unrecorded(*start.found, start.rule.name, "it could not be recorded: " + why);
    Verdict verdict;
    verdict.action = OPELOG_PASS;
    verdict.message = "opelog: this login is NOT recorded, because its recording could not be started";
    verdict.shell = start.shell;
    (void)answer(p, verdict, {});
  } else {
    ++counts_.failed;
    state(Level::kError, "login-refused", login + " refused, it could not be recorded: " + why,
          start.found.get(), start.rule.name);
    refuse(p, "opelog: this login cannot be recorded and is refused; tell the administrator",
           OPELOG_EXIT_REFUSED);
  }
  drop(id);
}

// The session is whole: the verdict, and it runs. Its login may have been given up meanwhile.
void LoginServer::run(std::uint64_t id, const std::shared_ptr<Start>& start) {
  StartedSession& session = start->session;
  const LoginLookup& found = *start->found;
  auto it = pending_.find(id);
  if (it != pending_.end() && !start->taken) {
    recorder_.discard(session, format::EndReason::kFailure);
    return not_started(id, *start, start->taken.error().message);
  }
  if (it != pending_.end()) {
    recorder_.precede(session, claim(found, BegunLogin::Claim::kRecorded));
    recorder_.follow(session, found.peer.pidfd.get());
  }
  if (it == pending_.end() || !answer(*it->second, session.verdict, session.descriptors)) {
    recorder_.discard(session, format::EndReason::kShim);
    ++counts_.failed;
    state(Level::kWarning, "login-failed",
          "login of " + found.account.user + " was gone before its verdict; its recording holds nothing",
          &found, start->rule.name);
    if (it != pending_.end()) drop(id);
    return;
  }
  session.descriptors.clear();  // while the session has them too: no last close here
  ++counts_.recorded;
  if (const std::string outputs = unrecorded_terminals(session.parts.info); !outputs.empty()) {
    facts_({Level::kWarning,
            "output-unrecorded",
            outputs + " of a session of " + found.account.user +
                ": a terminal that was left to the shell; what shows there is not recorded",
            {{"session", session.parts.info.id},
             {"user", found.account.user},
             {"recording", session.parts.writer->name()},
             {"rule", start->rule.name}}});
  }
  session.parts.shim = std::move(it->second->socket);
  session.parts.shim_pidfd = std::move(start->found->peer.pidfd);
  session.parts.shim_started = found.process.started;
  session.parts.ancestry_started = found.process.ancestry_started;
  drop(id);
  if (auto running = recorder_.run(std::move(session.parts)); !running) {
    state(Level::kError, "login-failed",
          "session of " + found.account.user + " could not start: " + running.error().message, &found,
          start->rule.name);
  }
}

HeldEvents LoginServer::claim(const LoginLookup& found, BegunLogin::Claim claim) {
  if (claims_ == nullptr) return {};
  return claims_->claimed(found.peer.pidfd.get(), found.peer.pid, found.peer.uid, claim);
}

void LoginServer::refuse(Pending& p, const std::string& message, int exit_code) {
  Verdict verdict;
  verdict.action = OPELOG_REFUSE;
  verdict.message = message;
  verdict.exit_code = static_cast<std::uint32_t>(exit_code);
  (void)answer(p, verdict, {});
}

bool LoginServer::answer(Pending& p, const Verdict& verdict, const std::vector<Fd>& descriptors) {
  return send_packet(p.socket.get(), encode_verdict(verdict), descriptors);
}

void LoginServer::drop(std::uint64_t id) {
  auto it = pending_.find(id);
  if (it == pending_.end()) return;
  auto uid = pending_by_uid_.find(it->second->uid);
  if (uid != pending_by_uid_.end() && --uid->second <= 0) pending_by_uid_.erase(uid);
  work_.close(it->second->uid, std::move(it->second->terminal));
  it->second->poll.reset();
  if (!it->second->asked) put_away(it->second->uid, std::move(it->second->socket));
  pending_.erase(it);
}

// A HELLO that nobody has read holds a terminal, and its shim may be dead: to close that is what may wait.
void LoginServer::put_away(std::uint32_t uid, Fd socket) {
  ::shutdown(socket.get(), SHUT_RD);  // none comes any more
  char first = 0;
  if (::recv(socket.get(), &first, 1, MSG_PEEK | MSG_DONTWAIT) > 0) work_.close(uid, std::move(socket));
}

// A verdict, never silence: a shim that hears nothing takes the daemon for absent, and the policy may let it
// pass.
void LoginServer::unsettled(std::uint64_t id, const Error& why) {
  Pending& p = *pending_.at(id);
  ++counts_.failed;
  // A process that has ended asks for nothing any more: no reason for an alarm.
  state(why.code == Code::kGone ? Level::kInfo : Level::kError, "login-failed",
        "login of uid " + std::to_string(p.uid) + " refused: " + why.message);
  refuse(p, "opelog: this login is refused: " + why.message, OPELOG_EXIT_REFUSED);
  drop(id);
}

void LoginServer::malformed(std::uint64_t id, const std::string& what) {
  ++counts_.failed;
  const std::uint32_t uid = pending_.at(id)->uid;
  facts_({Level::kWarning,
          "login-malformed",
          "a shim sent what is no login: " + what,
          {{"uid", std::to_string(uid)}}});
  refuse(*pending_.at(id), kUnsettled, OPELOG_EXIT_REFUSED);
  drop(id);
}

void LoginServer::expire() {
  const MonoUs now = mono_now();
  (void)poll_->watch(Poll::kReadable);
  if (accepting_fails_) accept_some();  // none may be waiting any more, and then no readiness says so
  for (auto it = pending_.begin(); it != pending_.end();) {
    const std::uint64_t id = it->first;
    const bool late = it->second->deadline <= now;
    ++it;
    if (!late) continue;
    ++counts_.failed;
    state(Level::kWarning, "login-timeout", "a login was not settled in time and is refused");
    refuse(*pending_.at(id), "opelog: this login could not be settled in time and is refused; try again",
           OPELOG_EXIT_REFUSED);
    drop(id);
  }
  if (busy_told_ > 0) {
    facts_({Level::kWarning,
            "login-busy",
            "logins refused because too many are waiting for their verdict",
            {{"count", std::to_string(busy_told_)}}});
    busy_told_ = 0;
  }
}

void LoginServer::state(Level level, const char* event, const std::string& text, const LoginLookup* found,
                        const std::string& rule) {
  Fact fact{level, event, text, {}};
  if (found != nullptr) {
    fact.fields = {{"user", found->account.user},
                   {"uid", std::to_string(found->peer.uid)},
                   {"client", found->client.text.empty() ? "UNKNOWN" : found->client.text}};
    if (!rule.empty()) fact.fields.emplace_back("rule", rule);
  }
  facts_(fact);
}

std::string LoginServer::describe() const {
  std::string text =
      "login-server pending=" + std::to_string(pending_.size()) +
      " recorded=" + std::to_string(counts_.recorded) + " passed=" + std::to_string(counts_.passed) +
      " refused=" + std::to_string(counts_.refused) + " failed=" + std::to_string(counts_.failed) +
      " unrecorded=" + std::to_string(counts_.unrecorded) + "\n";
  for (const auto& [id, p] : pending_) {
    text += "pending " + std::to_string(id) + " uid=" + std::to_string(p->uid) +
            (p->asked ? " asked\n" : " silent\n");
  }
  return text;
}

}  // namespace opelog::record
