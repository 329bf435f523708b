// Fact: something that happened and that an administrator may want to know, as a value.
//
// Pure code returns facts; log_io.h writes them. The event word is stable (docs/operating.md lists all);
// the text is for people; the fields are for machines. Values may hold outside bytes: whoever prints
// them makes them safe, never whoever states them.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace opelog {

enum class Level { kDebug, kInfo, kWarning, kError };

struct Fact {
  Level level = Level::kInfo;
  std::string event;  ///< "session-start", "guard-flagged", … lower case with dashes
  std::string text;   ///< one sentence without a trailing period
  std::vector<std::pair<std::string, std::string>> fields;
};

/// Where facts go. Never throws, never blocks for long.
using FactSink = std::function<void(const Fact&)>;

/// "text key=value key="va lue"": control characters, quotes, backslashes and invalid UTF-8 of a value come
/// out as \xNN, so that no value can look like another field.
std::string format_fact(const Fact& fact);

/// Makes any bytes fit one printed line: C0, DEL, C1, bidi controls and invalid UTF-8 become \xNN.
std::string printable(std::string_view bytes);

}  // namespace opelog
