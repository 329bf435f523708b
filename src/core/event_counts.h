// EventCounts: how often each event was stated since the start, for whoever watches from outside. Bounded by
// kMaxEvents: words beyond it, which only a mistake could make, are counted together. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

namespace opelog {

constexpr std::size_t kMaxEvents = 200;

class EventCounts {
 public:
  void add(const std::string& event);
  /// By event, in the order of their names; what was counted together is "other".
  [[nodiscard]] const std::map<std::string, std::uint64_t>& all() const noexcept { return counts_; }

 private:
  std::map<std::string, std::uint64_t> counts_;
};

}  // namespace opelog
