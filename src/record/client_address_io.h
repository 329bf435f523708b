// Where a login came from: the address of the ssh client, found without believing the user.
//
// The nearest sshd above the login that runs as root holds the client's connection; the process below it that
// runs as the user holds it too, but also every forwarded connection, so it is never asked. In order: a copy
// of the connection taken from that process and asked for its peer; the kernel's socket table, found by
// inode; what SSH_CONNECTION claims, marked as claimed; nothing. docs/why/ and
// tests/record/client_address_io_test.cc show what real sshds hold.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/policy_decide.h"
#include "record/process_facts_io.h"

namespace opelog::record {

struct ClientAddress {
  std::string text;  ///< "192.0.2.7", "2001:db8::1", "fe80::1%eth0"; "" if there is none
  std::uint16_t port = 0;
  /// For the policy; IPv4 as v4-mapped v6. Not set where there is none or it is only claimed.
  std::optional<Address> bytes;
  bool claimed = false;  ///< from SSH_CONNECTION
};

/// Never fails: what cannot be found is absent. `claim` is SSH_CONNECTION as the shim sent it.
ClientAddress find_client_address(const ProcessFacts& facts, const std::string& claim);

}  // namespace opelog::record
