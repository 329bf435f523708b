// Code points of an operator's text: which of them hide or reorder what stands around them, and how they are
// shown to an auditor. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace opelog::replay {

/// Bidi controls, line separators and tags: invisible themselves, and able to change what is read.
constexpr bool is_bidi_or_hidden(std::uint32_t p) {
  return p == 0x061C || p == 0x200E || p == 0x200F || (p >= 0x2028 && p <= 0x202E) ||
         (p >= 0x2066 && p <= 0x2069) || (p >= 0xE0000 && p <= 0xE007F);
}

/// How a character that begins with this byte, 0x80 or above, goes on. Shorter forms, surrogates and what is
/// beyond U+10FFFF are no characters.
struct Utf8Lead {
  std::size_t size = 0;                   ///< bytes of the character; 0: none begins so
  unsigned char low = 0x80, high = 0xBF;  ///< range of the second byte; any further one is 0x80 to 0xBF
};
constexpr Utf8Lead utf8_lead(unsigned char c) {
  if (c >= 0xC2 && c <= 0xDF) return {2, 0x80, 0xBF};
  if (c == 0xE0) return {3, 0xA0, 0xBF};
  if (c == 0xED) return {3, 0x80, 0x9F};
  if (c >= 0xE1 && c <= 0xEF) return {3, 0x80, 0xBF};
  if (c == 0xF0) return {4, 0x90, 0xBF};
  if (c == 0xF4) return {4, 0x80, 0x8F};
  if (c >= 0xF1 && c <= 0xF3) return {4, 0x80, 0xBF};
  return {};
}

constexpr std::size_t kMaxUtf8 = 4;
/// Writes `p` as UTF-8, and says how many bytes that were; none for what is no character.
inline std::size_t encode_utf8(std::uint32_t p, char* to) {
  const auto tail = [p](int shift) { return static_cast<char>(0x80 | ((p >> shift) & 0x3F)); };
  if (p < 0x80) {
    to[0] = static_cast<char>(p);
    return 1;
  }
  if (p < 0x800) {
    to[0] = static_cast<char>(0xC0 | (p >> 6));
    to[1] = tail(0);
    return 2;
  }
  if (p < 0x10000) {
    if (p >= 0xD800 && p <= 0xDFFF) return 0;
    to[0] = static_cast<char>(0xE0 | (p >> 12));
    to[1] = tail(6);
    to[2] = tail(0);
    return 3;
  }
  if (p > 0x10FFFF) return 0;
  to[0] = static_cast<char>(0xF0 | (p >> 18));
  to[1] = tail(12);
  to[2] = tail(6);
  to[3] = tail(0);
  return 4;
}

/// Appends `p` as UTF-8; what is no character vanishes.
void append_utf8(std::uint32_t p, std::string& out);
/// The same for the auditor; what hides becomes <U+202E>; controls vanish.
void append_visible(std::uint32_t p, std::string& out);

}  // namespace opelog::replay
