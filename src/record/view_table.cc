#include "record/view_table.h"

#include <algorithm>
#include <limits>

namespace opelog::record {

void ViewTable::forget(MonoUs now) {
  for (; !order_.empty() && order_.front().first + kViewWindowUs <= now; order_.pop_front()) {
    const Viewing& viewing = order_.front().second;
    const auto user = of_user_.find(viewing.uid);
    if (--user->second == 0) of_user_.erase(user);
    entered_.erase(viewing);
  }
}

ViewTable::Verdict ViewTable::leave_out(std::uint32_t uid, MonoUs now) {
  auto known = left_out_.find(uid);
  if (known == left_out_.end()) {
    // Of users beyond that nobody is named: they are counted with the last one.
    known = left_out_.size() < kMaxViews ? left_out_.emplace(uid, LeftOut{0, now}).first
                                         : std::prev(left_out_.end());
  }
  ++known->second.count;
  return Verdict::kTooMany;
}

ViewTable::Verdict ViewTable::step(const Viewing& viewing, MonoUs now) {
  forget(now);
  if (entered_.count(viewing) > 0) return Verdict::kEntered;
  const auto user = of_user_.find(viewing.uid);
  if (entered_.size() >= kMaxViews || (user != of_user_.end() && user->second >= kMaxViewsOfUser))
    return leave_out(viewing.uid, now);
  entered_.emplace(viewing, now);
  order_.emplace_back(now, viewing);
  ++of_user_[viewing.uid];
  return Verdict::kEnter;
}

std::optional<MonoUs> ViewTable::deadline() const {
  std::optional<MonoUs> first;
  for (const auto& [uid, left] : left_out_) first = std::min(first.value_or(left.since), left.since);
  if (first) *first += kViewWindowUs;
  return first;
}

std::vector<ViewsLeftOut> ViewTable::due(MonoUs now) {
  std::vector<ViewsLeftOut> due;
  for (auto it = left_out_.begin(); it != left_out_.end();) {
    if (it->second.since > now - kViewWindowUs) {
      ++it;
      continue;
    }
    due.push_back({it->first, it->second.count});
    it = left_out_.erase(it);
  }
  return due;
}

std::vector<ViewsLeftOut> ViewTable::rest() {
  return due(std::numeric_limits<MonoUs>::max());
}

}  // namespace opelog::record
