#include "replay/points.h"

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <iterator>

namespace opelog::replay {
namespace {

struct Range {
  std::uint32_t first, last;
};

// Of Unicode's EastAsianWidth.txt: W and F, runs joined where nothing else stands between them.
constexpr Range kWide[] = {
    {0x1100, 0x115F},   {0x231A, 0x231B},   {0x2329, 0x232A},   {0x23E9, 0x23EC},   {0x23F0, 0x23F0},
    {0x23F3, 0x23F3},   {0x25FD, 0x25FE},   {0x2614, 0x2615},   {0x2648, 0x2653},   {0x267F, 0x267F},
    {0x2693, 0x2693},   {0x26A1, 0x26A1},   {0x26AA, 0x26AB},   {0x26BD, 0x26BE},   {0x26C4, 0x26C5},
    {0x26CE, 0x26CE},   {0x26D4, 0x26D4},   {0x26EA, 0x26EA},   {0x26F2, 0x26F3},   {0x26F5, 0x26F5},
    {0x26FA, 0x26FA},   {0x26FD, 0x26FD},   {0x2705, 0x2705},   {0x270A, 0x270B},   {0x2728, 0x2728},
    {0x274C, 0x274C},   {0x274E, 0x274E},   {0x2753, 0x2755},   {0x2757, 0x2757},   {0x2795, 0x2797},
    {0x27B0, 0x27B0},   {0x27BF, 0x27BF},   {0x2B1B, 0x2B1C},   {0x2B50, 0x2B50},   {0x2B55, 0x2B55},
    {0x2E80, 0x303E},   {0x3041, 0xA4CF},   {0xA960, 0xA97F},   {0xAC00, 0xD7A3},   {0xF900, 0xFAFF},
    {0xFE10, 0xFE19},   {0xFE30, 0xFE6F},   {0xFF01, 0xFF60},   {0xFFE0, 0xFFE6},   {0x16FE0, 0x18DFF},
    {0x1AFF0, 0x1B2FF}, {0x1F004, 0x1F004}, {0x1F0CF, 0x1F0CF}, {0x1F18E, 0x1F18E}, {0x1F191, 0x1F19A},
    {0x1F200, 0x1F265}, {0x1F300, 0x1F64F}, {0x1F680, 0x1F6FF}, {0x1F7E0, 0x1F7EB}, {0x1F90C, 0x1F9FF},
    {0x1FA70, 0x1FAFF}, {0x20000, 0x3FFFD}};

// Combining marks of the scripts that terminals show, joiners, variation selectors.
constexpr Range kNoWidth[] = {{0x0300, 0x036F}, {0x0483, 0x0489},  {0x0591, 0x05BD}, {0x0610, 0x061A},
                              {0x064B, 0x065F}, {0x0E31, 0x0E31},  {0x0E34, 0x0E3A}, {0x0E47, 0x0E4E},
                              {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF},  {0x200B, 0x200D}, {0x20D0, 0x20F0},
                              {0x302A, 0x302D}, {0x3099, 0x309A},  {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F},
                              {0xFEFF, 0xFEFF}, {0xE0100, 0xE01EF}};

template <std::size_t N>
bool holds(const Range (&ranges)[N], std::uint32_t p) {
  const auto* const behind = std::upper_bound(std::begin(ranges), std::end(ranges), p,
                                              [](std::uint32_t q, const Range& r) { return q < r.first; });
  return behind != std::begin(ranges) && p <= std::prev(behind)->last;
}

}  // namespace

int cell_width(std::uint32_t p) noexcept {
  if (p < 0x0300) return 1;
  if (holds(kNoWidth, p)) return 0;
  return holds(kWide, p) ? 2 : 1;
}

std::string cut_to_cells(const std::string& text, int cells) {
  int used = 0;
  std::size_t fits = 0;  // bytes that leave a cell for "~"
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t n = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    std::uint32_t p = n == 1 ? lead : lead & (0x7FU >> n);
    for (std::size_t k = 1; k < n && i + k < text.size(); ++k)
      p = (p << 6U) | (static_cast<unsigned char>(text[i + k]) & 0x3FU);
    used += cell_width(p);
    if (used > cells) return cells > 0 ? text.substr(0, fits) + "~" : "";
    i = std::min(i + n, text.size());
    if (used < cells) fits = i;
  }
  return text;
}

void append_utf8(std::uint32_t p, std::string& out) {
  const auto tail = [p](int shift) { return static_cast<char>(0x80 | ((p >> shift) & 0x3F)); };
  if (p < 0x80) {
    out += static_cast<char>(p);
  } else if (p < 0x800) {
    const char bytes[2] = {static_cast<char>(0xC0 | (p >> 6)), tail(0)};
    out.append(bytes, sizeof bytes);
  } else if (p >= 0xD800 && p <= 0xDFFF) {
    return;
  } else if (p < 0x10000) {
    const char bytes[3] = {static_cast<char>(0xE0 | (p >> 12)), tail(6), tail(0)};
    out.append(bytes, sizeof bytes);
  } else if (p <= 0x10FFFF) {
    const char bytes[4] = {static_cast<char>(0xF0 | (p >> 18)), tail(12), tail(6), tail(0)};
    out.append(bytes, sizeof bytes);
  }
}

void append_visible(std::uint32_t p, std::string& out) {
  if (p < 0x20 || (p >= 0x7F && p < 0xA0)) return;
  if (is_bidi_or_hidden(p)) {
    char text[16];
    std::snprintf(text, sizeof text, "<U+%04X>", static_cast<unsigned>(p));
    out += text;
  } else {
    append_utf8(p, out);
  }
}

}  // namespace opelog::replay
