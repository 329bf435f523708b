#include "record/view_table.h"

namespace opelog::record {

ViewTable::Verdict ViewTable::step(const Viewing& viewing, MonoUs now) {
  for (; !order_.empty() && order_.front().first + kEntryWindowUs <= now; order_.pop_front())
    entered_.erase(order_.front().second);
  if (entered_.count(viewing) > 0) return Verdict::kEntered;
  if (!bound_.admit(viewing.uid, now)) return Verdict::kTooMany;
  entered_.insert(viewing);
  order_.emplace_back(now, viewing);
  return Verdict::kEnter;
}

}  // namespace opelog::record
