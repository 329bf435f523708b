#include "core/event_hook.h"

#include <algorithm>

namespace opelog {

bool hears(const EventHook& hook, const Fact& fact) noexcept {
  if (fact.level == Level::kDebug || fact.event == kHookEvent) return false;
  return std::any_of(hook.events.begin(), hook.events.end(), [&fact](std::string_view word) {
    if (word.empty() || word.back() != '*') return word == fact.event;
    word.remove_suffix(1);
    return std::string_view(fact.event).substr(0, word.size()) == word;
  });
}

}  // namespace opelog
