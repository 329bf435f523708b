// A listening SOCK_SEQPACKET unix socket at a path, for the login and the control socket.
//
// Takes the place of a socket that a dead daemon left behind, never of a living one and never of anything
// that is not a socket.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "core/fd_io.h"
#include "core/result.h"

namespace opelog::record {

struct ListenerOptions {
  std::string path;
  unsigned mode = 0660;
  std::optional<gid_t> group = std::nullopt;  ///< owner is root, or who runs this
  int backlog = 128;        ///< connections that wait for accept(2); further ones wait in connect(2)
  bool descriptors = true;  ///< false: refuse_descriptors() from before the first connection on
};

/// Non-blocking. The path belongs to the caller, who may unlink it.
/// Code::kExists when somebody answers there, or when it is not a socket.
Result<Fd> listen_seqpacket(const ListenerOptions& options);

/// Nobody can send descriptors to this unix socket from now on (EPERM), nor to what connects to it, if it
/// listens: nothing of another's is ever ours to close, and a close can be made to wait. Connections that are
/// there already need it themselves. Without effect before Linux 6.16 (SO_PASSRIGHTS).
void refuse_descriptors(int socket) noexcept;

}  // namespace opelog::record
