// ConnectionWatch: ssh connections of targets that carry no session.
//
// sshd starts no shell for `ssh -N` (forwarding only) and for `Subsystem sftp internal-sftp`, so no shim
// speaks for them: what passes there cannot be recorded, but it must not be silent. Pure: each look at the
// host is given to step(), which names what has to be stated, once for each connection. A connection is
// stated when it was there at two looks and no session came meanwhile, so that a login on its way is not
// called unrecorded.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace opelog::record {

/// A process of sshd's at which logins begin: it listens, or serves a connection.
struct LoginServerProcess {
  std::int64_t pid = 0;
  std::uint64_t started = 0;  ///< clock ticks after boot
};

/// One authenticated ssh connection: the process of sshd that serves the user.
struct Connection {
  std::int64_t pid = 0;
  std::uint64_t started = 0;  ///< clock ticks after boot; with the pid it names one process for ever
  std::uint32_t uid = 0;
  std::string user;
  std::string client;    ///< "" unknown
  std::string rule;      ///< that a login over it would meet
  bool wanted = false;   ///< the policy would record or refuse such a login
  bool carries = false;  ///< a live session descends from it
};

class ConnectionWatch {
 public:
  /// All connections there are now; those to be stated, in their order.
  std::vector<Connection> step(const std::vector<Connection>& now);

  /// Of those at the last look, the stated ones.
  [[nodiscard]] std::size_t unrecorded() const noexcept;

 private:
  enum class Seen { kOnce, kStated, kCarried };
  std::map<std::pair<std::int64_t, std::uint64_t>, Seen> seen_;
};

}  // namespace opelog::record
