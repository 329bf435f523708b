// Fd: the only owner of a descriptor and the only caller of close(2).
//
// Move-only, close-on-exec from birth (the opening functions here see to it). get() lends the number;
// nobody else may close it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"

namespace opelog {

class Fd {
 public:
  Fd() noexcept = default;
  explicit Fd(int fd) noexcept : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { reset(); }

  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] bool valid() const noexcept { return fd_ >= 0; }
  explicit operator bool() const noexcept { return valid(); }
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
  void reset() noexcept;

 private:
  int fd_ = -1;
};

/// open(2)/openat(2) with O_CLOEXEC added, EINTR retried. `dirfd` may be AT_FDCWD.
Result<Fd> open_at(int dirfd, const std::string& path, int flags, unsigned mode = 0);

/// The path as one sees it through a descriptor: a new open file description of the same object,
/// so that O_NONBLOCK set on it is nobody else's. Not for sockets (ENXIO).
Result<Fd> reopen(int fd, int flags);

/// A duplicate (same open file description), close-on-exec.
Result<Fd> duplicate(int fd);

/// Reads a whole small file. `limit` bytes at most; a longer file is Code::kLimit.
Result<std::string> read_file(const std::string& path, std::size_t limit);
Result<std::string> read_file_at(int dirfd, const std::string& path, std::size_t limit);

/// Writes all of `data` to a blocking descriptor, EINTR retried.
Status write_all(int fd, std::string_view data);

/// Replaces `path` with `data` by a temporary file beside it, fsync and rename. Mode as given, owner root;
/// `group` is a gid, kKeepGroup the process's own.
constexpr unsigned kKeepGroup = 0xffffffff;
Status replace_file(const std::string& path, std::string_view data, unsigned mode,
                    unsigned group = kKeepGroup);

}  // namespace opelog
