// StoredRecording: the bytes of a recording for its verdict, wherever and however its files are stored.
//
// Invariant: sizes are those of the moment it was opened, and of a live recording they fit each other: what
// `.time` says of the other files is there.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "format/recording_list_io.h"
#include "format/stored_file_io.h"
#include "seal/session_verdict.h"

namespace opelog::seal {

/// Of each file of a recording, in the order of RecordingBytes.
constexpr std::array<std::string_view, 3> kRecordingSuffixes = {format::kLogSuffix, format::kTimeSuffix,
                                                                format::kInputSuffix};

class StoredRecording final : public RecordingBytes {
 public:
  /// Code::kNotFound if it has no file at all. `list`, if given, is of `directory`, and saves reading it.
  Status open(const std::string& directory, const std::string& name,
              const format::RecordingList* list = nullptr);

  /// Names of the files that are not as they were written: rotated or compressed; "" if all are.
  [[nodiscard]] std::string stored_as() const;
  /// Whether a writer holds it.
  [[nodiscard]] bool live() const;
  std::optional<std::uint64_t> size(std::size_t file) override { return sizes_[file]; }
  Status read(std::size_t file, std::uint64_t from, std::uint64_t to,
              const std::function<void(std::string_view)>& take) override;

 private:
  std::array<std::unique_ptr<format::StoredFile>, 3> files_;
  std::array<std::optional<std::uint64_t>, 3> sizes_;
  std::vector<char> buffer_;
};

}  // namespace opelog::seal
