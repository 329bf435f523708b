#include "format/view_word.h"

#include <iterator>

namespace opelog::format {
namespace {

constexpr const char* kViewWords[] = {"play",   "show",  "tail",   "commands",
                                      "export", "prove", "search", "report"};
static_assert(std::size(kViewWords) == static_cast<std::size_t>(View::kReport) + 1);

}  // namespace

const char* view_word(View view) noexcept {
  return kViewWords[static_cast<std::size_t>(view)];
}

std::optional<View> parse_view(std::string_view word) {
  for (std::size_t i = 0; i < std::size(kViewWords); ++i) {
    if (word == kViewWords[i]) return static_cast<View>(i);
  }
  return std::nullopt;
}

}  // namespace opelog::format
