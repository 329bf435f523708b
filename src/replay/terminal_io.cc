#include "replay/terminal_io.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/clock_io.h"

namespace opelog::replay {
namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT, SIGPIPE, SIGWINCH};
/// How long leave() waits for a terminal that does not take its bytes (Ctrl-S) before it goes without them.
constexpr MonoUs kLeaveUs = kUsPerS;

int timeout_ms(std::optional<MonoUs> deadline) {
  if (!deadline) return -1;
  const MonoUs left = *deadline - mono_now();
  if (left <= 0) return 0;
  return static_cast<int>(std::min<MonoUs>((left + kUsPerMs - 1) / kUsPerMs, 3600 * 1000));
}

// An own open file description, so that O_NONBLOCK is nobody else's. /dev/tty helps where the node belongs to
// somebody else (sudo -u auditor); a blocking duplicate is the last resort.
Result<Fd> own_terminal() {
  auto own = reopen(STDOUT_FILENO, O_RDWR | O_NOCTTY | O_NONBLOCK);
  if (own) return own;
  if (::tcgetsid(STDOUT_FILENO) >= 0) {  // descriptor 1 is our controlling terminal, which /dev/tty opens
    auto controlling = open_at(AT_FDCWD, "/dev/tty", O_RDWR | O_NOCTTY | O_NONBLOCK);
    if (controlling) return controlling;
  }
  return duplicate(STDOUT_FILENO);
}

}  // namespace

Result<std::unique_ptr<PlayTerminal>> PlayTerminal::open() {
  std::unique_ptr<PlayTerminal> terminal(new PlayTerminal);
  auto output = own_terminal();
  if (!output) return std::move(output).error();
  terminal->output_ = std::move(*output);
  struct stat in {
  }, out{};
  terminal->keys_ = ::isatty(STDIN_FILENO) == 1 && ::fstat(STDIN_FILENO, &in) == 0 &&
                    ::fstat(STDOUT_FILENO, &out) == 0 && in.st_rdev == out.st_rdev;

  sigset_t set;
  sigemptyset(&set);
  for (const int signum : kSignals) sigaddset(&set, signum);
  if (::sigprocmask(SIG_BLOCK, &set, &terminal->blocked_before_) != 0)
    return error_from_errno(errno, "signals");
  const int fd = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (fd < 0) {
    const int error = errno;
    ::sigprocmask(SIG_SETMASK, &terminal->blocked_before_, nullptr);
    return error_from_errno(error, "signals");
  }
  terminal->signals_ = Fd(fd);
  terminal->enter();
  return terminal;
}

PlayTerminal::~PlayTerminal() {
  leave({});
  if (signals_) ::sigprocmask(SIG_SETMASK, &blocked_before_, nullptr);
}

void PlayTerminal::enter() {
  // While raw_, saved_ is what counts: a shell may have changed the settings behind a SIGSTOP.
  if (!raw_ && ::tcgetattr(output_.get(), &saved_) != 0) return;
  termios raw = saved_;
  // Bytes of a recording have been through a terminal already: no output processing, or LF alone would become
  // CR LF.
  raw.c_oflag &= ~static_cast<tcflag_t>(OPOST);
  raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);  // ISIG stays: Ctrl-C and Ctrl-Z arrive as signals
  raw.c_iflag &= ~static_cast<tcflag_t>(ICRNL | INLCR);
  raw.c_cc[VMIN] = 0;
  raw.c_cc[VTIME] = 0;
  raw_ = ::tcsetattr(output_.get(), TCSANOW, &raw) == 0;
}

void PlayTerminal::leave(std::string_view restore) {
  const MonoUs until = mono_now() + kLeaveUs;
  while (!restore.empty()) {
    const auto written = write_some(restore);
    if (!written) break;
    restore.remove_prefix(*written);
    if (*written > 0) continue;
    pollfd out{output_.get(), POLLOUT, 0};
    const int wait = timeout_ms(until);
    if (wait == 0) break;
    ::poll(&out, 1, wait);
  }
  if (!raw_) return;
  ::tcsetattr(output_.get(), TCSANOW, &saved_);
  raw_ = false;
}

void PlayTerminal::suspend(std::string_view restore) {
  leave(restore);
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTSTP);
  ::raise(SIGTSTP);  // pending while blocked, delivered by the next line: we stop there
  ::sigprocmask(SIG_UNBLOCK, &stop, nullptr);
  ::sigprocmask(SIG_BLOCK, &stop, nullptr);
  enter();
}

PlayTerminal::Woken PlayTerminal::wait(std::optional<MonoUs> deadline, bool want_write) {
  Woken woken;
  pollfd fds[3] = {{signals_.get(), POLLIN, 0},
                   {output_.get(), static_cast<short>(want_write ? POLLOUT : 0), 0},
                   {keys_ ? STDIN_FILENO : -1, POLLIN, 0}};
  if (::poll(fds, 3, timeout_ms(deadline)) <= 0) return woken;
  if ((fds[0].revents & POLLIN) != 0) {
    signalfd_siginfo info{};
    while (::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
      const int signum = static_cast<int>(info.ssi_signo);
      if (signum == SIGTSTP)
        woken.stop = true;
      else if (signum == SIGCONT)
        woken.continued = true;
      else if (signum == SIGWINCH)
        woken.resized = true;
      else if (signum == SIGPIPE)
        woken.hung_up = true;
      else
        woken.signal = signum;
    }
  }
  woken.writable = (fds[1].revents & POLLOUT) != 0;
  if (((fds[1].revents | fds[2].revents) & (POLLHUP | POLLERR | POLLNVAL)) != 0) woken.hung_up = true;
  if ((fds[2].revents & POLLIN) != 0) {
    char buffer[256];
    const ssize_t n = ::read(STDIN_FILENO, buffer, sizeof buffer);
    if (n > 0) woken.keys.assign(buffer, static_cast<std::size_t>(n));
    if (n < 0 && errno == EIO) woken.hung_up = true;
  }
  return woken;
}

Result<std::size_t> PlayTerminal::write_some(std::string_view bytes) {
  // 4 KiB: about what a terminal's buffer takes at once, and a key is looked for between two of them.
  const ssize_t n = ::write(output_.get(), bytes.data(), std::min<std::size_t>(bytes.size(), 4096));
  if (n >= 0) return static_cast<std::size_t>(n);
  if (errno == EAGAIN || errno == EINTR) return std::size_t{0};
  return error_from_errno(errno, "terminal");
}

namespace {
winsize size_of(int fd) {
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) != 0) size = {};
  return size;
}
}  // namespace

int PlayTerminal::rows() const {
  return size_of(output_.get()).ws_row;
}
int PlayTerminal::cols() const {
  return size_of(output_.get()).ws_col;
}

}  // namespace opelog::replay
