// OutputRate: what of a session's output may be recorded now, where output has a rate. Pure.
//
// Two buckets: the session's own, and one that all sessions of its user share; either may be missing. Both
// must have room. What is left of a session whose shell has ended comes at once, up to kLastBytes, and is
// owed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "core/clock.h"
#include "core/policy.h"
#include "core/token_bucket.h"

namespace opelog::record {

/// At least so much may be saved up: some full screens.
constexpr std::uint64_t kLeastBurst = 65536;
/// What a terminal and one chunk may still hold when the shell has ended.
constexpr std::uint64_t kLastBytes = 131072;
/// How long a delayed session waits at least: so many turns a second, however slow it is.
constexpr std::int64_t kRateStepUs = 20 * kUsPerMs;

/// A bucket for output at that rate: one second's worth is saved up.
TokenBucket output_bucket(std::uint64_t rate, MonoUs now);

/// What both held, for memory that outlives them.
struct OutputRateMark {
  TokenBucketMark own, of_user;
};

class OutputRate {
 public:
  /// `rate` 0: the session has none of its own. `of_user` may be nullptr.
  OutputRate(std::uint64_t rate, std::shared_ptr<TokenBucket> of_user, OnOutputRate on_above, MonoUs now);

  enum class Rest { kNone, kWait, kDrop };
  struct Share {
    std::size_t record = 0;  ///< so many of the bytes may be recorded now
    Rest rest = Rest::kNone;
    bool above = false;  ///< not all were within the rate
  };
  Share share(std::size_t size, MonoUs now);
  /// So many were recorded.
  void recorded(std::uint64_t bytes) noexcept;
  /// After kWait: when there will be more.
  [[nodiscard]] MonoUs next(MonoUs now) noexcept;
  [[nodiscard]] OutputRateMark mark() const noexcept;
  /// Another process's. Of the sessions of one user each has marked the bucket that they share: the one that
  /// spent last knows the least of it.
  void go_on(const OutputRateMark& mark, MonoUs now) noexcept;
  /// The shell has ended.
  void last() noexcept { last_ = kLastBytes; }

  [[nodiscard]] bool dropping() const noexcept { return dropping_; }
  [[nodiscard]] OnOutputRate on_above() const noexcept { return on_above_; }

 private:
  [[nodiscard]] std::uint64_t available(MonoUs now) noexcept;

  std::optional<TokenBucket> own_;
  std::shared_ptr<TokenBucket> of_user_;
  OnOutputRate on_above_;
  bool dropping_ = false;  ///< until half of what may be saved up is there again: two gaps a second at most
  std::uint64_t last_ = 0;
};

}  // namespace opelog::record
