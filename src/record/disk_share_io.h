// DiskShare: what one recording takes of its user's part of the disk's reserve, whatever is written into it.
#pragma once

#include <cstdint>
#include <string>

#include "format/recording_writer_io.h"
#include "record/disk_reserve.h"

namespace opelog::record {

/// Why nothing is recorded then.
constexpr const char* kNoPart =
    "less is free than limits.disk_reserve, and this user has written his part of it";

class DiskShare {
 public:
  DiskShare(DiskReserve& reserve, std::uint32_t uid, const format::RecordingWriter& writer)
      : reserve_(reserve), uid_(uid), writer_(writer), charged_(total()) {}

  [[nodiscard]] bool may_write() const { return reserve_.may_write(uid_); }
  /// Something was written.
  void charge() {
    const std::uint64_t now = total();
    reserve_.wrote(uid_, now - charged_);
    charged_ = now;
  }
  /// Bytes of all its files.
  [[nodiscard]] std::uint64_t total() const noexcept {
    return writer_.bytes(0) + writer_.bytes(1) + writer_.bytes(2);
  }

 private:
  DiskReserve& reserve_;
  std::uint32_t uid_;
  const format::RecordingWriter& writer_;
  std::uint64_t charged_;
};

}  // namespace opelog::record
