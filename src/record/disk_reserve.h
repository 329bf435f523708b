// DiskReserve: who may still write when the recordings' file system is nearly full. Pure.
//
// While less than the reserve is free, each user may write a part of it; it begins anew when enough is free
// again. Between two looks at the file system what is written counts as taken from it, so nobody writes the
// reserve away before it is seen. Where there is no reserve, or nobody has looked yet, everybody may write.
#pragma once

#include <cstdint>
#include <functional>
#include <unordered_map>

namespace opelog::record {

/// Of how many users the parts fit into the reserve.
constexpr std::uint64_t kReserveParts = 64;
/// Of a small file system not more than this part is kept in reserve.
constexpr std::uint64_t kReserveOfDisk = 32;

class DiskReserve {
 public:
  /// 0: none. What was known of the file system is forgotten.
  void configure(std::uint64_t reserve);
  /// The file system has `free` of `size` bytes, as of when written() was that.
  void looked(std::uint64_t free, std::uint64_t size, std::uint64_t written);

  void wrote(std::uint32_t uid, std::uint64_t bytes) {
    written_ += bytes;
    headroom_ -= static_cast<std::int64_t>(bytes);
    if (headroom_ < 0) below(uid, bytes);
  }
  [[nodiscard]] bool may_write(std::uint32_t uid) const { return headroom_ >= 0 || has_part(uid); }

  [[nodiscard]] bool low() const noexcept { return headroom_ < 0; }
  [[nodiscard]] std::uint64_t written() const noexcept { return written_; }  ///< by all, since the start
  [[nodiscard]] std::uint64_t reserve() const noexcept { return reserve_; }  ///< that counts; 0 until a look
  [[nodiscard]] std::uint64_t part() const noexcept { return reserve_ / kReserveParts; }
  [[nodiscard]] std::uint64_t free() const noexcept { return free_; }  ///< at the last look

  /// Called when it seems to fall below the reserve: time to look.
  std::function<void()> look;

 private:
  void below(std::uint32_t uid, std::uint64_t bytes);
  [[nodiscard]] bool has_part(std::uint32_t uid) const;

  std::uint64_t wanted_ = 0, reserve_ = 0, free_ = 0, written_ = 0;
  std::int64_t headroom_ = INT64_MAX;                           ///< above the reserve; below 0: it is low
  bool asked_ = false;                                          ///< for a look, since the last one
  std::unordered_map<std::uint32_t, std::uint64_t> since_low_;  ///< what each user wrote
};

}  // namespace opelog::record
