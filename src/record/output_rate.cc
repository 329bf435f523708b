#include "record/output_rate.h"

#include <algorithm>
#include <utility>

namespace opelog::record {

TokenBucket output_bucket(std::uint64_t rate, MonoUs now) {
  return {rate, std::max(rate, kLeastBurst), now};
}

OutputRate::OutputRate(std::uint64_t rate, std::shared_ptr<TokenBucket> of_user, OnOutputRate on_above,
                       MonoUs now)
    : of_user_(std::move(of_user)), on_above_(on_above) {
  if (rate > 0) own_ = output_bucket(rate, now);
}

std::uint64_t OutputRate::available(MonoUs now) noexcept {
  std::uint64_t least = UINT64_MAX;
  if (own_) least = own_->available(now);
  if (of_user_) least = std::min(least, of_user_->available(now));
  return least;
}

OutputRate::Share OutputRate::share(std::size_t size, MonoUs now) {
  const std::uint64_t there = available(now);
  if (on_above_ == OnOutputRate::kPass) return {size, Rest::kNone, size > there};
  if (dropping_) {
    std::uint64_t enough = UINT64_MAX;
    if (own_) enough = own_->most() / 2;
    if (of_user_) enough = std::min(enough, of_user_->most() / 2);
    if (there < enough) return {0, Rest::kDrop, true};
    dropping_ = false;
  }
  if (size <= there) return {size, Rest::kNone, false};
  if (on_above_ == OnOutputRate::kDrop) {
    dropping_ = true;
    return {static_cast<std::size_t>(there), Rest::kDrop, true};
  }
  const auto now_size = static_cast<std::size_t>(std::min<std::uint64_t>(size, std::max(there, last_)));
  return {now_size, now_size < size ? Rest::kWait : Rest::kNone, true};
}

void OutputRate::recorded(std::uint64_t bytes) noexcept {
  if (own_) own_->spend(bytes);
  if (of_user_) of_user_->spend(bytes);
  last_ -= std::min(last_, bytes);
}

OutputRateMark OutputRate::mark() const noexcept {
  OutputRateMark mark{};
  if (own_) mark.own = own_->mark();
  if (of_user_) mark.of_user = of_user_->mark();
  return mark;
}

void OutputRate::go_on(const OutputRateMark& mark, MonoUs now) noexcept {
  if (own_) own_->go_on(mark.own, now);
  if (of_user_) of_user_->go_on(mark.of_user, now);
}

MonoUs OutputRate::next(MonoUs now) noexcept {
  // Not for each byte: a step's worth.
  const auto when = [now](TokenBucket& bucket) {
    const auto step = bucket.rate() / static_cast<std::uint64_t>(kUsPerS / kRateStepUs);
    return bucket.when(std::max<std::uint64_t>(step, 1), now);
  };
  MonoUs at = now + kRateStepUs;
  if (own_) at = std::max(at, when(*own_));
  if (of_user_) at = std::max(at, when(*of_user_));
  return at;
}

}  // namespace opelog::record
