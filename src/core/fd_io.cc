#include "core/fd_io.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace opelog {

void Fd::reset() noexcept {
  if (fd_ < 0) return;
  const int saved = errno;
  ::close(fd_);  // Linux frees the number even on EINTR: never retried
  errno = saved;
  fd_ = -1;
}

Result<Fd> open_at(int dirfd, const std::string& path, int flags, unsigned mode) {
  int fd;
  do {
    fd = ::openat(dirfd, path.c_str(), flags | O_CLOEXEC, mode);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) return error_from_errno(errno, path);
  return Fd(fd);
}

Result<Fd> reopen(int fd, int flags) {
  return open_at(AT_FDCWD, "/proc/self/fd/" + std::to_string(fd), flags);
}

Result<Fd> duplicate(int fd) {
  const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (copy < 0) return error_from_errno(errno, "duplicate descriptor");
  return Fd(copy);
}

Result<std::string> read_file(const std::string& path, std::size_t limit) {
  return read_file_at(AT_FDCWD, path, limit);
}

Result<std::string> read_file_at(int dirfd, const std::string& path, std::size_t limit) {
  auto fd = open_at(dirfd, path, O_RDONLY | O_NOCTTY | O_NONBLOCK);
  if (!fd) return std::move(fd).error();
  std::string data;
  char buffer[16384];
  for (;;) {
    const ssize_t n = ::read(fd->get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return error_from_errno(errno, path);
    if (n == 0) return data;
    if (data.size() + static_cast<std::size_t>(n) > limit) {
      return Error{Code::kLimit, path + ": larger than " + std::to_string(limit) + " bytes", 0};
    }
    data.append(buffer, static_cast<std::size_t>(n));
  }
}

Status write_all(int fd, std::string_view data) {
  while (!data.empty()) {
    const ssize_t n = ::write(fd, data.data(), data.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return error_from_errno(errno, "write");
    data.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

Status replace_file(const std::string& path, std::string_view data, unsigned mode, unsigned group) {
  const std::string temporary = path + ".new";
  ::unlink(temporary.c_str());
  auto fd = open_at(AT_FDCWD, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
  if (!fd) return std::move(fd).error();
  const auto fail = [&](Error error) -> Status {
    ::unlink(temporary.c_str());
    return error;
  };
  if (group != kKeepGroup && ::fchown(fd->get(), static_cast<uid_t>(-1), group) != 0) {
    return fail(error_from_errno(errno, temporary));
  }
  if (::fchmod(fd->get(), mode) != 0) return fail(error_from_errno(errno, temporary));  // whatever the umask
  if (auto written = write_all(fd->get(), data); !written) {
    return fail(Error{written.error().code, temporary + ": " + written.error().message, written.error().err});
  }
  if (::fsync(fd->get()) != 0) return fail(error_from_errno(errno, temporary));
  if (::rename(temporary.c_str(), path.c_str()) != 0) return fail(error_from_errno(errno, path));
  // The name too survives a power cut only once its directory is on the disk.
  const std::size_t slash = path.rfind('/');
  auto directory =
      open_at(AT_FDCWD, slash == std::string::npos ? "." : path.substr(0, slash + 1), O_RDONLY | O_DIRECTORY);
  if (!directory) return std::move(directory).error();
  if (::fsync(directory->get()) != 0) return error_from_errno(errno, path);
  return {};
}

}  // namespace opelog
