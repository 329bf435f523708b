#include "app/main_process_io.h"

#include <dirent.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <future>
#include <memory>
#include <system_error>
#include <thread>
#include <vector>

#include "core/clock_io.h"
#include "record/proc_text.h"
#include "record/systemd_io.h"

namespace opelog::app {
namespace {

// How often the main process looks whether the daemon has only threads in the kernel left; at an end it looks
// sooner. Only what has been so for a while is so: the first thread of an ordinary end is gone early, too.
constexpr long kLookMs = 500, kLookAtEndMs = 10;
constexpr MonoUs kGoneUs = 50 * kUsPerMs;
constexpr int kUnknownStatus = EXIT_FAILURE << 8;  // as of wait(2)
constexpr auto kSweep = std::chrono::seconds(1);
constexpr unsigned kMemoryDevices = 1;  // /dev/null and the like: no terminal

// What the manager says to this process by its number is for the daemon.
void readdress(const char* variable, pid_t parent) {
  const char* value = std::getenv(variable);
  if (value != nullptr && value == std::to_string(parent))
    ::setenv(variable, std::to_string(::getpid()).c_str(), 1);
}

// The exit status as wait(2) has it; it is the line's last field.
int status_of_stat(const std::string& text) {
  return std::atoi(text.c_str() + text.find_last_of(' ') + 1);
}

class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  void tell(int signum) const { ::kill(pid_, signum); }
  [[nodiscard]] bool ending() const noexcept { return dead_since_ != 0; }

  /// As of wait(2), once nothing of it runs.
  std::optional<int> ended() {
    int status = 0;
    const pid_t reaped = ::waitpid(pid_, &status, WNOHANG);
    if (reaped == pid_) return status;
    if (reaped < 0 && errno == ECHILD) return kUnknownStatus;  // our starter has SIGCHLD ignored
    const auto text = read_file("/proc/" + std::to_string(pid_) + "/stat", 4096);
    if (!text) return std::nullopt;
    const auto stat = record::parse_proc_stat(*text);
    if (!stat || stat->state != 'Z') return std::nullopt;
    const MonoUs now = mono_now();
    if (dead_since_ == 0) dead_since_ = now;
    if (now - dead_since_ < kGoneUs) return std::nullopt;
    return status_of_stat(*text);
  }

 private:
  pid_t pid_;
  MonoUs dead_since_ = 0;
};

int end_as(int status) {
  if (WIFEXITED(status)) return WEXITSTATUS(status);
  const int signum = WTERMSIG(status);
  sigset_t one;
  ::sigemptyset(&one);
  ::sigaddset(&one, signum);
  ::prctl(PR_SET_DUMPABLE, 0);  // the core, if there is one, was the daemon's
  ::signal(signum, SIG_DFL);
  ::raise(signum);
  ::sigprocmask(SIG_UNBLOCK, &one, nullptr);
  return 128 + signum;
}

int be_the_main_process(pid_t pid, const sigset_t& signals) {
  Child daemon(pid);
  bool asked = false;
  for (;;) {
    if (const auto status = daemon.ended()) return end_as(*status);
    const long ms = asked || daemon.ending() ? kLookAtEndMs : kLookMs;
    const timespec wait{ms / 1000, ms % 1000 * 1'000'000};
    const int signum = ::sigtimedwait(&signals, nullptr, &wait);
    if (signum <= 0 || signum == SIGCHLD) continue;
    // A daemon that the manager's watchdog gives up does nothing any more.
    daemon.tell(signum == SIGABRT ? SIGKILL : signum);
    asked = asked || (signum != SIGHUP && signum != SIGUSR1);
  }
}

// Whether a call on it, also its close, may wait for a user: a terminal, or a login's connection, in which
// there may be one.
bool may_wait(int fd) {
  struct stat st {};
  if (::fstat(fd, &st) != 0) return false;
  if (S_ISCHR(st.st_mode)) return major(st.st_rdev) != kMemoryDevices;
  if (!S_ISSOCK(st.st_mode)) return false;
  int type = 0, listens = 0;
  socklen_t size = sizeof type;
  if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0) return false;
  size = sizeof listens;
  if (::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0) return false;
  return type == SOCK_SEQPACKET && listens == 0;
}

std::vector<int> open_descriptors() {
  std::vector<int> found;
  DIR* directory = ::opendir("/proc/self/fd");
  if (directory == nullptr) return found;
  while (const dirent* entry = ::readdir(directory)) {
    const int fd = std::atoi(entry->d_name);
    if (fd > STDERR_FILENO && fd != ::dirfd(directory)) found.push_back(fd);
  }
  ::closedir(directory);
  return found;
}

void close_what_may_be() {
  for (const int fd : open_descriptors()) {
    Fd owned(fd);
    if (!may_wait(fd)) continue;
    (void)::shutdown(fd, SHUT_RDWR);  // its shim asks the next daemon; ENOTSOCK of a terminal
    (void)owned.release();
  }
}

}  // namespace

std::optional<int> split_from_main() {
  const pid_t parent = ::getpid();
  sigset_t signals, before;
  ::sigemptyset(&signals);
  for (const int signum : {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGABRT, SIGCHLD})
    ::sigaddset(&signals, signum);
  ::sigprocmask(SIG_BLOCK, &signals, &before);
  const pid_t pid = ::fork();
  if (pid > 0) {
    ::close_range(STDERR_FILENO + 1, ~0U, 0);  // the daemon's, sessions among them
    return be_the_main_process(pid, signals);
  }
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(EXIT_FAILURE);
    readdress("LISTEN_PID", parent);
    ::unsetenv("LISTEN_PIDFDID");  // the same once more, and it cannot be ours
    readdress("WATCHDOG_PID", parent);
    record::speak_for_parent();
  }
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  return std::nullopt;
}

void leave_threads(int status) {
  // On a thread: should a close wait after all, it is left behind as well.
  try {
    auto swept = std::make_shared<std::promise<void>>();
    auto over = swept->get_future();
    std::thread([swept] {
      close_what_may_be();
      swept->set_value();
    }).detach();
    (void)over.wait_for(kSweep);
  } catch (const std::system_error&) {  // there is none to be had
    close_what_may_be();
  }
  ::_exit(status);
}

}  // namespace opelog::app
