#include "record/seqpacket_listener_io.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83  // newer than Debian's headers
#endif

namespace opelog::record {
namespace {

Result<sockaddr_un> unix_name(const std::string& path) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof name.sun_path) {
    return Error{Code::kInvalid,
                 path + ": a socket's path has 1 to " + std::to_string(sizeof name.sun_path - 1) + " bytes",
                 0};
  }
  std::memcpy(name.sun_path, path.c_str(), path.size() + 1);
  return name;
}

Result<Fd> new_socket() {
  Fd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return error_from_errno(errno, "create a socket");
  return fd;
}

Status remove_stale(const std::string& path, const sockaddr_un& name) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0) {
    if (errno == ENOENT) return {};
    return error_from_errno(errno, path);
  }
  if (!S_ISSOCK(found.st_mode)) {
    return Error{Code::kExists, path + ": exists and is not a socket; remove it or configure another path",
                 0};
  }
  auto probe = new_socket();
  if (!probe) return std::move(probe).error();
  if (::connect(probe->get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0 ||
      errno != ECONNREFUSED) {
    return Error{Code::kExists, path + ": somebody answers there; is another opelogd running?", 0};
  }
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return error_from_errno(errno, path);
  return {};
}

}  // namespace

void refuse_descriptors(int socket) noexcept {
  const int pass = 0;
  (void)::setsockopt(socket, SOL_SOCKET, SO_PASSRIGHTS, &pass, sizeof pass);
}

Result<Fd> listen_seqpacket(const ListenerOptions& options) {
  auto name = unix_name(options.path);
  if (!name) return std::move(name).error();
  if (auto stale = remove_stale(options.path, *name); !stale) return std::move(stale).error();
  auto listener = new_socket();
  if (!listener) return std::move(listener).error();
  if (!options.descriptors) refuse_descriptors(listener->get());
  // Nobody can connect before listen(2), so owner and mode are right from the first connection on.
  if (::bind(listener->get(), reinterpret_cast<const sockaddr*>(&*name), sizeof *name) != 0) {
    return error_from_errno(errno, options.path);
  }
  const gid_t group = options.group.value_or(static_cast<gid_t>(-1));
  int error = 0;
  if (::lchown(options.path.c_str(), static_cast<uid_t>(-1), group) != 0 ||
      ::chmod(options.path.c_str(), options.mode) != 0 || ::listen(listener->get(), options.backlog) != 0) {
    error = errno;
  }
  if (error != 0) {
    ::unlink(options.path.c_str());
    return error_from_errno(error, options.path);
  }
  return listener;
}

}  // namespace opelog::record
