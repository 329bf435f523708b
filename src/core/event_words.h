// The words of all events that a hook may hear of (all of the log's but kHookEvent), for whoever names one: a
// policy, a reader. Pure.
#pragma once

#include <string_view>
#include <vector>

namespace opelog {

/// In order. docs/operating.md says what each means (a test compares them with the sources).
const std::vector<std::string_view>& event_words();

/// Whether one of `on_event` stands for any event: a word, or the beginning of words with `*` behind it.
bool names_an_event(std::string_view pattern);

}  // namespace opelog
