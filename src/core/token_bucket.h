// TokenBucket: how much may pass now, of what comes at most at some rate. Pure.
//
// Fills by `rate` a second up to `most`; begins full. What is spent beyond what is there is owed, and paid
// back before anything is available again. A clock that goes back counts as standing.
#pragma once

#include <cstdint>

#include "core/clock.h"

namespace opelog {

/// What one held, and when; plain, for memory that outlives it. All zeros: full.
struct TokenBucketMark {
  double level;
  std::int64_t at;
};

class TokenBucket {
 public:
  /// `rate` above 0.
  TokenBucket(std::uint64_t rate, std::uint64_t most, MonoUs now);

  [[nodiscard]] std::uint64_t available(MonoUs now) noexcept;
  void spend(std::uint64_t amount) noexcept { level_ -= static_cast<double>(amount); }
  /// When `amount` will be available; when it is full, if it never holds that much.
  [[nodiscard]] MonoUs when(std::uint64_t amount, MonoUs now) noexcept;

  [[nodiscard]] TokenBucketMark mark() const noexcept { return {level_, filled_at_}; }
  /// Holds no more than the marked one would by now. Any number may stand in it.
  void go_on(const TokenBucketMark& mark, MonoUs now) noexcept;

  [[nodiscard]] std::uint64_t rate() const noexcept { return rate_; }
  [[nodiscard]] std::uint64_t most() const noexcept { return most_; }

 private:
  std::uint64_t rate_, most_;
  double level_;
  MonoUs filled_at_;
};

}  // namespace opelog
