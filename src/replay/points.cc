#include "replay/points.h"

#include <cstdio>

namespace opelog::replay {

void append_visible(std::uint32_t p, std::string& out) {
  if (p < 0x20 || (p >= 0x7F && p < 0xA0) || (p >= 0xD800 && p <= 0xDFFF) || p > 0x10FFFF) return;
  if (is_bidi_or_hidden(p)) {
    char text[16];
    std::snprintf(text, sizeof text, "<U+%04X>", static_cast<unsigned>(p));
    out += text;
  } else if (p < 0x80) {
    out += static_cast<char>(p);
  } else if (p < 0x800) {
    out += static_cast<char>(0xC0 | (p >> 6));
    out += static_cast<char>(0x80 | (p & 0x3F));
  } else if (p < 0x10000) {
    out += static_cast<char>(0xE0 | (p >> 12));
    out += static_cast<char>(0x80 | ((p >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (p & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | (p >> 18));
    out += static_cast<char>(0x80 | ((p >> 12) & 0x3F));
    out += static_cast<char>(0x80 | ((p >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (p & 0x3F));
  }
}

}  // namespace opelog::replay
