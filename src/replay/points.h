// Code points of an operator's text: which of them hide or reorder what stands around them, and how they are
// shown to an auditor. Pure.
#pragma once

#include <cstdint>
#include <string>

namespace opelog::replay {

/// Bidi controls, line separators and tags: invisible themselves, and able to change what is read.
constexpr bool is_bidi_or_hidden(std::uint32_t p) {
  return p == 0x061C || p == 0x200E || p == 0x200F || (p >= 0x2028 && p <= 0x202E) ||
         (p >= 0x2066 && p <= 0x2069) || (p >= 0xE0000 && p <= 0xE007F);
}

/// Cells it takes on a terminal: 0 for marks over another, 2 for East Asian wide ones and emoji.
int cell_width(std::uint32_t p) noexcept;

/// The beginning of `printable_text` (UTF-8) that fits in `cells`; what is cut ends in "~".
std::string cut_to_cells(const std::string& printable_text, int cells);

/// Appends `p` as UTF-8; what is no character vanishes.
void append_utf8(std::uint32_t p, std::string& out);
/// The same for the auditor; what hides becomes <U+202E>; controls vanish.
void append_visible(std::uint32_t p, std::string& out);

}  // namespace opelog::replay
