// The datagrams of the kernel's proc connector (netlink), as values.
//
// Pure. Bytes come from the kernel; what is malformed ends the decoding and is told, the events before it
// stand.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace opelog::record {

struct ConnectorEvent {
  enum class Kind { kFork, kExec, kExit };
  Kind kind = Kind::kFork;
  std::uint64_t time_ns = 0;  ///< CLOCK_MONOTONIC
  std::int64_t process = 0;   ///< of a fork: the new thread's process
  std::int64_t thread = 0;    ///< the same number unless it is a further thread
  std::int64_t parent = 0;    ///< of a fork, process
  std::uint32_t status = 0;   ///< of an exit, as wait(2) gives it
  bool operator==(const ConnectorEvent&) const = default;
};

struct ConnectorEvents {
  std::vector<ConnectorEvent> events;  ///< other kinds are left out
  bool malformed = false;
};

ConnectorEvents decode_connector(std::string_view datagram);

/// The datagram that asks for events.
std::string connector_request();

}  // namespace opelog::record
