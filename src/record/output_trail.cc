#include "record/output_trail.h"

#include <algorithm>

namespace opelog::record {

void OutputTrail::add(MonoUs when, std::uint64_t bytes) noexcept {
  if (count_ > 0) {
    Step& last = steps_[(count_ - 1) % kSteps];
    if (when - last.since < kUsPerMs) {
      last.bytes = bytes;
      return;
    }
  }
  Step& next = steps_[count_ % kSteps];
  if (count_ >= kSteps) forgotten_ = next.bytes;
  next = {when, bytes};
  ++count_;
}

std::uint64_t OutputTrail::at(MonoUs when) const noexcept {
  for (std::size_t back = 1; back <= std::min(count_, kSteps); ++back) {
    const Step& step = steps_[(count_ - back) % kSteps];
    if (step.since <= when) return step.bytes;
  }
  return forgotten_;
}

}  // namespace opelog::record
