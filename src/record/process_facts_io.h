// Everything the kernel knows about the process behind a login connection.
//
// Nothing here is asked of the peer: credentials come from the socket, the rest from /proc. A pid alone
// proves nothing (it may be another process by now), so every directory of /proc is opened once and read
// through that descriptor, which dies with its process; the parent is proved by the child still naming it
// afterwards, the peer itself by its pidfd. Only files of /proc are read that no process can make slow
// (never cmdline or environ, which wait for the owner's memory lock; no path of a user is walked).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "core/fd_io.h"
#include "core/result.h"
#include "format/session_info.h"

namespace opelog::record {

/// How many processes above a login are looked at: real chains have 3 to 10; the rest is not reported, and
/// ProcessFacts::ancestry_cut says so.
constexpr std::size_t kMaxAncestors = 64;

struct PeerCredentials {
  pid_t pid = 0;
  uid_t uid = 0;  ///< effective, when it connected
  gid_t gid = 0;
  Fd pidfd;  ///< of exactly that process
};

/// Who is at the other end of a connected unix socket. Code::kGone if that process has ended.
Result<PeerCredentials> peer_credentials(int socket);

/// Whether the process still runs (not even a zombie).
bool still_running(const PeerCredentials& peer) noexcept;

/// Whether the peer is our shim and nobody's puppet.
struct ShimProof {
  bool proven = false;
  std::string reason;  ///< one sentence when not
};

struct ProcessFacts {
  std::string exe;            ///< of the peer
  std::uint64_t started = 0;  ///< of the peer, clock ticks after boot
  uid_t real_uid = 0;
  std::vector<format::Ancestor> ancestry;       ///< nearest first, from the peer's parent up to pid 1
  std::vector<std::uint64_t> ancestry_started;  ///< clock ticks after boot, one for each
  /// For the policy, one for each: the path, or "" where it cannot be believed: in a mount namespace of his
  /// own a user gives any file any path.
  std::vector<std::string> ancestor_exes;
  bool ancestry_cut = false;                 ///< there are more than kMaxAncestors
  std::uint32_t loginuid = 0xffffffff;       ///< -1 unset
  std::uint32_t audit_session = 0xffffffff;  ///< -1 unset
  std::string tty;                           ///< controlling terminal, "" if none
  bool leads_session = false;                ///< nobody else gets the SIGHUP when its terminal is revoked
  bool traced = false;
  ShimProof shim;
};

/// Reads it all. `shim_path` is the installed opelog-shell. Code::kGone when the peer ended meanwhile.
Result<ProcessFacts> read_process_facts(const PeerCredentials& peer, const std::string& shim_path);

/// The same of a process as if a login had been started by it, for connections that start none: `login` holds
/// its program, start and uid, and an ancestry that begins with the process itself. Nothing is known of a
/// shim.
struct ServingProcess {
  ProcessFacts login;
  std::int64_t parent = 0;
};
Result<ServingProcess> read_serving_process(std::int64_t pid);

/// Of the process that had that pid and started then (clock ticks after boot); invalid if it has ended.
Fd open_process(std::int64_t pid, std::uint64_t started);

}  // namespace opelog::record
