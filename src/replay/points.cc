#include "replay/points.h"

#include <cstdio>

namespace opelog::replay {

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
