#include "format/recording_list_io.h"

#include <dirent.h>
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "core/fd_io.h"
#include "format/stored_name.h"

namespace opelog::format {
namespace {

struct CloseDir {
  void operator()(DIR* dir) const noexcept { ::closedir(dir); }
};

}  // namespace

Result<RecordingList> list_recordings(const std::string& directory) {
  auto fd = open_at(AT_FDCWD, directory, O_RDONLY | O_DIRECTORY);
  if (!fd) return std::move(fd).error();
  std::unique_ptr<DIR, CloseDir> dir(::fdopendir(fd->get()));
  if (!dir) return error_from_errno(errno, directory);
  (void)fd->release();  // closedir closes it
  RecordingList list;
  std::vector<std::string>& names = list.names;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(dir.get());
    if (entry == nullptr) break;
    if (auto name = recording_of(entry->d_name)) names.push_back(std::move(*name));
    StoredName stored = parse_stored_name(entry->d_name);
    if (!stored.rotation.empty()) list.rotated.emplace_back(std::move(stored.file), entry->d_name);
  }
  if (errno != 0) return error_from_errno(errno, directory);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  std::sort(list.rotated.begin(), list.rotated.end());
  return list;
}

Result<std::vector<std::string>> list_names(const std::string& directory) {
  auto list = list_recordings(directory);
  if (!list) return std::move(list).error();
  return std::move(list->names);
}

}  // namespace opelog::format
