// Time as values. Pure code takes these as parameters; only clock_io.h asks the kernel.
#pragma once

#include <cstdint>
#include <string>

namespace opelog {

/// Microseconds of CLOCK_MONOTONIC: differences only.
using MonoUs = std::int64_t;
/// Microseconds since 1970-01-01 UTC of CLOCK_REALTIME: for people and file names.
using WallUs = std::int64_t;

constexpr std::int64_t kUsPerMs = 1000;
constexpr std::int64_t kUsPerS = 1000000;

/// Whether it may be a time or a duration: sums and differences of a few are no overflow.
constexpr bool is_time(std::int64_t us) noexcept {
  return us >= 0 && us <= INT64_MAX / 8;
}

/// "2026-11-22T14:05:09.123456+00:00" in UTC; `digits` of the fraction, 0 to 6.
std::string format_utc(WallUs when, int digits = 6);

}  // namespace opelog
