// Asks kernel and name service about the login behind a connection.
//
// look_up() may wait for as long as a directory server likes: it runs on a worker thread, and owns all it
// touches. What the shim itself says is not asked for here, but for the claim of an address, which is used
// where the kernel knows none and called a claim.
#pragma once

#include "record/login_facts.h"

namespace opelog::record {

/// Read once.
HostFacts read_host_facts();

/// Fills what is to be found.
void look_up(LoginLookup& lookup);

}  // namespace opelog::record
