#include "record/inner_terminal_io.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace opelog::record {

Result<InnerTerminal> InnerTerminal::open(const termios* settings, const TerminalSize& size) {
  InnerTerminal inner;
  inner.master = Fd(::posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  if (!inner.master) return error_from_errno(errno, "open a pty");
  if (::unlockpt(inner.master.get()) != 0) return error_from_errno(errno, "unlock the pty");
  char name[128];
  if (::ptsname_r(inner.master.get(), name, sizeof name) != 0) return error_from_errno(errno, "name the pty");
  inner.path = name;
  // TIOCGPTPEER opens the slave of this very master, whatever is mounted over /dev/pts.
  inner.slave = Fd(::ioctl(inner.master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!inner.slave) return error_from_errno(errno, "open " + inner.path);
  if (settings != nullptr && ::tcsetattr(inner.slave.get(), TCSANOW, settings) != 0)
    return error_from_errno(errno, "set up " + inner.path);
  if (auto set = set_terminal_size(inner.master.get(), size); !set) return std::move(set).error();
  return inner;
}

Status InnerTerminal::give_to(uid_t uid, gid_t tty_group) {
  if (::fchown(slave.get(), uid, tty_group) != 0 || ::fchmod(slave.get(), 0620) != 0)
    return error_from_errno(errno, "give away " + path);
  return {};
}

void InnerTerminal::revoke() const noexcept {
  // First it is locked, or an open that is past the look at the node would outlive the hang-up; then the
  // node: who is hung up must not open it again.
  const int locked = 1;
  if (master) (void)::ioctl(master.get(), TIOCSPTLCK, &locked);
  (void)!::fchown(slave.get(), 0, 0);
  (void)::fchmod(slave.get(), 0600);
  (void)::ioctl(slave.get(), TIOCVHANGUP);
}

bool terminal_echoes(int master) noexcept {
  termios now{};  // on a master the kernel answers with the slave's settings
  return ::tcgetattr(master, &now) == 0 && (now.c_lflag & ECHO) != 0;
}

}  // namespace opelog::record
