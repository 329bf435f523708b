#include "core/token_bucket.h"

#include <algorithm>
#include <cmath>

namespace opelog {
namespace {

// What is owed, however much, is not waited for longer.
constexpr double kLongestUs = 1e15;

}  // namespace

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

void TokenBucket::go_on(const TokenBucketMark& mark, MonoUs now) noexcept {
  if (mark.at == 0 || !std::isfinite(mark.level)) return;
  const double passed = std::max(static_cast<double>(now) - static_cast<double>(mark.at), 0.0);
  (void)available(now);
  level_ = std::min(level_, mark.level + static_cast<double>(rate_) * passed / kUsPerS);
}

MonoUs TokenBucket::when(std::uint64_t amount, MonoUs now) noexcept {
  amount = std::min(amount, most_);
  if (available(now) >= amount) return now;
  const double wait = (static_cast<double>(amount) - level_) * kUsPerS / static_cast<double>(rate_);
  return now + static_cast<MonoUs>(std::ceil(std::min(wait, kLongestUs)));
}

}  // namespace opelog
