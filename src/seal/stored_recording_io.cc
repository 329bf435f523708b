#include "seal/stored_recording_io.h"

#include <algorithm>
#include <utility>

#include "format/recording_files_io.h"

namespace opelog::seal {
namespace {

constexpr std::size_t kStoredPieceBytes = 256 * 1024;
// `.time` first: the other files hold then at least what it speaks of.
constexpr std::array<std::size_t, 3> kOpeningOrder = {1, 0, 2};

}  // namespace

Status StoredRecording::open(const std::string& directory, const std::string& name,
                             const format::RecordingList* list) {
  bool any = false;
  for (const std::size_t i : kOpeningOrder) {
    auto file = format::open_stored(directory + "/", name + std::string(kRecordingSuffixes[i]), list);
    if (!file) {
      if (file.error().code == Code::kNotFound) continue;
      return std::move(file).error();
    }
    auto size = (*file)->size();
    if (!size) return std::move(size).error();
    sizes_[i] = *size;
    files_[i] = std::move(*file);
    any = true;
  }
  if (!any) return Error{Code::kNotFound, directory + "/" + name + ": no such recording", 0};
  buffer_.resize(kStoredPieceBytes);
  return {};
}

std::string StoredRecording::stored_as() const {
  std::string names;
  for (const auto& file : files_) {
    if (!file || file->as_written()) continue;
    const std::string& path = file->name();
    names += (names.empty() ? "" : ", ") + path.substr(path.rfind('/') + 1);
  }
  return names;
}

bool StoredRecording::live() const {
  return files_[1] && files_[1]->as_written() && format::is_locked(files_[1]->descriptor());
}

Status StoredRecording::read(std::size_t file, std::uint64_t from, std::uint64_t to,
                             const std::function<void(std::string_view)>& take) {
  while (from < to && files_[file]) {
    auto got =
        files_[file]->read_at(buffer_.data(), std::min<std::uint64_t>(buffer_.size(), to - from), from);
    if (!got) return std::move(got).error();
    if (*got == 0) return {};
    take({buffer_.data(), *got});
    from += *got;
  }
  return {};
}

}  // namespace opelog::seal
