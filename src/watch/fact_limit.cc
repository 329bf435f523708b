#include "watch/fact_limit.h"

#include <algorithm>

namespace opelog::watch {

std::vector<Fact> FactLimit::step(Fact fact, bool own, MonoUs now) {
  std::vector<Fact> out = step(now);
  Window& window = windows_[{fact.event, own}];
  if (window.ends == 0) window.ends = now + kFactWindow;
  if (window.passed < kFactsPerWindow) {
    ++window.passed;
    out.push_back(std::move(fact));
  } else {
    ++window.held;
    window.level = std::max(window.level, fact.level);
  }
  return out;
}

std::vector<Fact> FactLimit::step(MonoUs now) {
  std::vector<Fact> out;
  for (auto it = windows_.begin(); it != windows_.end();) {
    const auto& [key, window] = *it;
    if (window.ends > now) {
      ++it;
      continue;
    }
    if (window.held > 0) {
      out.push_back(Fact{window.level,
                         "guard-limited",
                         "more facts of one kind than are written in a minute",
                         {{"of", key.first},
                          {"own", key.second ? "yes" : "no"},
                          {"withheld", std::to_string(window.held)}}});
    }
    it = windows_.erase(it);
  }
  return out;
}

std::optional<MonoUs> FactLimit::deadline() const {
  std::optional<MonoUs> first;
  for (const auto& [key, window] : windows_) {
    // A window that held nothing back ends without a word: no reason to wake for it.
    if (window.held > 0 && (!first || window.ends < *first)) first = window.ends;
  }
  return first;
}

std::string FactLimit::describe() const {
  std::string out;
  for (const auto& [key, window] : windows_) {
    out += "  facts " + key.first + (key.second ? " (own)" : "") + ": " + std::to_string(window.passed) +
           " written, " + std::to_string(window.held) + " counted\n";
  }
  return out;
}

}  // namespace opelog::watch
