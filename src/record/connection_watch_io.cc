#include "record/connection_watch_io.h"

#include <dirent.h>

#include <map>
#include <set>

#include "core/policy_decide.h"
#include "record/account_io.h"
#include "record/client_address_io.h"
#include "record/proc_text.h"
#include "record/process_facts_io.h"

namespace opelog::record {
namespace {

// sshd's own, which serves a connection until it is authenticated.
constexpr const char* kPrivilegeSeparationUser = "sshd";

// Numbers of all processes whose name may be sshd's. The name is no proof, and need not be: a user runs no
// code of his own in the process that serves him, and what follows looks at the program.
std::vector<std::int64_t> candidates() {
  std::vector<std::int64_t> pids;
  DIR* proc = ::opendir("/proc");
  if (proc == nullptr) return pids;
  while (const dirent* entry = ::readdir(proc)) {
    const std::string name = entry->d_name;
    if (name.empty() || name.find_first_not_of("0123456789") != std::string::npos) continue;
    auto comm = read_file("/proc/" + name + "/comm", 64);
    if (!comm || comm->rfind("sshd", 0) != 0) continue;
    if (auto pid = parse_proc_number(name)) pids.push_back(*pid);
  }
  ::closedir(proc);
  return pids;
}

}  // namespace

SshLook look_at_ssh(const Policy& policy) {
  std::map<std::int64_t, ServingProcess> sshds;
  for (const std::int64_t pid : candidates()) {
    auto serving = read_serving_process(pid);
    if (serving && is_sshd(serving->login.exe)) sshds.emplace(pid, std::move(*serving));
  }
  // listener (root) -> monitor (root) -> serving process (the user) -> internal-sftp (the user), each an
  // sshd. For root's own logins one process is monitor and server; before authentication the monitor has one
  // of sshd's own user below it.
  const auto sshd_above = [&sshds](const ServingProcess& process) -> const ServingProcess* {
    const auto above = sshds.find(process.parent);
    return above != sshds.end() ? &above->second : nullptr;
  };
  std::set<std::int64_t> monitors, servers;
  for (const auto& [pid, process] : sshds) {
    const ServingProcess* above = sshd_above(process);
    if (process.login.real_uid != 0 && above != nullptr && above->login.real_uid == 0)
      monitors.insert(process.parent);
  }
  for (const auto& [pid, process] : sshds) {
    const ServingProcess* above = sshd_above(process);
    if (above == nullptr || above->login.real_uid != 0 || monitors.count(pid) > 0) continue;
    if (process.login.real_uid != 0 || sshd_above(*above) == nullptr) servers.insert(pid);
  }
  // What an sshd below a server does is no session, whatever else the connection carries: it stands for
  // itself.
  std::set<std::int64_t> connections = servers;
  for (const auto& [pid, process] : sshds) {
    if (servers.count(process.parent) == 0) continue;
    connections.erase(process.parent);
    connections.insert(pid);
  }

  SshLook found;
  for (const auto& [pid, process] : sshds) {
    // A user's own sshd is none that logs anybody in.
    if (process.login.real_uid == 0 || servers.count(pid) > 0)
      found.servers.push_back({pid, process.login.started});
  }
  for (const std::int64_t pid : connections) {
    const ServingProcess& serving = sshds.at(pid);
    auto account = lookup_account(serving.login.real_uid,
                                  asks_for_groups(policy) ? Groups::kWithGroups : Groups::kWithoutGroups);
    if (!account || account->user == kPrivilegeSeparationUser) continue;
    const ClientAddress client = find_client_address(serving.login, "");
    LoginFacts facts;
    facts.uid = serving.login.real_uid;
    facts.user = account->user;
    facts.groups = account->groups;
    facts.ancestor_exes = serving.login.ancestor_exes;
    facts.client = client.bytes;
    // A rule may ask for a terminal or for none; who has no session has neither.
    const Rule* rule = nullptr;
    for (const bool terminal : {true, false}) {
      facts.terminal = terminal;
      const Decision decision = decide(policy, facts);
      if (decision.action != Action::kPass) rule = decision.rule;
    }

    Connection connection;
    connection.pid = pid;
    connection.started = serving.login.started;
    connection.uid = facts.uid;
    connection.user = facts.user;
    connection.client = client.text;
    connection.rule = rule != nullptr ? rule->name : std::string();
    connection.wanted = rule != nullptr;
    found.connections.push_back(std::move(connection));
  }
  return found;
}

ConnectionWatcher::ConnectionWatcher(Loop& loop, FactSink facts, Carries carries, Servers servers)
    : loop_(loop),
      facts_(std::move(facts)),
      carries_(std::move(carries)),
      servers_(std::move(servers)),
      timer_(loop, [this] { look(); }) {}

ConnectionWatcher::~ConnectionWatcher() {
  *alive_ = false;
}

void ConnectionWatcher::configure(const Policy& policy) {
  policy_ = std::make_shared<const Policy>(policy);
  timer_.stop();
  if (policy.unrecorded_scan_ms <= 0) return;
  const auto every = static_cast<std::uint64_t>(policy.unrecorded_scan_ms);
  timer_.start(0, every);  // at once: what logs in from now on is to be seen
}

void ConnectionWatcher::look() {
  if (looking_) return;
  auto found = std::make_shared<SshLook>();
  auto queued = run_work(
      loop_, [found, policy = policy_] { *found = look_at_ssh(*policy); },
      [this, found, alive = alive_] {
        if (!*alive) return;
        looking_ = false;
        if (servers_) servers_(found->servers);
        for (Connection& c : found->connections) c.carries = carries_(c);
        for (const Connection& c : watch_.step(found->connections)) {
          ++stated_;
          facts_({Level::kWarning,
                  "connection-unrecorded",
                  "an ssh connection of " + c.user +
                      " carries no session (ssh -N, sshd's internal-sftp, or a hook that was not reached): "
                      "it is not recorded",
                  {{"user", c.user},
                   {"uid", std::to_string(c.uid)},
                   {"client", c.client.empty() ? "UNKNOWN" : c.client},
                   {"rule", c.rule},
                   {"pid", std::to_string(c.pid)}}});
          if (tell_unrecorded)
            tell_unrecorded(
                {"connection", c.uid, c.user, c.client, c.rule, "an ssh connection without a session"});
        }
      });
  looking_ = queued.ok();
}

}  // namespace opelog::record
