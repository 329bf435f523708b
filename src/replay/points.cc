#include "replay/points.h"

#include <array>
#include <cstdio>

namespace opelog::replay {

void append_utf8(std::uint32_t p, std::string& out) {
  std::array<char, kMaxUtf8> bytes;
  out.append(bytes.data(), encode_utf8(p, bytes.data()));
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
