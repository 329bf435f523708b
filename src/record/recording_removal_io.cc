#include "record/recording_removal_io.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "core/append_only_io.h"
#include "format/recording_files_io.h"
#include "format/recording_name.h"
#include "format/session_header.h"
#include "format/stored_name.h"

namespace opelog::record {
namespace {

constexpr std::size_t kMostFiles = 100;  // of one recording; each takes a descriptor
// The guard may set a flag again that was cleared a moment ago.
constexpr int kRemovalTries = 20;
constexpr useconds_t kRemovalPauseUs = 10000;

struct CloseFolder {
  void operator()(DIR* dir) const noexcept { ::closedir(dir); }
};

/// Input, output, timing: in this order they are removed; -1 of what is no file of the recording.
int rank_of(const std::string& file, const std::string& name) {
  constexpr std::string_view kRanks[] = {format::kInputSuffix, format::kLogSuffix, format::kTimeSuffix};
  for (int i = 0; i < 3; ++i) {
    if (file == name + std::string(kRanks[i])) return i;
  }
  return -1;
}

Result<std::vector<std::string>> files_of(int directory, const std::string& name) {
  auto copy = open_at(directory, ".", O_RDONLY | O_DIRECTORY);
  if (!copy) return std::move(copy).error();
  std::unique_ptr<DIR, CloseFolder> dir(::fdopendir(copy->get()));
  if (!dir) return error_from_errno(errno, name);
  (void)copy->release();  // closedir closes it
  std::vector<std::pair<int, std::string>> ranked;
  errno = 0;
  while (const dirent* entry = ::readdir(dir.get())) {
    const int rank = rank_of(format::parse_stored_name(entry->d_name).file, name);
    if (rank >= 0) ranked.emplace_back(rank, entry->d_name);
  }
  if (errno != 0) return error_from_errno(errno, name);
  std::sort(ranked.begin(), ranked.end());
  std::vector<std::string> names;
  for (auto& [rank, file] : ranked) names.push_back(std::move(file));
  return names;
}

Result<struct stat> facts_of(int fd, const std::string& name) {
  struct stat st {};
  if (::fstat(fd, &st) != 0) return error_from_errno(errno, name);
  return st;
}

bool is_plain(const std::string& file) {
  return format::parse_stored_name(file).encoding == format::Encoding::kPlain;
}

/// Clears the flag and removes the name, if it is still that of the inode.
Status remove_one(int directory, const RecordingRemoval::File& file, int fd) {
  for (int i = 0;; ++i) {
    struct stat st {};
    if (::fstatat(directory, file.name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0)
      return error_from_errno(errno, file.name);
    if (st.st_ino != file.inode)
      return Error{Code::kInvalid, file.name + ": is another file now, not touched", 0};
    if (auto cleared = set_append_only(fd, false); !cleared && cleared.error().code != Code::kUnsupported)
      return std::move(cleared).error();
    if (::unlinkat(directory, file.name.c_str(), 0) == 0) return {};
    const int err = errno;
    if (err != EPERM || i == kRemovalTries) return error_from_errno(err, file.name + ": remove");
    ::usleep(kRemovalPauseUs);
  }
}

}  // namespace

Status RecordingRemoval::open_files(const std::string& directory, const std::string& name) {
  if (!format::is_recording_name(name)) return Error{Code::kInvalid, "not the name of a recording", 0};
  auto opened = open_at(AT_FDCWD, directory, O_RDONLY | O_DIRECTORY);
  if (!opened) return std::move(opened).error();
  directory_ = std::move(*opened);
  recording_.name = name;
  if (const auto parts = format::parse_name(name)) recording_.user = parts->user;
  auto names = files_of(directory_.get(), name);
  if (!names) return std::move(names).error();
  if (names->empty()) return Error{Code::kNotFound, name + ": no such recording", ENOENT};
  if (names->size() > kMostFiles)
    return Error{Code::kLimit, name + ": has more files than a recording can have", 0};
  for (const std::string& file : *names) {
    auto fd = format::open_regular(directory_.get(), file, O_RDONLY);
    if (!fd) return std::move(fd).error();
    auto st = facts_of(fd->get(), file);
    if (!st) return std::move(st).error();
    if (st->st_uid != 0) recording_.foreign = true;
    recording_.changed = std::max(
        recording_.changed, static_cast<WallUs>(st->st_mtim.tv_sec) * kUsPerS + st->st_mtim.tv_nsec / 1000);
    recording_.bytes += static_cast<std::uint64_t>(st->st_size);
    const bool timing = rank_of(format::parse_stored_name(file).file, name) == 2 && is_plain(file);
    if (timing && format::is_locked(fd->get())) recording_.live = true;
    if (timing) {
      format::HeaderDecoder header;
      const int time = fd->get();
      auto problem =
          format::read_header([time](char* data, std::size_t size,
                                     std::uint64_t at) { return format::read_at(time, data, size, at); },
                              format::kReadBytes, header);
      if (problem && header.native) {
        recording_.id = header.info.id;
        if (!header.info.user.empty()) recording_.user = header.info.user;
      }
    }
    const auto flag = has_append_only(fd->get());
    flagged_ = flagged_ || (flag && *flag);
    files_.push_back({file, st->st_ino, static_cast<std::uint64_t>(st->st_size)});
    descriptors_.push_back(std::move(*fd));
  }
  return {};
}

Status RecordingRemoval::check(const Retention& policy, WallUs now, bool young_stay) {
  if (recording_.live) return Error{Code::kExists, recording_.name + ": a writer holds this recording", 0};
  Retention asked = policy;
  if (!young_stay) asked.keep_at_least_s = 0;
  const std::string stays = format::not_to_prune(asked, recording_, now);
  if (!stays.empty()) return Error{Code::kDenied, recording_.name + ": stays: " + stays, 0};
  return {};
}

Result<std::unique_ptr<RecordingRemoval>> RecordingRemoval::look(const std::string& directory,
                                                                 const std::string& name,
                                                                 const Retention& policy, WallUs now) {
  std::unique_ptr<RecordingRemoval> removal(new RecordingRemoval);
  if (auto opened = removal->open_files(directory, name); !opened) return std::move(opened).error();
  if (auto good = removal->check(policy, now, true); !good) return std::move(good).error();
  return removal;
}

Result<std::unique_ptr<RecordingRemoval>> RecordingRemoval::look_compressed(const std::string& directory,
                                                                            const std::string& name,
                                                                            const Retention& policy,
                                                                            WallUs now) {
  std::unique_ptr<RecordingRemoval> removal(new RecordingRemoval);
  RecordingRemoval& r = *removal;
  if (auto opened = r.open_files(directory, name); !opened) return std::move(opened).error();
  if (auto good = r.check(policy, now, false); !good) return std::move(good).error();
  std::vector<File> all;
  std::vector<Fd> descriptors;
  all.swap(r.files_);
  descriptors.swap(r.descriptors_);
  r.recording_.bytes = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (rank_of(all[i].name, name) < 0) continue;  // not as it was written
    const std::string packed = all[i].name + std::string(format::kCompressedSuffix);
    const auto found =
        std::find_if(all.begin(), all.end(), [&packed](const File& file) { return file.name == packed; });
    if (found == all.end())
      return Error{Code::kNotFound, packed + ": is not there, so nothing is removed", ENOENT};
    Fd& fd = descriptors[static_cast<std::size_t>(found - all.begin())];
    auto plain = facts_of(descriptors[i].get(), all[i].name);
    auto st = facts_of(fd.get(), packed);
    if (!plain) return std::move(plain).error();
    if (!st) return std::move(st).error();
    if (st->st_size == 0 || st->st_nlink != 1 || st->st_gid != plain->st_gid ||
        ((st->st_mode & ~plain->st_mode) & 07777U) != 0)
      return Error{
          Code::kDenied,
          packed + ": empty, or with another group, a wider mode or a second name; nothing is removed", 0};
    r.compressed_bytes_ += static_cast<std::uint64_t>(st->st_size);
    r.recording_.bytes += all[i].bytes;
    r.files_.push_back(all[i]);
    r.descriptors_.push_back(std::move(descriptors[i]));
    r.staying_.push_back(std::move(fd));
  }
  if (r.files_.empty()) return Error{Code::kNotFound, name + ": has no plain files", ENOENT};
  return removal;
}

Status RecordingRemoval::remove() {
  for (const Fd& fd : staying_) {
    if (!flagged_) break;
    if (auto set = set_append_only(fd.get(), true); !set) return set;
  }
  for (std::size_t i = 0; i < files_.size(); ++i) {
    if (auto removed = remove_one(directory_.get(), files_[i], descriptors_[i].get()); !removed)
      return removed;
  }
  if (::fsync(directory_.get()) != 0) return error_from_errno(errno, recording_.name);
  descriptors_.clear();  // here the blocks are given back, which may take long
  return {};
}

}  // namespace opelog::record
