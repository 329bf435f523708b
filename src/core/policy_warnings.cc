#include "core/policy_warnings.h"

#include <algorithm>

#include "core/event_hook.h"
#include "core/event_words.h"

namespace opelog {

std::vector<std::string> policy_warnings(const Policy& policy, const std::string& file) {
  std::vector<std::string> warnings;
  // The first rule that matches decides.
  for (auto rule = policy.rules.begin(); rule != policy.rules.end(); ++rule) {
    const auto before = std::find_if(policy.rules.begin(), rule, [&](const Rule& other) {
      if (other.match == Match{}) return true;
      // Whose parents are gone meets no rule that lets pass by them, but one that does not
      // (policy_decide.cc).
      const bool by_parents = !other.match.parent.empty() || !other.match.ancestor.empty();
      const bool orphans = by_parents && other.action == Action::kPass && rule->action != Action::kPass;
      return other.match == rule->match && !orphans;
    });
    if (before != rule)
      warnings.push_back(file + ":" + std::to_string(rule->line) + ": rule " + rule->name +
                         " never decides: rule " + before->name +
                         " before it matches every login that it does");
  }
  for (std::size_t i = 0; i < policy.on_event.size(); ++i) {
    for (const std::string& word : policy.on_event[i].events) {
      if (word == kHookEvent)
        warnings.push_back(file + ": on_event[" + std::to_string(i) + "].events: no hook hears of " + word);
      else if (!names_an_event(word))
        warnings.push_back(file + ": on_event[" + std::to_string(i) + "].events: there is no event " + word +
                           "; docs/operating.md has their words");
    }
  }
  return warnings;
}

}  // namespace opelog
