// Asks kernel and name service about the login behind a connection, and opens its terminal.
//
// Both may wait for as long as a directory server, or a user who keeps his terminal busy, likes: they run on
// a worker thread, and own all they touch. What the shim itself says is not asked for here, but for the claim
// of an address, which is used where the kernel knows none and called a claim.
#pragma once

#include <memory>

#include "core/fd_io.h"
#include "record/login_facts.h"
#include "record/outer_terminal_io.h"

namespace opelog::record {

/// Read once.
HostFacts read_host_facts();

/// Fills what is to be found.
void look_up(LoginLookup& lookup);

/// The terminal that came with a login. Even to close it may wait for its user: UserWork::drop().
struct LoginTerminal {
  // given:
  Fd given;  ///< invalid: a login without one, or whose stays the user's
  // found:
  std::unique_ptr<OuterTerminal> outer;  ///< opened, not taken
  Status opened;                         ///< an error: why `outer` is null
};
void open_terminal(LoginTerminal& terminal);

}  // namespace opelog::record
