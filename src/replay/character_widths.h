// CharacterWidths: how many columns libvterm gives a character, asked of libvterm once for each.
//
// A terminal of its own draws the character behind another one, so that no table stands here that could
// differ from libvterm's. Invariant: what is told is 1 or 2 for a character that always stands for itself,
// else 0. Memory: a byte for each character below kWidthsKnown, when the first is asked for. Pure.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace opelog::replay {

/// Characters from here on (rare ideographs, tags) are not told of.
constexpr char32_t kWidthsKnown = 0x20000;

class CharacterWidths {
 public:
  CharacterWidths();
  ~CharacterWidths();
  CharacterWidths(const CharacterWidths&) = delete;
  CharacterWidths& operator=(const CharacterWidths&) = delete;

  /// Columns of `point`; 0: it is combined with the one before, or nothing is known.
  int of(char32_t point) {
    if (point >= kWidthsKnown) return 0;
    if (!widths_.empty() && widths_[point] != kUnasked) return widths_[point];
    return ask(point);
  }

 private:
  static constexpr std::uint8_t kUnasked = 0xFF;
  int ask(char32_t point);

  struct Terminal;
  std::unique_ptr<Terminal> terminal_;
  std::vector<std::uint8_t> widths_;
};

/// The beginning of `printable_text` (UTF-8) that fits in `cells`; what is cut ends in "~".
std::string cut_to_cells(const std::string& printable_text, int cells);

}  // namespace opelog::replay
