#include "core/event_counts.h"

namespace opelog {

void EventCounts::add(const std::string& event) {
  const auto known = counts_.find(event);
  if (known != counts_.end())
    ++known->second;
  else
    ++counts_[counts_.size() + 1 < kMaxEvents ? event : "other"];
}

}  // namespace opelog
