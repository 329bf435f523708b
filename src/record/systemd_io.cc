#include "record/systemd_io.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "core/fact.h"

namespace opelog::record {
namespace {

constexpr int kKeepEnvironment = 0, kForgetEnvironment = 1;

// Not sd_notify(3): it waits while the manager's queue is full, and every session would wait with it. A
// manager that does not listen, or cannot be reached, is no reason to fail or delay anything.
void notify(const std::string& text) {
  const char* name = std::getenv("NOTIFY_SOCKET");
  sockaddr_un address{};
  if (name == nullptr || (name[0] != '/' && name[0] != '@')) return;
  const std::size_t length = std::strlen(name);
  if (length < 2 || length >= sizeof address.sun_path) return;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, name, length);
  if (name[0] == '@') address.sun_path[0] = '\0';  // an abstract name: no terminating zero belongs to it
  const std::size_t size = offsetof(sockaddr_un, sun_path) + length + (name[0] == '/' ? 1 : 0);
  const Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return;
  (void)::sendto(socket.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                 reinterpret_cast<const sockaddr*>(&address), static_cast<socklen_t>(size));
}

// One line, so that no text can smuggle in another assignment.
std::string status_line(std::string_view status) {
  return "STATUS=" + printable(status);
}

}  // namespace

Result<std::vector<PassedFd>> take_passed_fds() {
  char** names = nullptr;
  const int count = sd_listen_fds_with_names(kForgetEnvironment, &names);
  if (count < 0) return error_from_errno(-count, "descriptors passed by the service manager");
  std::vector<PassedFd> passed;
  passed.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    passed.push_back(
        {names == nullptr || names[i] == nullptr ? "unknown" : names[i], Fd(SD_LISTEN_FDS_START + i)});
  }
  if (names != nullptr) {
    for (char** name = names; *name != nullptr; ++name) std::free(*name);
    std::free(names);
  }
  return passed;
}

Result<Fd> take_listener(std::vector<PassedFd>& passed, std::string_view name) {
  Fd found;
  for (auto it = passed.begin(); it != passed.end();) {
    if (it->name != name) {
      ++it;
      continue;
    }
    if (found) return Error{Code::kInvalid, "two sockets named '" + std::string(name) + "' were passed", 0};
    if (sd_is_socket_unix(it->fd.get(), SOCK_SEQPACKET, 1, nullptr, 0) <= 0) {
      return Error{
          Code::kInvalid,
          "the passed descriptor '" + std::string(name) + "' is not a ListenSequentialPacket= socket", 0};
    }
    found = std::move(it->fd);
    it = passed.erase(it);
  }
  return found;
}

void notify_ready(std::string_view status) {
  notify("READY=1\n" + status_line(status));
}
void notify_status(std::string_view status) {
  notify(status_line(status));
}
void notify_reloading(MonoUs now) {
  notify("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(now));
}
void notify_stopping() {
  notify("STOPPING=1");
}
void notify_watchdog() {
  notify("WATCHDOG=1");
}

std::optional<std::uint64_t> watchdog_interval_ms() {
  std::uint64_t us = 0;
  if (sd_watchdog_enabled(kKeepEnvironment, &us) <= 0) return std::nullopt;
  return std::max<std::uint64_t>(us / kUsPerMs / 2, 1);
}

}  // namespace opelog::record
