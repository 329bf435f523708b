#include "record/descriptor_kind_io.h"

#include <fcntl.h>
#include <linux/major.h>
#include <linux/stat.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cstdio>
#include <string_view>

namespace opelog::record {
namespace {

bool is_terminal_major(unsigned device_major) {
  return (device_major >= UNIX98_PTY_SLAVE_MAJOR &&
          device_major < UNIX98_PTY_SLAVE_MAJOR + UNIX98_PTY_MAJOR_COUNT) ||
         device_major == TTY_MAJOR || device_major == 204 /* low-density serial: ttyAMA, ttySC */ ||
         device_major == 229 /* hvc */ || device_major == 166 /* ttyACM */ ||
         device_major == 188 /* ttyUSB */;
}

}  // namespace

DescriptorFacts descriptor_facts(int fd) noexcept {
  DescriptorFacts facts;
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || (flags & O_PATH) != 0) return facts;
  const int access = flags & O_ACCMODE;
  facts.readable = access == O_RDONLY || access == O_RDWR;
  facts.writable = access == O_WRONLY || access == O_RDWR;

  struct statx st {};
  if (::statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &st) != 0) return facts;
  facts.device = makedev(st.stx_dev_major, st.stx_dev_minor);
  facts.inode = st.stx_ino;

  if (S_ISSOCK(st.stx_mode)) {
    int type = 0;
    socklen_t length = sizeof type;
    if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_STREAM) {
      facts.kind = DescriptorKind::kSocket;
    }
  } else if (S_ISFIFO(st.stx_mode)) {
    if (::fcntl(fd, F_GETPIPE_SZ) < 0) return facts;
    char link[64], name[32];
    std::snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    const ssize_t n = ::readlink(name, link, sizeof link);
    const bool anonymous =
        n > 6 && std::string_view(link, static_cast<std::size_t>(n)).substr(0, 6) == "pipe:[";
    facts.kind = anonymous ? DescriptorKind::kPipe : DescriptorKind::kFifo;
  } else if (S_ISCHR(st.stx_mode) && is_terminal_major(st.stx_rdev_major)) {
    // An open character device is the kernel's own: unprivileged mounts are nodev.
    facts.kind = DescriptorKind::kTerminal;
    facts.terminal = makedev(st.stx_rdev_major, st.stx_rdev_minor);
  }
  return facts;
}

}  // namespace opelog::record
