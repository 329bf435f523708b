// The kernel's TCP tables, the claim in SSH_CONNECTION, and which of an sshd's sockets is the client's. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/policy_decide.h"

namespace opelog::record {

/// One TCP socket: a line of /proc/PID/net/tcp or tcp6.
struct TcpEntry {
  Address local{}, remote{};  ///< IPv4 as v4-mapped
  std::uint16_t local_port = 0, remote_port = 0;
  bool listening = false;
  bool connected = false;  ///< has or had a peer that can still be named
  std::uint64_t inode = 0;
};

/// nullopt for the heading and for anything that is not such a line. The family is told by the addresses'
/// length.
std::optional<TcpEntry> parse_tcp_line(std::string_view line);

/// A socket that an sshd holds.
struct HeldSocket {
  int fd = -1;             ///< its number there
  bool listening = false;  ///< else connected
  Address remote{};
  std::string interface;  ///< of a link-local address
  std::uint16_t local_port = 0, remote_port = 0;
};

/// The client's connection among the sockets of one sshd; nullptr if there is none. An sshd that logs in root
/// does the forwarding itself, so it may hold more: accepted ones (their local port is one it listens on) are
/// dropped, those on a port of the sshd above (`listener`) are preferred, then the oldest, which has the
/// lowest number.
const HeldSocket* choose_connection(const std::vector<HeldSocket>& held,
                                    const std::vector<HeldSocket>& listener);

struct ClaimedAddress {
  std::string text;
  std::uint16_t port = 0;
};

/// "192.0.2.7 50123 192.0.2.1 22": exactly that, or nullopt. The address comes back in its canonical form, so
/// that no byte of the claim goes anywhere; a zone is kept if it looks like an interface.
std::optional<ClaimedAddress> parse_ssh_connection(std::string_view claim);

}  // namespace opelog::record
