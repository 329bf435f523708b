// FactLimit: keeps a hostile user from drowning the log in the guard's facts.
//
// A pure machine. Per event word kFactsPerWindow facts pass in a window; the rest are counted, and the count
// is stated as one `guard-limited` fact when the window ends. Nothing is silently lost: the sum is in the
// log. Facts about our own recordings have windows of their own, so that noise of others cannot hide them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "core/fact.h"

namespace opelog::watch {

/// Facts of one event word in one window: enough to see what goes on, few enough to read.
constexpr int kFactsPerWindow = 20;
constexpr MonoUs kFactWindow = 60 * kUsPerS;

class FactLimit {
 public:
  /// What may be written now because of `fact`: the fact itself or nothing. `own` chooses the window.
  std::vector<Fact> step(Fact fact, bool own, MonoUs now);
  /// Ends windows that are over; the counts of what they held back.
  std::vector<Fact> step(MonoUs now);
  [[nodiscard]] std::optional<MonoUs> deadline() const;
  [[nodiscard]] std::string describe() const;

 private:
  struct Window {
    MonoUs ends = 0;
    int passed = 0;
    std::uint64_t held = 0;
    Level level = Level::kInfo;  ///< the gravest of what was held
  };
  std::map<std::pair<std::string, bool>, Window> windows_;  ///< bounded by the number of event words, twice
};

}  // namespace opelog::watch
