#include "format/retention_io.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <memory>
#include <utility>

#include "format/recording_files_io.h"
#include "format/recording_name.h"
#include "format/recording_open_io.h"
#include "format/stored_file_io.h"
#include "format/zstd_bytes.h"

namespace opelog::format {
namespace {

constexpr int kStoredLevel = 6;  // of terminal output a fifth smaller than 3, at half its speed; nobody waits
constexpr std::size_t kHeadRead = 8192;
constexpr std::string_view kMembers[] = {kLogSuffix, kTimeSuffix, kInputSuffix};

struct CloseRecordings {
  void operator()(DIR* dir) const noexcept { ::closedir(dir); }
};

/// What the directory says of the files of all recordings, by their names.
Result<std::map<std::string, RetainedRecording>> sizes_of(int directory, const std::string& path) {
  auto copy = open_at(directory, ".", O_RDONLY | O_DIRECTORY);
  if (!copy) return std::move(copy).error();
  std::unique_ptr<DIR, CloseRecordings> dir(::fdopendir(copy->get()));
  if (!dir) return error_from_errno(errno, path);
  (void)copy->release();  // closedir closes it
  std::map<std::string, RetainedRecording> found;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(dir.get());
    if (entry == nullptr) break;
    const StoredName stored = parse_stored_name(entry->d_name);
    for (const std::string_view member : kMembers) {
      if (stored.file.size() <= member.size() ||
          stored.file.substr(stored.file.size() - member.size()) != member)
        continue;
      struct stat st {};
      if (::fstatat(directory, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0) break;  // gone meanwhile
      RetainedRecording& r = found[stored.file.substr(0, stored.file.size() - member.size())];
      const auto bytes = static_cast<std::uint64_t>(st.st_size);
      r.bytes += bytes;
      if (stored.rotation.empty() && stored.encoding == Encoding::kPlain) r.plain_bytes += bytes;
      r.changed =
          std::max(r.changed, static_cast<WallUs>(st.st_mtim.tv_sec) * kUsPerS + st.st_mtim.tv_nsec / 1000);
      r.foreign = r.foreign || st.st_uid != 0 || !S_ISREG(st.st_mode);
    }
  }
  if (errno != 0) return error_from_errno(errno, path);
  return found;
}

Status compare(StoredFile& packed, int plain, std::uint64_t size) {
  std::vector<char> one(kReadBytes), other(kReadBytes);
  for (std::uint64_t at = 0;;) {
    auto got = packed.read_at(one.data(), one.size(), at);
    if (!got) return std::move(got).error();
    auto want = read_at(plain, other.data(), other.size(), at);
    if (!want) return std::move(want).error();
    if (*got != *want ||
        !std::equal(one.begin(), one.begin() + static_cast<std::ptrdiff_t>(*got), other.begin()))
      return Error{Code::kInvalid, packed.name() + ": does not hold what the plain file does", 0};
    at += *got;
    if (*got == 0)
      return at == size ? Status{} : Error{Code::kInvalid, packed.name() + ": the plain file has changed", 0};
  }
}

Status pack(int plain, std::uint64_t size, int to) {
  ZstdPacker packer(size, kStoredLevel);
  std::vector<char> buffer(4 * kReadBytes);
  for (std::uint64_t at = 0;;) {
    auto got = read_at(plain, buffer.data(),
                       static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), size - at)), at);
    if (!got) return std::move(got).error();
    at += *got;
    const bool last = *got == 0 || at == size;
    auto packed = packer.take({buffer.data(), *got}, last);
    if (!packed)
      return Error{Code::kInvalid, "the plain file has changed, or there is no memory to compress it", 0};
    if (auto written = write_all(to, *packed); !written) return written;
    if (last) return {};
  }
}

Result<std::uint64_t> size_of(int fd, const std::string& name) {
  auto facts = look_at(fd);
  if (!facts) return Error{Code::kIo, name + ": " + facts.error().message, facts.error().err};
  return facts->size;
}

