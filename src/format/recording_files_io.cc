#include "format/recording_files_io.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "format/timing_record.h"

namespace opelog::format {

Result<Fd> open_regular(int dirfd, const std::string& name, int flags) {
  auto fd = open_at(dirfd, name, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  if (!fd) {
    if (fd.error().err == ELOOP)
      return Error{Code::kDenied, name + ": a symbolic link is not followed", ELOOP};
    return fd;
  }
  struct stat st {};
  if (::fstat(fd->get(), &st) != 0) return error_from_errno(errno, name);
  if (!S_ISREG(st.st_mode)) return Error{Code::kDenied, name + ": not a regular file", 0};
  return fd;
}

Result<FileFacts> look_at(int fd) {
  struct stat st {};
  if (::fstat(fd, &st) != 0) return error_from_errno(errno, "look at a recording's file");
  FileFacts facts;
  facts.size = static_cast<std::uint64_t>(st.st_size);
  facts.inode = st.st_ino;
  facts.uid = st.st_uid;
  facts.modified = static_cast<WallUs>(st.st_mtim.tv_sec) * kUsPerS + st.st_mtim.tv_nsec / 1000;
  return facts;
}

Status lock_as_writer(int fd, const std::string& name) {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  if (::fcntl(fd, F_OFD_SETLK, &lock) == 0) return {};
  if (errno == EAGAIN || errno == EACCES)
    return Error{Code::kExists, name + ": another process writes it", errno};
  return error_from_errno(errno, name + ": lock");
}

bool is_locked(int fd) {
  struct flock lock {};
  lock.l_type = F_RDLCK;
  lock.l_whence = SEEK_SET;
  return ::fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

Result<std::uint64_t> next_data(int fd, std::uint64_t offset) {
  const off_t at = ::lseek(fd, static_cast<off_t>(offset), SEEK_DATA);
  if (at >= 0) return static_cast<std::uint64_t>(at);
  if (errno != ENXIO) return error_from_errno(errno, "look for data in a recording");
  auto facts = look_at(fd);
  if (!facts) return std::move(facts).error();
  return std::max(facts->size, offset);
}

Result<std::size_t> read_at(int fd, char* data, std::size_t size, std::uint64_t offset) {
  std::size_t got = 0;
  while (got < size) {
    const ssize_t n = ::pread(fd, data + got, size - got, static_cast<off_t>(offset + got));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return error_from_errno(errno, "read a recording");
    if (n == 0) break;
    got += static_cast<std::size_t>(n);
  }
  return got;
}

Result<std::optional<std::uint64_t>> data_begin(const ReadAt& read, bool only_ours) {
  constexpr std::string_view kBegin = "Script started on ";
  std::vector<char> buffer(512);
  for (std::uint64_t at = 0; at < kMaxFirstLineBytes;) {
    auto got = read(buffer.data(), buffer.size(), at);
    if (!got) return std::move(got).error();
    if (at == 0 && only_ours && std::string_view(buffer.data(), *got).substr(0, kBegin.size()) != kBegin) {
      return std::optional<std::uint64_t>(0);
    }
    const void* lf = *got == 0 ? nullptr : std::memchr(buffer.data(), '\n', *got);
    if (lf != nullptr)
      return std::optional(at + static_cast<std::uint64_t>(static_cast<const char*>(lf) - buffer.data()) + 1);
    at += *got;
    if (*got < buffer.size()) return std::optional(at);
    buffer.resize(kReadBytes);
  }
  return std::optional<std::uint64_t>();
}

Result<std::string> read_header(const ReadAt& read, std::size_t first_read, HeaderDecoder& header) {
  TimingScanner scanner;
  NoteJoiner joiner;
  TimingRecord record;
  std::vector<char> buffer(first_read);
  for (std::uint64_t at = 0; at < kMaxHeaderBytes;) {
    auto got = read(buffer.data(), buffer.size(), at);
    if (!got && got.error().code == Code::kInvalid) return got.error().message;  // damaged
    if (!got) return std::move(got).error();
    if (*got == 0) return std::string();
    at += *got;
    scanner.feed({buffer.data(), *got});
    TimingScanner::Outcome outcome;
    while ((outcome = scanner.next(record)) == TimingScanner::Outcome::kRecord) {
      const auto* h = std::get_if<HeaderRecord>(&record);
      if (h == nullptr) return std::string();
      for (bool taken = false; !taken;) {
        const auto note = joiner.add(*h, taken);
        if (note && !header.take(*note)) return std::string();
      }
    }
    if (outcome == TimingScanner::Outcome::kCorrupt) {
      return "not a timing file from byte " + std::to_string(scanner.offset()) + " on: " + scanner.problem();
    }
    buffer.resize(kReadBytes);
  }
  return std::string();
}

}  // namespace opelog::format
