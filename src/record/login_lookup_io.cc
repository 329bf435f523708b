#include "record/login_lookup_io.h"

#include <unistd.h>

#include "record/proc_text.h"

namespace opelog::record {
namespace {

const char* how_word(std::uint32_t how) {
  switch (how) {
    case OPELOG_HOW_LOGIN:
      return "login";
    case OPELOG_HOW_COMMAND:
      return "command";
    case OPELOG_HOW_FORCE:
      return "force";
    case OPELOG_HOW_HOOK:
      return "hook";
    case OPELOG_HOW_REC:
      return "rec";
    default:
      return "query";
  }
}

std::string first_line(const std::string& path) {
  auto text = read_file(path, 4096);
  if (!text) return "";
  return text->substr(0, text->find('\n'));
}

}  // namespace

HostFacts read_host_facts() {
  HostFacts facts;
  char name[256] = {};
  if (::gethostname(name, sizeof name - 1) == 0) facts.host = name;
  facts.host_id = first_line("/etc/machine-id");
  facts.boot_id = first_line("/proc/sys/kernel/random/boot_id");
  return facts;
}

void look_up(LoginLookup& lookup) {
  auto process = read_process_facts(lookup.peer, lookup.shim_path);
  if (!process) {
    lookup.status = std::move(process).error();
    return;
  }
  lookup.process = std::move(*process);
  lookup.client = find_client_address(lookup.process, lookup.claim);
  // The real uid: the shim is setgid only, so both are the user's.
  auto account = lookup_account(lookup.peer.uid, lookup.groups);
  if (!account) {
    lookup.status = std::move(account).error();
    return;
  }
  lookup.account = std::move(*account);
  if (!lookup.terminal) return;
  auto outer = OuterTerminal::open(lookup.terminal.get(), lookup.borrowed);
  if (outer)
    lookup.outer = std::move(*outer);
  else
    lookup.unopened = std::move(outer).error();
}

AdmissionFacts admission_facts(const LoginLookup& found, const Hello& hello) {
  AdmissionFacts facts;
  facts.how = static_cast<opelog_how>(hello.how);
  facts.login.uid = found.peer.uid;
  facts.login.user = found.account.user;
  facts.login.groups = found.account.groups;
  facts.login.ancestor_exes = found.process.ancestor_exes;
  facts.login.client = found.client.bytes;
  for (std::size_t i = 0; i < found.process.ancestry.size(); ++i) {
    if (found.process.ancestry[i].pid == 1) facts.login.init_at = static_cast<int>(i);
  }
  facts.login.terminal = hello.how == OPELOG_HOW_QUERY || hello.terminals != 0;
  facts.shim_proven = found.process.shim.proven;
  facts.shim_reason = found.process.shim.reason;
  facts.passwd_shell = found.account.shell;
  facts.shim_path = found.shim_path;
  return facts;
}

format::SessionInfo session_info(const LoginLookup& found, const Hello& hello, const HostFacts& host) {
  format::SessionInfo info;
  info.host = host.host;
  info.host_id = host.host_id;
  info.boot_id = host.boot_id;
  info.user = found.account.user;
  info.uid = found.peer.uid;
  info.gid = found.account.gid;
  info.loginuid = found.process.loginuid;
  info.audit_session = found.process.audit_session;
  info.shim_pid = found.peer.pid;
  info.client = found.client.text;
  info.client_port = found.client.port;
  info.client_claimed = found.client.claimed;
  info.ancestry = found.process.ancestry;
  info.how = how_word(hello.how);
  info.command = hello.command;
  info.original = hello.original;
  return info;
}

bool beside_a_terminal(const LoginLookup& found, const Hello& hello) {
  const auto& above = found.process.ancestor_exes;  // sshd, or the sh that it starts for rc
  return hello.terminals == 0 && !found.process.tty.empty() && !above.empty() &&
         (is_sshd(above[0]) || (above.size() > 1 && is_sshd(above[1])));
}

}  // namespace opelog::record
