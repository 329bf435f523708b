#include "core/append_only_io.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/stat.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <cerrno>

#include "core/fd_io.h"

namespace opelog {

Status set_append_only(int fd, bool on) {
  int flags = 0;  // the ioctl takes an int in spite of its declared long
  if (::ioctl(fd, FS_IOC_GETFLAGS, &flags) != 0) {
    if (errno == ENOTTY || errno == EOPNOTSUPP)
      return Error{Code::kUnsupported, "the file system has no append-only flag", errno};
    return error_from_errno(errno, "read file flags");
  }
  const int wanted = on ? flags | FS_APPEND_FL : flags & ~FS_APPEND_FL;
  if (wanted == flags) return {};
  if (::ioctl(fd, FS_IOC_SETFLAGS, &wanted) != 0) {
    return error_from_errno(errno, on ? "set the append-only flag" : "clear the append-only flag");
  }
  return {};
}

namespace {
Result<bool> flag_of(int dirfd, const char* name, int flags) {
  struct statx st {};
  if (::statx(dirfd, name, flags, 0, &st) != 0) return error_from_errno(errno, name);
  return (st.stx_attributes & STATX_ATTR_APPEND) != 0;
}
}  // namespace

Result<bool> has_append_only(int dirfd, const std::string& name) {
  return flag_of(dirfd, name.c_str(), AT_SYMLINK_NOFOLLOW);
}

Result<bool> has_append_only(int fd) {
  return flag_of(fd, "", AT_EMPTY_PATH);
}

Status probe_append_only(const std::string& directory) {
  auto fd = open_at(AT_FDCWD, directory, O_TMPFILE | O_RDWR, 0600);
  if (!fd) {
    // EISDIR: a file system that does not know O_TMPFILE. Anything else (no descriptor left, disk full) says
    // nothing about the flag.
    const bool without = fd.error().err == EISDIR || fd.error().code == Code::kUnsupported;
    return Error{without ? Code::kUnsupported : fd.error().code,
                 directory + ": no unnamed files here: " + fd.error().message, fd.error().err};
  }
  if (auto set = set_append_only(fd->get(), true); !set)
    return Error{set.error().code, directory + ": " + set.error().message, set.error().err};
  auto seen = has_append_only(fd->get());
  if (auto cleared = set_append_only(fd->get(), false); !cleared) return std::move(cleared).error();
  if (!seen) return std::move(seen).error();
  if (!*seen) return Error{Code::kUnsupported, directory + ": the file system drops the append-only flag", 0};
  return {};
}

}  // namespace opelog
