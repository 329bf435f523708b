#include "format/recording_gaps_io.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <variant>

#include "format/recording_open_io.h"
#include "format/session_header.h"
#include "format/timing_record.h"

namespace opelog::format {
namespace {

constexpr const char* kOtherGaps = "…";

// A hostile file may claim any number.
void add_up(std::uint64_t& sum, std::uint64_t n) {
  sum += std::min(n, std::numeric_limits<std::uint64_t>::max() - sum);
}

void add_gap(const GapInfo& gap, std::int64_t at_us, GapSums& sums) {
  if (sums.first_us < 0) sums.first_us = at_us;
  ++sums.gaps;
  const auto named = [&sums](const std::string& what) {
    return std::find_if(sums.kinds.begin(), sums.kinds.end(),
                        [&what](const GapSum& kind) { return kind.what == what; });
  };
  auto kind = named(gap.what);
  if (kind == sums.kinds.end()) {
    const bool room = sums.kinds.size() + 1 < kGapKinds;
    if (!room) kind = named(kOtherGaps);
    if (kind == sums.kinds.end())
      kind = sums.kinds.insert(sums.kinds.end(), {room ? gap.what : kOtherGaps, 0, 0, 0});
  }
  ++kind->gaps;
  add_up(kind->bytes, gap.bytes);
  add_up(kind->count, gap.count);
}

}  // namespace

Result<GapSums> sum_gaps(const std::string& path) {
  auto files = open_recording(path);
  if (!files) return std::move(files).error();
  GapSums sums;
  if (!files->time) return sums;
  TimingScanner scanner;
  NoteJoiner joiner;
  std::int64_t at_us = 0;
  const auto take = [&](const std::optional<Note>& note) {
    if (!note) return;
    if (const auto gap = decode_gap(*note)) add_gap(*gap, at_us, sums);
  };
  std::vector<char> buffer(kReadBytes);
  for (std::uint64_t at = 0;;) {
    const auto got = files->time->read_at(buffer.data(), buffer.size(), at);
    if (!got || *got == 0) break;
    at += *got;
    scanner.feed({buffer.data(), *got});
    TimingRecord record;
    auto outcome = scanner.next(record);
    for (; outcome == TimingScanner::Outcome::kRecord; outcome = scanner.next(record)) {
      const std::int64_t delay = delay_of(record);
      if (at_us > kMaxTimeUs - delay) return sums;
      at_us += delay;
      const auto* header = std::get_if<HeaderRecord>(&record);
      bool taken = header == nullptr;
      if (taken) take(joiner.drain());
      // A note that another one tears is given first, and the other is offered again.
      while (!taken) take(joiner.add(*header, taken));
    }
    if (outcome == TimingScanner::Outcome::kCorrupt) break;
  }
  take(joiner.drain());
  return sums;
}

}  // namespace opelog::format
