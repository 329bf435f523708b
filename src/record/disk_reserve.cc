#include "record/disk_reserve.h"

#include <algorithm>

namespace opelog::record {

void DiskReserve::configure(std::uint64_t reserve) {
  wanted_ = reserve;
  reserve_ = 0;
  headroom_ = INT64_MAX;
  asked_ = false;
  since_low_.clear();
}

void DiskReserve::looked(std::uint64_t free, std::uint64_t size, std::uint64_t written) {
  free_ = free;
  asked_ = false;
  if (wanted_ == 0) return;
  reserve_ = std::min(wanted_, size / kReserveOfDisk);
  const std::uint64_t since = written_ - written;
  const std::uint64_t left = free - std::min(free, since);
  headroom_ = static_cast<std::int64_t>(left) - static_cast<std::int64_t>(reserve_);
  if (headroom_ >= 0) since_low_.clear();
}

void DiskReserve::below(std::uint32_t uid, std::uint64_t bytes) {
  since_low_[uid] += bytes;
  if (asked_ || !look) return;
  asked_ = true;
  look();
}

bool DiskReserve::has_part(std::uint32_t uid) const {
  const auto found = since_low_.find(uid);
  return found == since_low_.end() || found->second < part();
}

}  // namespace opelog::record
