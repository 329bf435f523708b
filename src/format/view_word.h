// What an auditor does with a recording, in the words of the ledger's `viewed` entries. Pure.
#pragma once

#include <optional>
#include <string_view>

namespace opelog::format {

enum class View { kPlay, kShow, kTail, kCommands, kExport, kProve, kSearch, kReport };

const char* view_word(View view) noexcept;
std::optional<View> parse_view(std::string_view word);
/// It reads many recordings: the entry names none.
constexpr bool is_of_many(View view) noexcept {
  return view == View::kSearch || view == View::kReport;
}

}  // namespace opelog::format
