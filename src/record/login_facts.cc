#include "record/login_facts.h"

#include "record/proc_text.h"

namespace opelog::record {

const char* how_word(std::uint32_t how) noexcept {
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

namespace {

format::Kept kept_of(std::uint8_t stream) {
  switch (stream) {
    case OPELOG_STREAM_KEPT_TERMINAL:
      return format::Kept::kTerminal;
    case OPELOG_STREAM_KEPT_FILE:
      return format::Kept::kFile;
    case OPELOG_STREAM_KEPT_DEVICE:
      return format::Kept::kDevice;
    case OPELOG_STREAM_KEPT_OTHER:
      return format::Kept::kOther;
    default:
      return format::Kept::kNot;
  }
}

}  // namespace

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
  // One that stays the user's never comes to us: told is what the kernel calls his controlling terminal.
  if (hello.how == OPELOG_HOW_REC && hello.terminals != 0) info.tty = found.process.tty;
  info.command = hello.command;
  info.original = hello.original;
  for (std::size_t i = 0; i < info.kept.size(); ++i) info.kept[i] = kept_of(hello.streams[i]);
  return info;
}

std::string unrecorded_terminals(const format::SessionInfo& info) {
  std::string names;
  for (std::size_t i = 1; i < info.kept.size(); ++i) {
    if (info.kept[i] != format::Kept::kTerminal) continue;
    names += names.empty() ? "" : " and ";
    names += format::kStreamNames[i];
  }
  return names;
}

bool beside_a_terminal(const LoginLookup& found, const Hello& hello) {
  const auto& above = found.process.ancestor_exes;  // sshd, or the sh that it starts for rc
  return hello.terminals == 0 && !found.process.tty.empty() && !above.empty() &&
         (is_sshd(above[0]) || (above.size() > 1 && is_sshd(above[1])));
}

}  // namespace opelog::record
