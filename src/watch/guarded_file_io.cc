#include "watch/guarded_file_io.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "core/append_only_io.h"

namespace opelog::watch {
namespace {

constexpr unsigned kWanted = STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID;

FileKind kind_of(unsigned mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return FileKind::kRegular;
    case S_IFLNK:
      return FileKind::kSymlink;
    case S_IFIFO:
      return FileKind::kFifo;
    case S_IFSOCK:
      return FileKind::kSocket;
    case S_IFDIR:
      return FileKind::kDirectory;
    default:
      return FileKind::kDevice;
  }
}

std::int64_t nanoseconds(const struct statx_timestamp& t) {
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

Place place_of(const struct statx& st) {
  return Place{st.stx_ino, makedev(st.stx_dev_major, st.stx_dev_minor),
               (st.stx_mask & STATX_MNT_ID) != 0 ? st.stx_mnt_id : 0};
}

Look look_by(int dirfd, const char* name, int flags, const Place& place) {
  struct statx st {};
  Look look;
  // AT_STATX_DONT_SYNC: a file system of a user's own, mounted over the name, is not asked and cannot hold
  // us.
  if (::statx(dirfd, name, flags | AT_STATX_DONT_SYNC | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, kWanted,
              &st) != 0) {
    look.kind = errno == ENOENT || errno == ENOTDIR ? FileKind::kGone : FileKind::kUnreadable;
    return look;
  }
  const Place there = place_of(st);
  look.kind = kind_of(st.stx_mode);
  look.foreign_mount =
      there.mount != 0 && place.mount != 0 ? there.mount != place.mount : there.device != place.device;
  look.append_only = (st.stx_attributes & STATX_ATTR_APPEND) != 0;
  look.links = st.stx_nlink;
  look.uid = st.stx_uid;
  look.inode = st.stx_ino;
  look.size = st.stx_size;
  look.mtime_ns = nanoseconds(st.stx_mtime);
  look.birth_ns = (st.stx_mask & STATX_BTIME) != 0 ? nanoseconds(st.stx_btime) : 0;
  return look;
}

FlagOutcome outcome_of(const Error& error) {
  if (error.err == EAGAIN || error.err == EBUSY)
    return FlagOutcome::kBusy;  // EAGAIN: a lease is being broken
  if (error.code == Code::kUnsupported) return FlagOutcome::kUnsupported;
  if (error.code == Code::kDenied) return FlagOutcome::kDenied;
  return FlagOutcome::kFailed;
}

}  // namespace

Look look_at(int directory, const Place& place, const std::string& name) {
  return look_by(directory, name.c_str(), 0, place);
}

Look look_at(int fd, const Place& place) {
  return look_by(fd, "", AT_EMPTY_PATH, place);
}

Result<Place> find_directory(const std::string& path) {
  struct statx st {};
  if (::statx(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW, kWanted, &st) != 0)
    return error_from_errno(errno, path);
  if (S_ISLNK(st.stx_mode))
    return Error{Code::kInvalid, path + ": is a symbolic link, which is not followed", 0};
  if (!S_ISDIR(st.stx_mode)) return Error{Code::kInvalid, path + ": is not a directory", 0};
  return place_of(st);
}

Result<OpenedDirectory> open_directory(const std::string& path) {
  auto fd = open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!fd) {
    if (fd.error().err == ELOOP)
      return Error{Code::kInvalid, path + ": is a symbolic link, which is not followed", ELOOP};
    return std::move(fd).error();
  }
  struct statx st {};
  if (::statx(fd->get(), "", AT_EMPTY_PATH, kWanted, &st) != 0) return error_from_errno(errno, path);
  return OpenedDirectory{std::move(*fd), place_of(st)};
}

PinnedFile pin_file(int directory, const Place& place, const std::string& name, std::uint64_t inode) {
  PinnedFile pinned;
  auto fd = open_at(directory, name, O_PATH | O_NOFOLLOW);
  if (!fd) {
    pinned.outcome = fd.error().code == Code::kNotFound ? FlagOutcome::kGone : FlagOutcome::kFailed;
    pinned.reason = fd.error().message;
    return pinned;
  }
  pinned.look = look_at(fd->get(), place);
  if (pinned.look.inode != inode) {
    pinned.outcome = FlagOutcome::kGone;
    pinned.reason = "another file has the name";
  } else if (pinned.look.kind != FileKind::kRegular || pinned.look.foreign_mount || pinned.look.links != 1) {
    pinned.outcome = FlagOutcome::kNotEligible;
    pinned.reason = "not a regular file with one link on the directory's mount";
  } else {
    pinned.fd = std::move(*fd);
  }
  return pinned;
}

event::FlagDone change_flag(int directory, const Place& place, const action::Flag& wanted) {
  event::FlagDone done;
  done.directory = wanted.directory;
  done.name = wanted.name;
  done.inode = wanted.inode;
  done.on = wanted.on;
  PinnedFile pinned = pin_file(directory, place, wanted.name, wanted.inode);
  done.look = pinned.look;
  done.outcome = pinned.outcome;
  done.reason = std::move(pinned.reason);
  if (!pinned.fd) return done;
  auto fd = reopen(pinned.fd.get(), O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (!fd) {
    done.outcome = outcome_of(fd.error());
    done.reason = done.outcome == FlagOutcome::kBusy ? "somebody holds a lease on it" : fd.error().message;
    return done;
  }
  if (auto set = set_append_only(fd->get(), wanted.on); !set) {
    done.outcome = outcome_of(set.error());
    done.reason = set.error().message;
    return done;
  }
  done.look = look_at(fd->get(), place);
  return done;
}

Result<std::vector<std::string>> read_entries(int directory) {
  alignas(dirent64) std::array<char, kScanBytes> buffer;
  for (;;) {
    const ssize_t n = ::getdents64(directory, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return error_from_errno(errno, "read directory");
    std::vector<std::string> names;
    for (std::size_t at = 0; at < static_cast<std::size_t>(n);) {
      const auto* entry = reinterpret_cast<const dirent64*>(buffer.data() + at);
      at += entry->d_reclen;
      if (std::strcmp(entry->d_name, ".") != 0 && std::strcmp(entry->d_name, "..") != 0) {
        names.emplace_back(entry->d_name);
      }
    }
    if (n == 0 || !names.empty()) return names;  // a buffer of "." and ".." alone is not the end
  }
}

void rewind_entries(int directory) {
  ::lseek(directory, 0, SEEK_SET);
}

}  // namespace opelog::watch
