#include "core/token_bucket.h"

#include <algorithm>
#include <cmath>

namespace opelog {

TokenBucket::TokenBucket(std::uint64_t rate, std::uint64_t most, MonoUs now)
    : rate_(rate), most_(most), level_(static_cast<double>(most)), filled_at_(now) {}

std::uint64_t TokenBucket::available(MonoUs now) noexcept {
  if (now > filled_at_) {
    const double came = static_cast<double>(rate_) * static_cast<double>(now - filled_at_) / kUsPerS;
    level_ = std::min(level_ + came, static_cast<double>(most_));
    filled_at_ = now;
  }
  return level_ > 0 ? static_cast<std::uint64_t>(level_) : 0;
}

MonoUs TokenBucket::when(std::uint64_t amount, MonoUs now) noexcept {
  amount = std::min(amount, most_);
  if (available(now) >= amount) return now;
  const double wait = (static_cast<double>(amount) - level_) * kUsPerS / static_cast<double>(rate_);
  return now + static_cast<MonoUs>(std::ceil(wait));
}

}  // namespace opelog
