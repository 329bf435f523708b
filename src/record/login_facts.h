// What was found out about a login, and what follows from it for the policy and for the recording's header.
//
// Pure: values in, values out. The structures of the `_io` headers are used as values alone; who fills them
// is login_lookup_io.h. What the shim itself says (Hello) is a claim: it chooses how the login is recorded
// and is quoted in the header, and is never believed about who or where from.
#pragma once

#include <string>

#include "core/result.h"
#include "format/session_info.h"
#include "record/account_io.h"
#include "record/admission.h"
#include "record/client_address_io.h"
#include "record/login_message.h"
#include "record/process_facts_io.h"

namespace opelog::record {

/// The host's own identity.
struct HostFacts {
  std::string host, host_id, boot_id;
};

/// What kernel and name service know of the login behind a connection.
struct LoginLookup {
  // given:
  PeerCredentials peer;
  std::string shim_path, claim;
  Groups groups = Groups::kWithGroups;
  // found:
  Status status;  ///< an error: nothing below counts
  ProcessFacts process;
  ClientAddress client;
  Account account;
};

/// What the policy decides by; sessions, nesting and the enrolled shell are the caller's to add.
AdmissionFacts admission_facts(const LoginLookup& found, const Hello& hello);

/// What a recording's header says of the login.
format::SessionInfo session_info(const LoginLookup& found, const Hello& hello, const HostFacts& host);

/// Whether the login is a command that sshd runs while the terminal is its user's still (`~/.ssh/rc`): what
/// that starts there would be shown and not recorded.
bool beside_a_terminal(const LoginLookup& found, const Hello& hello);

/// Which outputs go to a terminal without passing the record, as the shim says: "stdout and stderr"; "" for
/// none.
std::string unrecorded_terminals(const format::SessionInfo& info);

/// enum opelog_how as the recording has it: "login", "command", …
const char* how_word(std::uint32_t how) noexcept;

}  // namespace opelog::record
