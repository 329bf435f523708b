#include "record/utmp_io.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utmpx.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <utility>

#include "core/fd_io.h"

namespace opelog::record {
namespace {

/// Entries looked at: one per terminal that ever was, so some hundreds; 6 MiB at most.
constexpr int kMaxUtmpEntries = 16384;
constexpr int kEntriesPerRead = 64;

// "/dev/pts/3" as utmp writes it; "" if it does not fit.
std::string line_name(std::string_view tty) {
  constexpr std::string_view kDev = "/dev/";
  if (tty.substr(0, kDev.size()) == kDev) tty.remove_prefix(kDev.size());
  return tty.size() <= sizeof(utmpx::ut_line) ? std::string(tty) : std::string();
}

}  // namespace

Result<bool> move_utmp_line(const std::string& from, const std::string& to, const std::string& file) {
  const auto old_line = line_name(from), new_line = line_name(to);
  if (old_line.empty() || new_line.empty()) return false;
  auto fd = open_at(AT_FDCWD, file, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  if (!fd) {
    if (fd.error().code == Code::kNotFound) return false;
    return std::move(fd).error();
  }
  struct stat about {};
  if (::fstat(fd->get(), &about) != 0) return error_from_errno(errno, file);
  if (!S_ISREG(about.st_mode)) return Error{Code::kInvalid, file + ": not a regular file", 0};
  struct flock lock {};  // of the open file, so closing it lets go; conflicts with glibc's as it should
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  if (::fcntl(fd->get(), F_OFD_SETLK, &lock) != 0) return error_from_errno(errno, file + ": lock");

  std::array<utmpx, kEntriesPerRead> entries{};
  for (int first = 0; first < kMaxUtmpEntries; first += kEntriesPerRead) {
    const off_t at = static_cast<off_t>(first) * static_cast<off_t>(sizeof(utmpx));
    const ssize_t n = ::pread(fd->get(), entries.data(), sizeof entries, at);
    if (n < 0) return error_from_errno(errno, file);
    const std::size_t count = static_cast<std::size_t>(n) / sizeof(utmpx);
    for (std::size_t i = 0; i < count; ++i) {
      const utmpx& entry = entries[i];
      const std::string_view line(entry.ut_line, ::strnlen(entry.ut_line, sizeof entry.ut_line));
      if (entry.ut_type != USER_PROCESS || line != old_line) continue;
      char field[sizeof entry.ut_line] = {};
      new_line.copy(field, sizeof field);  // full width needs no NUL (utmp(5))
      const auto offset = at + static_cast<off_t>(i * sizeof(utmpx) + offsetof(utmpx, ut_line));
      if (::pwrite(fd->get(), field, sizeof field, offset) != static_cast<ssize_t>(sizeof field))
        return error_from_errno(errno, file);
      return true;
    }
    if (count < entries.size()) return false;
  }
  return false;
}

UtmpLine::UtmpLine(std::string outer, std::string inner, std::string file)
    : outer_(std::move(outer)), inner_(std::move(inner)), file_(std::move(file)) {
  if (file_.empty()) return;
  auto moved = move_utmp_line(outer_, inner_, file_);
  moved_ = moved && *moved;
}

UtmpLine UtmpLine::resume(std::string outer, std::string inner, std::string file) {
  UtmpLine line;
  line.outer_ = std::move(outer);
  line.inner_ = std::move(inner);
  line.file_ = std::move(file);
  line.moved_ = true;
  return line;
}

void UtmpLine::give_back() noexcept {
  if (!moved_) return;
  moved_ = false;
  (void)move_utmp_line(inner_, outer_, file_).ok();
}

void UtmpLine::swap(UtmpLine& other) noexcept {
  outer_.swap(other.outer_);
  inner_.swap(other.inner_);
  file_.swap(other.file_);
  std::swap(moved_, other.moved_);
}

}  // namespace opelog::record
