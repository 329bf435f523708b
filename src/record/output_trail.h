// OutputTrail: how many bytes of output there were at a time shortly ago.
//
// Pure. Exec events are told up to 0.1 s late; the place they belong to in the output is looked up here.
// Keeps the last kSteps times of output, those within a millisecond as one: what is older is told by the
// oldest.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/clock.h"

namespace opelog::record {

class OutputTrail {
 public:
  /// 1 KiB for each session; more than 64 ms of a flood, and seconds of anything else.
  static constexpr std::size_t kSteps = 64;

  /// After output was recorded at `when` (never before the last time): `bytes` in all.
  void add(MonoUs when, std::uint64_t bytes) noexcept;
  /// Bytes that were recorded up to and including `when`.
  [[nodiscard]] std::uint64_t at(MonoUs when) const noexcept;

 private:
  struct Step {
    MonoUs since = 0;
    std::uint64_t bytes = 0;
  };
  std::array<Step, kSteps> steps_{};
  std::size_t count_ = 0;        ///< ever taken
  std::uint64_t forgotten_ = 0;  ///< bytes before the oldest step
};

}  // namespace opelog::record
