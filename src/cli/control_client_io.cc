#include "cli/control_client_io.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "cli/control_answer.h"

namespace opelog::cli {

Result<ControlClient> ControlClient::connect(const std::string& socket, std::chrono::milliseconds patience) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket.empty() || socket.size() >= sizeof address.sun_path) {
    return Error{Code::kInvalid, "--control " + socket + ": a socket's path has 1 to 107 bytes", 0};
  }
  std::memcpy(address.sun_path, socket.data(), socket.size());
  Fd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!fd) return error_from_errno(errno, "socket");
  const timeval limit{patience.count() / 1000, patience.count() % 1000 * 1000};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const int error = errno;
    if (error == EACCES || error == EPERM) {
      return Error{Code::kDenied, socket + ": only root and the group opelog-audit may ask the daemon",
                   error};
    }
    return Error{
        Code::kGone,
        "the daemon does not answer at " + socket + ": " + error_from_errno(error, "connect").message +
            "; start it with `systemctl start opelogd`, `opelog doctor` finds out why it is not running",
        error};
  }
  return ControlClient(std::move(fd), socket, patience);
}

Result<std::string> ControlClient::receive() {
  std::string packet(kMaxAnswer + 1, '\0');
  for (;;) {
    const ssize_t n = ::recv(fd_.get(), packet.data(), packet.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      const auto ms = patience_.count();
      const std::string length =
          ms % 1000 == 0 ? std::to_string(ms / 1000) + " s" : std::to_string(ms) + " ms";
      return Error{Code::kGone,
                   "the daemon has been silent for " + length + " at " + path_ +
                       "; it hangs or does not run: `systemctl status opelogd`, `opelog policy check`",
                   errno};
    }
    if (n < 0) return Error{Code::kGone, error_from_errno(errno, path_).message, errno};
    if (n == 0) return Error{Code::kGone, "the daemon closed the connection at " + path_, 0};
    if (static_cast<std::size_t>(n) > kMaxAnswer)
      return Error{Code::kInvalid, "the daemon's answer is longer than the protocol allows", 0};
    packet.resize(static_cast<std::size_t>(n));
    return packet;
  }
}

Result<std::vector<format::JsonValue>> ControlClient::ask(const std::string& request) {
  ssize_t sent;
  do {
    sent = ::send(fd_.get(), request.data(), request.size(), MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  // A daemon that refuses the connection says why and closes it, perhaps before we could speak: listen in any
  // case.
  const int send_error = sent < 0 ? errno : 0;
  std::vector<format::JsonValue> packets;
  while (packets.size() < kMaxPackets) {
    const auto packet = receive();
    if (!packet)
      return send_error != 0 ? Error{Code::kGone, error_from_errno(send_error, path_).message, send_error}
                             : packet.error();
    auto answer = parse_answer(*packet);
    if (!answer) return std::move(answer).error();
    const bool more = answer->boolean_or("more", false);
    packets.push_back(std::move(*answer));
    if (!more) return packets;
  }
  return Error{Code::kLimit, "the daemon's answer has more than " + std::to_string(kMaxPackets) + " packets",
               0};
}

}  // namespace opelog::cli
