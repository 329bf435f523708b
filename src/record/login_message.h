// The daemon's half of the login protocol: bytes of a packet to values, values to bytes. Pure.
//
// Not here: sockets, descriptors (login_server_io.h), any belief in what is said: every field is a claim of
// the user's side. What obeys login_protocol.h exactly is accepted, everything else is Code::kInvalid with
// what is wrong and never an assertion. docs/formats/login-protocol.md is the reference; shim/frames.h the
// other half.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"
#include "record/login_protocol.h"

namespace opelog::record {

struct Hello {
  std::uint32_t how = 0;                ///< enum opelog_how
  std::optional<std::string> command;   ///< what the real shell was asked to run; for FORCE the original
  std::optional<std::string> original;  ///< SSH_ORIGINAL_COMMAND; cut by the shim if the packet was full
  std::string term;                     ///< printable ASCII, may be empty
  std::string claim;                    ///< SSH_CONNECTION: printable ASCII, may be empty
  unsigned rows = 0, cols = 0;
  unsigned terminals = 0;                 ///< bit N: descriptor N is the login's terminal; 0: there is none
  std::array<std::uint8_t, 3> streams{};  ///< enum opelog_stream of 0, 1, 2; none for the terminal and QUERY
  bool operator==(const Hello&) const = default;
};

/// `descriptors`: how many came with the packet: the terminal if there is one that is to be taken.
Result<Hello> decode_hello(std::string_view packet, std::size_t descriptors);

/// What a shim or waiter says after the verdict: STARTED, RESIZED or ENDED.
struct ClientFrame {
  std::uint32_t type = 0;  ///< OPELOG_STARTED, OPELOG_RESIZED, OPELOG_ENDED
  std::int32_t pid = 0;    ///< STARTED: > 1
  bool exited = false;     ///< ENDED: by itself, `status` is its code 0..255; else a signal 1..64
  std::int32_t status = 0;
  unsigned rows = 0, cols = 0, width = 0, height = 0;  ///< RESIZED: each at most 65535; pixels
  bool operator==(const ClientFrame&) const = default;
};

Result<ClientFrame> decode_client_frame(std::string_view packet);

struct Verdict {
  std::uint32_t action = OPELOG_REFUSE;
  std::uint32_t exit_code = 0;  ///< REFUSE: 1..255; 0 lets the shim choose OPELOG_EXIT_REFUSED
  std::uint32_t replace = 0;    ///< RECORD_TERMINAL: bits of 0, 1, 2 that become the inner terminal
  bool recorded = false;        ///< answer to QUERY
  std::string shell;            ///< absolute path; empty with REFUSE
  std::string message;  ///< PASS: shown on stderr. RECORD_TERMINAL: on the inner terminal. REFUSE: the reason
  std::string session;  ///< id, printable ASCII
};

/// What exceeds a bound of the protocol is cut (message at a UTF-8 character; NULs become blanks): the shim
/// would take the packet for the work of a broken daemon and the login would depend on the fallback.
std::string encode_verdict(const Verdict& verdict);

std::string encode_done();

}  // namespace opelog::record
