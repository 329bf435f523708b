#include "record/entry_bound.h"

#include <algorithm>
#include <iterator>
#include <limits>

namespace opelog::record {

bool EntryBound::admit(std::uint32_t uid, MonoUs now) {
  for (; !admitted_.empty() && admitted_.front().first + kEntryWindowUs <= now; admitted_.pop_front()) {
    const auto user = of_user_.find(admitted_.front().second);
    if (--user->second == 0) of_user_.erase(user);
  }
  const auto user = of_user_.find(uid);
  if (admitted_.size() < kMaxEntered && (user == of_user_.end() || user->second < kMaxEnteredOfUser)) {
    admitted_.emplace_back(now, uid);
    ++of_user_[uid];
    return true;
  }
  auto known = left_out_.find(uid);
  if (known == left_out_.end()) {
    // Of users beyond that nobody is named: they are counted with the last one.
    known = left_out_.size() < kMaxEntered ? left_out_.emplace(uid, LeftOut{0, now}).first
                                           : std::prev(left_out_.end());
  }
  ++known->second.count;
  return false;
}

std::optional<MonoUs> EntryBound::deadline() const {
  std::optional<MonoUs> first;
  for (const auto& [uid, left] : left_out_) first = std::min(first.value_or(left.since), left.since);
  if (first) *first += kEntryWindowUs;
  return first;
}

std::vector<EntriesLeftOut> EntryBound::due(MonoUs now) {
  std::vector<EntriesLeftOut> due;
  for (auto it = left_out_.begin(); it != left_out_.end();) {
    if (it->second.since > now - kEntryWindowUs) {
      ++it;
      continue;
    }
    due.push_back({it->first, it->second.count});
    it = left_out_.erase(it);
  }
  return due;
}

std::vector<EntriesLeftOut> EntryBound::rest() {
  return due(std::numeric_limits<MonoUs>::max());
}

}  // namespace opelog::record
