#include "record/connection_watch.h"

#include <algorithm>

namespace opelog::record {

std::vector<Connection> ConnectionWatch::step(const std::vector<Connection>& now) {
  std::vector<Connection> stated;
  std::map<std::pair<std::int64_t, std::uint64_t>, Seen> seen;
  for (const Connection& connection : now) {
    if (!connection.wanted) continue;
    const std::pair key{connection.pid, connection.started};
    const auto before = seen_.find(key);
    Seen state = Seen::kOnce;
    if (connection.carries) {
      state = Seen::kCarried;
    } else if (before != seen_.end()) {
      state = before->second;
      if (state == Seen::kOnce) {
        state = Seen::kStated;
        stated.push_back(connection);
      }
    }
    seen.emplace(key, state);
  }
  seen_.swap(seen);
  return stated;
}

std::size_t ConnectionWatch::unrecorded() const noexcept {
  return static_cast<std::size_t>(
      std::count_if(seen_.begin(), seen_.end(), [](const auto& s) { return s.second == Seen::kStated; }));
}

}  // namespace opelog::record
