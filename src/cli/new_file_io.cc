#include "cli/new_file_io.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace opelog::cli {
namespace {

constexpr unsigned kNewFileMode = 0600;

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

Error exists_already(const std::string& path) {
  return Error{Code::kExists, path + " exists; --force replaces it", EEXIST};
}

}  // namespace

NewFile::NewFile(NewFile&& other) noexcept
    : path_(std::move(other.path_)),
      replace_(other.replace_),
      fd_(std::move(other.fd_)),
      temporary_(std::exchange(other.temporary_, "")),
      kept_(other.kept_) {}

NewFile::~NewFile() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

std::string NewFile::hidden() const {
  const std::size_t slash = path_.rfind('/');
  const std::size_t name = slash == std::string::npos ? 0 : slash + 1;
  return path_.substr(0, name) + "." + path_.substr(name) + "." + std::to_string(::getpid());
}

Result<NewFile> NewFile::create(const std::string& path, bool replace) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) == 0) {
    if (!replace) return exists_already(path);
    if (!S_ISREG(found.st_mode))
      return Error{Code::kInvalid, path + " is no regular file, and is not replaced", 0};
  }
  NewFile file(path, replace);
  auto fd = open_at(AT_FDCWD, directory_of(path), O_WRONLY | O_TMPFILE, kNewFileMode);
  if (!fd && fd.error().err != EOPNOTSUPP && fd.error().err != EISDIR)
    return error_from_errno(fd.error().err, path);
  if (!fd) {
    std::string name = file.hidden();
    fd = open_at(AT_FDCWD, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, kNewFileMode);
    if (!fd) return std::move(fd).error();
    file.temporary_ = std::move(name);
  }
  file.fd_ = std::move(*fd);
  return file;
}

Status NewFile::write(std::string_view bytes) {
  auto written = write_all(fd_.get(), bytes);
  if (written) return {};
  return Error{written.error().code, path_ + ": " + written.error().message, written.error().err};
}

Status NewFile::keep() {
  if (::fsync(fd_.get()) != 0) return error_from_errno(errno, path_);
  const std::string self = "/proc/self/fd/" + std::to_string(fd_.get());
  if (temporary_.empty()) {
    const std::string name = replace_ ? hidden() : path_;
    if (::linkat(AT_FDCWD, self.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) != 0)
      return errno == EEXIST ? exists_already(name) : error_from_errno(errno, path_);
    if (replace_) temporary_ = name;
  } else if (!replace_) {
    if (::link(temporary_.c_str(), path_.c_str()) != 0)
      return errno == EEXIST ? exists_already(path_) : error_from_errno(errno, path_);
    ::unlink(temporary_.c_str());
    temporary_.clear();
  }
  if (!temporary_.empty()) {
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) return error_from_errno(errno, path_);
    temporary_.clear();
  }
  kept_ = true;
  // The name too survives a power cut only once its directory is on the disk; some cannot be synced.
  if (auto directory = open_at(AT_FDCWD, directory_of(path_), O_RDONLY | O_DIRECTORY))
    (void)::fsync(directory->get());
  return {};
}

void NewFile::withdraw() {
  if (kept_ && !replace_) ::unlink(path_.c_str());
}

}  // namespace opelog::cli
