#include "record/terminal_check_io.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "record/login_protocol.h"

namespace opelog::record {

bool may_be_terminal(int fd) noexcept {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || (flags & O_PATH) != 0 || (flags & O_ACCMODE) != O_RDWR) return false;
  struct statx st {};
  if (::statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st) != 0) return false;
  return S_ISCHR(st.stx_mode) && opelog_is_terminal_major(st.stx_rdev_major) != 0;
}

}  // namespace opelog::record
