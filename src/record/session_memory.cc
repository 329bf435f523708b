#include "record/session_memory.h"

namespace opelog::record {
namespace {

// Above it no limit makes sense, and a double is not exact.
constexpr std::uint64_t kMostRate = 1ULL << 53U;

}  // namespace

const char* fault_of(const SessionMark& mark) noexcept {
  for (const std::size_t which : {kKeptLog, kKeptTime, kKeptShim}) {
    if (mark.descriptors[which] == DescriptorMark{}) return "a descriptor is not named";
  }
  if (!SessionMachine::is_sound(mark.machine)) return "its state is none";
  for (const std::int64_t time : {mark.begun, mark.held_since, mark.paused_at}) {
    if (!is_time(time)) return "a time is none";
  }
  for (int i = 0; i < static_cast<int>(mark.same_as.size()); ++i) {
    const int same = mark.same_as[static_cast<std::size_t>(i)];
    if (same < -1 || same >= i) return "a stream is the same as one that comes later";
  }
  if (mark.quota.on_output_rate > static_cast<std::uint32_t>(OnOutputRate::kPass) ||
      mark.quota.output_rate > kMostRate)
    return "a limit is none";
  if (mark.stating > Counted::kLostEvents) return "what is being stated is nothing";
  return "";
}

void settle_stated(SessionMark& mark, std::uint64_t time_meant) noexcept {
  const Counted stated = mark.stating;
  mark.stating = Counted::kNothing;
  if (time_meant <= mark.stating_from) return;
  switch (stated) {
    case Counted::kNothing:
      break;
    case Counted::kDropped:
      mark.quota.dropped = 0;
      mark.quota.drop_stated = 0;
      break;
    case Counted::kLostOutput:
      mark.lost_output = 0;
      break;
    case Counted::kLostInput:
      mark.lost_input = 0;
      break;
    case Counted::kHiddenInput:
      mark.hidden_input = 0;
      break;
    case Counted::kLostSizes:
      mark.lost_sizes = 0;
      break;
    case Counted::kLostEvents:
      mark.lost_events = 0;
      break;
  }
}

}  // namespace opelog::record
