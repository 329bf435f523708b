#include "record/outer_terminal_io.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace opelog::record {
namespace {

constexpr int kOpenFlags = O_RDWR | O_NOCTTY | O_NONBLOCK;

// The kernel's line discipline keeps at most 4095 bytes of input (N_TTY_BUF_SIZE - 1).
constexpr std::size_t kTypeAheadLimit = 4095;

Status make_raw(int fd, const termios& from) {
  termios raw = from;
  ::cfmakeraw(&raw);
  // TCSANOW always: waiting for output to drain would let a stopped terminal hold the whole loop.
  if (::tcsetattr(fd, TCSANOW, &raw) != 0) return error_from_errno(errno, "set the terminal raw");
  return {};
}

// As make_raw() leaves it.
bool is_raw(const termios& modes) {
  termios raw = modes;
  ::cfmakeraw(&raw);
  return raw.c_iflag == modes.c_iflag && raw.c_oflag == modes.c_oflag && raw.c_lflag == modes.c_lflag;
}

// What cfmakeraw() took off a login's terminal; all else it leaves as it was.
void take_raw_back(termios& modes) {
  modes.c_iflag |= BRKINT | ICRNL | IXON;
  modes.c_oflag |= OPOST;
  modes.c_lflag |= ISIG | ICANON | IEXTEN | ECHO;
}

std::string read_type_ahead(int fd) {
  std::string typed;
  char buffer[4096];
  while (typed.size() < kTypeAheadLimit) {
    const ssize_t n = ::read(fd, buffer, kTypeAheadLimit - typed.size());
    if (n <= 0) break;  // EAGAIN: nothing more; anything else shows when the relay reads
    typed.append(buffer, static_cast<std::size_t>(n));
  }
  return typed;
}

}  // namespace

Result<TerminalSize> terminal_size(int fd) {
  winsize ws{};
  if (::ioctl(fd, TIOCGWINSZ, &ws) != 0) return error_from_errno(errno, "read the terminal's size");
  return TerminalSize{ws.ws_row, ws.ws_col, ws.ws_xpixel, ws.ws_ypixel};
}

Status set_terminal_size(int fd, const TerminalSize& size) {
  winsize ws{};
  ws.ws_row = static_cast<unsigned short>(size.rows);
  ws.ws_col = static_cast<unsigned short>(size.cols);
  ws.ws_xpixel = static_cast<unsigned short>(size.width);
  ws.ws_ypixel = static_cast<unsigned short>(size.height);
  if (::ioctl(fd, TIOCSWINSZ, &ws) != 0) return error_from_errno(errno, "set the terminal's size");
  return {};
}

Result<std::unique_ptr<OuterTerminal>> OuterTerminal::open(int fd) {
  std::unique_ptr<OuterTerminal> outer(new OuterTerminal);
  auto first = reopen(fd, kOpenFlags);
  if (!first)
    return Error{first.error().code, "open the outer terminal: " + first.error().message, first.error().err};
  outer->fd_ = std::move(*first);
  const int own = outer->fd_.get();

  char name[128];
  if (::ttyname_r(own, name, sizeof name) == 0) outer->path_ = name;
  if (::tcgetattr(own, &outer->saved_) != 0) return error_from_errno(errno, "read the terminal's settings");
  auto size = terminal_size(own);
  if (!size) return std::move(size).error();
  outer->size_ = *size;
  struct stat st {};
  if (::fstat(own, &st) != 0) return error_from_errno(errno, "look at the terminal's node");
  outer->owner_ = st.st_uid;
  outer->group_ = st.st_gid;
  outer->mode_ = st.st_mode & 07777;
  if (::ioctl(own, TIOCGEXCL, &outer->exclusive_) != 0)
    return error_from_errno(errno, "look at the terminal's settings");
  // A daemon was killed behind seize() and before its answer: the login asks again.
  if (outer->owner_ == 0 && outer->mode_ == 0600 && is_raw(outer->saved_)) {
    take_raw_back(outer->saved_);
    outer->exclusive_ = 0;
  }
  return outer;
}

std::unique_ptr<OuterTerminal> OuterTerminal::resume(Fd fd, std::string path, const OuterTerminalMark& mark) {
  std::unique_ptr<OuterTerminal> outer(new OuterTerminal);
  outer->fd_ = std::move(fd);
  outer->path_ = std::move(path);
  outer->saved_ = mark.saved;
  outer->owner_ = mark.owner;
  outer->group_ = mark.group;
  outer->mode_ = mark.mode;
  outer->exclusive_ = mark.exclusive;
  outer->changed_ = true;
  outer->keeps_node_ = true;
  return outer;
}

OuterTerminalMark OuterTerminal::mark() const noexcept {
  OuterTerminalMark mark{};
  mark.saved = saved_;
  mark.owner = owner_;
  mark.group = group_;
  mark.mode = mode_;
  mark.exclusive = exclusive_;
  return mark;
}

Status OuterTerminal::seize() {
  const int own = fd_.get();
  changed_ = true;  // from here on the destructor puts things back
  if (::fchown(own, 0, 0) != 0 || ::fchmod(own, 0600) != 0)
    return error_from_errno(errno, "take the terminal's node");
  if (::ioctl(own, TIOCEXCL) != 0) return error_from_errno(errno, "close the terminal to others");
  if (auto raw = make_raw(own, saved_); !raw) return std::move(raw).error();
  type_ahead_ = read_type_ahead(own);

  if (::ioctl(own, TIOCVHANGUP) != 0)
    return error_from_errno(errno, "revoke the terminal's other descriptors");
  // The old descriptor is dead now but still names the inode: open anew before it goes.
  auto again = reopen(own, kOpenFlags);
  if (!again)
    return Error{again.error().code, "open the terminal after revoking: " + again.error().message,
                 again.error().err};
  fd_ = std::move(*again);
  if (auto raw = make_raw(fd_.get(), saved_); !raw) return std::move(raw).error();
  if (auto set = set_terminal_size(fd_.get(), size_); !set) return std::move(set).error();
  auto shim = reopen(fd_.get(), kOpenFlags);
  if (!shim) return std::move(shim).error();
  for_shim_ = std::move(*shim);
  return {};
}

OuterTerminal::~OuterTerminal() {
  give_back();
}

void OuterTerminal::give_back() noexcept {
  for_shim_.reset();
  if (fd_.valid() && changed_) {
    // Each may fail on a terminal that is gone; nothing is left to repair then.
    (void)::tcsetattr(fd_.get(), TCSANOW, &saved_);
    if (!keeps_node_) {
      if (exclusive_ == 0) (void)::ioctl(fd_.get(), TIOCNXCL);
      (void)!::fchmod(fd_.get(), mode_);
      (void)!::fchown(fd_.get(), owner_, group_);
    }
  }
  changed_ = false;
}

}  // namespace opelog::record
