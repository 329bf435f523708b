#include "record/systemd_io.h"

#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#include <algorithm>
#include <cstdlib>

#include "core/fact.h"

namespace opelog::record {
namespace {

constexpr int kKeepEnvironment = 0, kForgetEnvironment = 1;

// A manager that cannot be reached is no reason to fail anything.
void notify(const std::string& text) {
  (void)sd_notify(kKeepEnvironment, text.c_str());
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
