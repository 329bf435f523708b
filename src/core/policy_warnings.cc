#include "core/policy_warnings.h"

#include <algorithm>

#include "core/event_words.h"

namespace opelog {

std::vector<std::string> policy_warnings(const Policy& policy, const std::string& file) {
  std::vector<std::string> warnings;
  // The first rule that matches decides.
  for (auto rule = policy.rules.begin(); rule != policy.rules.end(); ++rule) {
    const auto before = std::find_if(policy.rules.begin(), rule, [&](const Rule& other) {
      return other.match == Match{} || other.match == rule->match;
    });
    if (before != rule)
      warnings.push_back(file + ":" + std::to_string(rule->line) + ": rule " + rule->name +
                         " never decides: rule " + before->name +
                         " before it matches every login that it does");
  }
  for (std::size_t i = 0; i < policy.on_event.size(); ++i) {
    for (const std::string& word : policy.on_event[i].events) {
      if (!names_an_event(word))
        warnings.push_back(file + ": on_event[" + std::to_string(i) + "].events: there is no event " + word +
                           "; docs/operating.md has their words");
    }
  }
  return warnings;
}

}  // namespace opelog
