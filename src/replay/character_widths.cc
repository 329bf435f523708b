#include "replay/character_widths.h"

#include <vterm.h>

#include <algorithm>
#include <string>

#include "replay/points.h"

namespace opelog::replay {

struct CharacterWidths::Terminal {
  Terminal() : vterm(vterm_new(1, 8)) {
    vterm_set_utf8(vterm, 1);
    VTermState* state = vterm_obtain_state(vterm);
    static const VTermStateCallbacks kCallbacks = {
        [](VTermGlyphInfo* info, VTermPos, void* self) {
          auto* terminal = static_cast<Terminal*>(self);
          terminal->drawn = info->chars[0] != 0 && info->chars[1] == 0 ? info->chars[0] : 0;
          terminal->width = info->width;
          return 1;
        },
        nullptr,
        nullptr,
        nullptr,
        nullptr,
        nullptr,
        nullptr,
        nullptr,
        nullptr,
        nullptr,
        nullptr,
    };
    vterm_state_set_callbacks(state, &kCallbacks, this);
    vterm_state_reset(state, 1);
  }
  ~Terminal() { vterm_free(vterm); }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  VTerm* vterm;
  int width = 0;
  char32_t drawn = 0;  ///< 0: combined
};

CharacterWidths::CharacterWidths() = default;
CharacterWidths::~CharacterWidths() = default;

int CharacterWidths::ask(char32_t point) {
  std::string character;
  append_utf8(point, character);
  if (point < 0xA0 || character.empty()) return point >= 0x20 && point < 0x7F ? 1 : 0;
  if (!terminal_) {
    terminal_ = std::make_unique<Terminal>();
    widths_.assign(kWidthsKnown, kUnasked);
  }
  // What is combined is so with a character given before it, not with one of the same piece.
  for (const std::string& piece : {std::string("\x1b[1;1Hx"), character})
    vterm_input_write(terminal_->vterm, piece.data(), piece.size());
  const bool stands = terminal_->drawn == point && (terminal_->width == 1 || terminal_->width == 2);
  return widths_[point] = static_cast<std::uint8_t>(stands ? terminal_->width : 0);
}

std::string cut_to_cells(const std::string& text, int cells) {
  CharacterWidths widths;
  int used = 0;
  std::size_t fits = 0;  // bytes that leave a cell for "~"
  for (std::size_t i = 0; i < text.size();) {
    const auto first = static_cast<unsigned char>(text[i]);
    const std::size_t n = first < 0x80 ? 1 : std::max<std::size_t>(utf8_lead(first).size, 1);
    char32_t p = n == 1 ? first : first & (0xFFU >> (n + 1));
    for (std::size_t k = 1; k < n && i + k < text.size(); ++k)
      p = (p << 6U) | (static_cast<unsigned char>(text[i + k]) & 0x3FU);
    used += p < kWidthsKnown ? widths.of(p) : 2;
    if (used > cells) return cells > 0 ? text.substr(0, fits) + "~" : "";
    i = std::min(i + n, text.size());
    if (used < cells) fits = i;
  }
  return text;
}

}  // namespace opelog::replay
