// What kernel and name service know of the login behind a connection, and its terminal.
//
// look_up() may wait for as long as a directory server, or a user who keeps his terminal busy, likes: it runs
// on a worker thread, and owns all it touches. What the shim itself says is not asked for here, but for the
// claim of an address, which is used where the kernel knows none and called a claim.
#pragma once

#include <memory>
#include <string>

#include "core/fd_io.h"
#include "core/result.h"
#include "format/session_info.h"
#include "record/account_io.h"
#include "record/admission.h"
#include "record/client_address_io.h"
#include "record/login_message.h"
#include "record/outer_terminal_io.h"
#include "record/process_facts_io.h"

namespace opelog::record {

/// The host's own identity; read once.
struct HostFacts {
  std::string host, host_id, boot_id;
};
HostFacts read_host_facts();

struct LoginLookup {
  // given:
  PeerCredentials peer;
  std::string shim_path, claim;
  Groups groups = Groups::kWithGroups;
  Fd terminal;            ///< came with the HELLO; invalid: a login without one
  bool borrowed = false;  ///< of the terminal, see OuterTerminal
  // found:
  Status status;  ///< an error: nothing below counts
  ProcessFacts process;
  ClientAddress client;
  Account account;
  std::unique_ptr<OuterTerminal> outer;  ///< opened, not taken; null: see `unopened`
  Status unopened;                       ///< why the terminal could not be opened; no reason not to decide
};
void look_up(LoginLookup& lookup);

/// What the policy decides by; sessions, nesting and the enrolled shell are the caller's to add.
AdmissionFacts admission_facts(const LoginLookup& found, const Hello& hello);

/// What a recording's header says of the login.
format::SessionInfo session_info(const LoginLookup& found, const Hello& hello, const HostFacts& host);

/// Whether the login is a command that sshd runs while the terminal is its user's still (`~/.ssh/rc`): what
/// that starts there would be shown and not recorded.
bool beside_a_terminal(const LoginLookup& found, const Hello& hello);

}  // namespace opelog::record