Result<std::uint64_t> compress_file(const Fd& directory, const std::string& file) {
  auto plain = open_regular(directory.get(), file, O_RDONLY);
  if (!plain) return std::move(plain).error();
  struct stat st {};
  if (::fstat(plain->get(), &st) != 0) return error_from_errno(errno, file);
  const auto size = static_cast<std::uint64_t>(st.st_size);
  const std::string name = file + std::string(kCompressedSuffix);
  auto there = open_regular(directory.get(), name, O_RDONLY);
  if (!there && there.error().code != Code::kNotFound) return std::move(there).error();
  if (there) {
    auto packed = stored_file_of(std::move(*there), name);
    if (!packed) return std::move(packed).error();
    if (auto same = compare(**packed, plain->get(), size); !same) return std::move(same).error();
    return (*packed)->facts().size;
  }
  // Without a name until it is whole.
  auto made = open_at(directory.get(), ".", O_TMPFILE | O_RDWR, 0600);
  if (!made) return std::move(made).error();
  if (auto packed = pack(plain->get(), size, made->get()); !packed)
    return Error{packed.error().code, name + ": " + packed.error().message, packed.error().err};
  const timespec times[2] = {st.st_atim, st.st_mtim};
  if (::fchown(made->get(), st.st_uid, st.st_gid) != 0 || ::fchmod(made->get(), st.st_mode & 0777U) != 0 ||
      ::futimens(made->get(), times) != 0 || ::fsync(made->get()) != 0)
    return error_from_errno(errno, name);
  auto again = duplicate(made->get());
  if (!again) return std::move(again).error();
  auto stored = stored_file_of(std::move(*again), name);
  if (!stored) return std::move(stored).error();
  if (auto same = compare(**stored, plain->get(), size); !same) return std::move(same).error();
  const std::string self = "/proc/self/fd/" + std::to_string(made->get());
  if (::linkat(AT_FDCWD, self.c_str(), directory.get(), name.c_str(), AT_SYMLINK_FOLLOW) != 0)
    return error_from_errno(errno, name);
  return size_of(made->get(), name);
}

}  // namespace

Result<std::vector<RetainedRecording>> gather_recordings(
    const std::string& directory, const std::function<void(std::size_t done, std::size_t all)>& progress) {
  auto fd = open_at(AT_FDCWD, directory, O_RDONLY | O_DIRECTORY);
  if (!fd) return std::move(fd).error();
  auto list = list_recordings(directory);
  if (!list) return std::move(list).error();
  auto sizes = sizes_of(fd->get(), directory);
  if (!sizes) return std::move(sizes).error();
  std::vector<RetainedRecording> recordings;
  recordings.reserve(list->names.size());
  for (std::size_t i = 0; i < list->names.size(); ++i) {
    if (progress) progress(i, list->names.size());
    const std::string& name = list->names[i];
    const auto found = sizes->find(name);
    if (found == sizes->end()) continue;  // gone meanwhile
    RetainedRecording r = found->second;
    r.name = name;
    if (const auto parts = parse_name(name)) r.user = parts->user;
    // What others wrote is not looked into: this runs as root.
    auto files = r.foreign ? Result<RecordingFiles>(Error{Code::kDenied, name, 0})
                           : open_recording(directory + "/" + name + std::string(kTimeSuffix), &*list);
    if (!files) {
      // Whatever it is, it is no recording of ours that one may remove or compress.
      r.foreign = true;
      recordings.push_back(std::move(r));
      continue;
    }
    HeaderDecoder header;
    auto problem = read_header(*files, kHeadRead, header);
    if (problem && header.native) {
      r.id = header.info.id;
      if (!header.info.user.empty()) r.user = header.info.user;
    }
    r.live = files->time && is_locked(files->time->descriptor());
    recordings.push_back(std::move(r));
  }
  return recordings;
}

Result<std::uint64_t> free_bytes_of(const std::string& directory) {
  struct statvfs facts {};
  if (::statvfs(directory.c_str(), &facts) != 0) return error_from_errno(errno, directory);
  return std::uint64_t{facts.f_bavail} * facts.f_frsize;
}

Result<std::uint64_t> compress_recording(const std::string& directory, const std::string& name) {
  auto fd = open_at(AT_FDCWD, directory, O_RDONLY | O_DIRECTORY);
  if (!fd) return std::move(fd).error();
  std::uint64_t bytes = 0;
  for (const std::string_view member : kMembers) {
    auto size = compress_file(*fd, name + std::string(member));
    if (!size && size.error().code == Code::kNotFound) continue;
    if (!size) return size;
    bytes += *size;
  }
  if (::fsync(fd->get()) != 0) return error_from_errno(errno, directory);
  return bytes;
}

}  // namespace opelog::format
