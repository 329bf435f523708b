#include "record/systemd_io.h"

#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-login.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "core/fact.h"

namespace opelog::record {
namespace {

constexpr int kKeepEnvironment = 0, kForgetEnvironment = 1;

// Descriptors that one message may carry.
constexpr std::size_t kMostPassed = 200;

bool speaks_for_parent = false;

// Not sd_notify(3): it waits while the manager's queue is full, and every session would wait with it. A
// manager that does not listen, or cannot be reached, is no reason to fail or delay anything.
// False: its queue is full just now.
bool send_to_manager(const std::string& text, const std::vector<Fd>& fds) {
  const char* name = std::getenv("NOTIFY_SOCKET");
  sockaddr_un address{};
  if (name == nullptr || (name[0] != '/' && name[0] != '@')) return true;
  const std::size_t length = std::strlen(name);
  if (length < 2 || length >= sizeof address.sun_path) return true;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, name, length);
  if (name[0] == '@') address.sun_path[0] = '\0';  // an abstract name: no terminating zero belongs to it
  const std::size_t size = offsetof(sockaddr_un, sun_path) + length + (name[0] == '/' ? 1 : 0);
  const Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return true;
  iovec bytes{const_cast<char*>(text.data()), text.size()};
  msghdr message{};
  message.msg_name = &address;
  message.msg_namelen = static_cast<socklen_t>(size);
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kMostPassed) + CMSG_SPACE(sizeof(ucred))>
      control{};
  const std::size_t count = std::min(fds.size(), kMostPassed);
  const std::size_t space = fds.empty() ? 0 : CMSG_SPACE(sizeof(int) * count);
  message.msg_control = control.data();
  message.msg_controllen = space + CMSG_SPACE(sizeof(ucred));
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (!fds.empty()) {
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * count);
    for (std::size_t i = 0; i < count; ++i) {
      const int fd = fds[i].get();
      std::memcpy(CMSG_DATA(header) + i * sizeof fd, &fd, sizeof fd);
    }
    header = CMSG_NXTHDR(&message, header);
  }
  ssize_t sent = -1;
  errno = EPERM;
  if (speaks_for_parent) {
    const ucred main_process{::getppid(), ::getuid(), ::getgid()};
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_CREDENTIALS;
    header->cmsg_len = CMSG_LEN(sizeof main_process);
    std::memcpy(CMSG_DATA(header), &main_process, sizeof main_process);
    sent = ::sendmsg(socket.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  if (sent < 0 && errno == EPERM) {
    message.msg_controllen = space;
    if (space == 0) message.msg_control = nullptr;
    sent = ::sendmsg(socket.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  return sent >= 0 || (errno != EAGAIN && errno != ENOBUFS && errno != ETOOMANYREFS);
}

void notify(const std::string& text) {
  (void)send_to_manager(text, {});
}

// One line, so that no text can smuggle in another assignment.
std::string status_line(std::string_view status) {
  return "STATUS=" + printable(status);
}

// The manager's own socket, which needs no bus daemon: as systemctl(1) does it as root. False where there is
// none, or this process belongs to no unit.
class ManagerBus {
 public:
  ManagerBus() {
    if (sd_bus_new(&bus_) < 0 || sd_bus_set_address(bus_, "unix:path=/run/systemd/private") < 0 ||
        sd_bus_start(bus_) < 0)
      return;
    (void)sd_bus_set_method_call_timeout(bus_, 2 * static_cast<std::uint64_t>(kUsPerS));
    char* name = nullptr;
    if (sd_pid_get_unit(0, &name) < 0) return;
    const std::unique_ptr<char, void (*)(void*)> owned(name, std::free);
    if (sd_bus_path_encode("/org/freedesktop/systemd1/unit", name, &unit_) < 0) unit_ = nullptr;
  }
  ManagerBus(const ManagerBus&) = delete;
  ManagerBus& operator=(const ManagerBus&) = delete;
  ~ManagerBus() {
    std::free(unit_);
    sd_bus_close_unref(bus_);
  }
  explicit operator bool() const noexcept { return unit_ != nullptr; }
  [[nodiscard]] sd_bus* bus() const noexcept { return bus_; }
  [[nodiscard]] const char* unit() const noexcept { return unit_; }  ///< object path of our unit

 private:
  sd_bus* bus_ = nullptr;
  char* unit_ = nullptr;
};

struct BusAnswer {
  sd_bus_message* message = nullptr;
  ~BusAnswer() { sd_bus_message_unref(message); }
};

constexpr const char* kManager = "org.freedesktop.systemd1";

// Only of the manager that listens to us: a store may be somebody else's (tests, another service manager).
std::optional<std::size_t> asked_store_limit() {
  const char* listens = std::getenv("NOTIFY_SOCKET");
  if (listens == nullptr || std::string_view(listens) != "/run/systemd/notify") return std::nullopt;
  const ManagerBus manager;
  if (!manager) return std::nullopt;
  std::uint32_t most = 0;
  if (sd_bus_get_property_trivial(manager.bus(), kManager, manager.unit(), "org.freedesktop.systemd1.Service",
                                  "FileDescriptorStoreMax", nullptr, 'u', &most) < 0)
    return std::nullopt;
  return most;
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

void speak_for_parent() {
  speaks_for_parent = true;
}

bool has_manager() {
  const char* name = std::getenv("NOTIFY_SOCKET");
  return name != nullptr && (name[0] == '/' || name[0] == '@');
}

bool tell_manager(const std::string& text, const std::vector<Fd>& fds) {
  return send_to_manager(text, fds);
}

std::optional<std::size_t> store_limit() {
  const char* text = std::getenv("FDSTORE");
  if (text == nullptr || *text == '\0') return asked_store_limit();
  char* end = nullptr;
  errno = 0;
  const unsigned long long most = std::strtoull(text, &end, 10);
  if (errno != 0 || *end != '\0' || *text < '0' || *text > '9') return std::nullopt;
  return static_cast<std::size_t>(most);
}

bool restarts_us() {
  const ManagerBus manager;
  if (!manager) return false;
  BusAnswer answer;
  std::uint32_t job = 0;
  const char* job_path = nullptr;
  if (sd_bus_get_property(manager.bus(), kManager, manager.unit(), "org.freedesktop.systemd1.Unit", "Job",
                          nullptr, &answer.message, "(uo)") < 0 ||
      sd_bus_message_read(answer.message, "(uo)", &job, &job_path) < 0)
    return false;
  if (job == 0) return true;  // a signal by hand: Restart= will start us again
  char* type_text = nullptr;
  if (sd_bus_get_property_string(manager.bus(), kManager, job_path, "org.freedesktop.systemd1.Job", "JobType",
                                 nullptr, &type_text) < 0)
    return false;
  const std::unique_ptr<char, void (*)(void*)> type(type_text, std::free);
  return std::string_view(type.get()) == "restart" || std::string_view(type.get()) == "try-restart";
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
