// What a recording itself says it lacks: its gap records, summed.
//
// Reads `.time` once, from its beginning, as far as it is sound; of a live one as far as it has come. What
// the reader finds missing beyond that (bytes that a file lacks) is the recording's state, not here. Memory:
// kGapKinds sums. Never writes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/result.h"

namespace opelog::format {

/// Kinds told apart; of more, which no recorder writes, the rest is one, "…".
constexpr std::size_t kGapKinds = 16;

struct GapSum {
  std::string what;
  std::uint64_t gaps = 0, bytes = 0, count = 0;  ///< records; sums of what they say
};

struct GapSums {
  std::uint64_t gaps = 0;
  std::int64_t first_us = -1;  ///< since the start; -1: none
  std::vector<GapSum> kinds;   ///< in the order in which they first appear
};

/// `path` as for RecordingReader::open. Without a timing file there are none.
Result<GapSums> sum_gaps(const std::string& path);

}  // namespace opelog::format
