#include "core/fact.h"

#include <cstdint>
#include <cstdio>
#include <string_view>

namespace opelog {
namespace {

// Length of the well-formed UTF-8 sequence at s, 0 if there is none (RFC 3629: no surrogates, no overlong).
std::size_t utf8_length(std::string_view s, std::uint32_t* point) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(s[i]); };
  const unsigned char b = at(0);
  if (b < 0x80) {
    *point = b;
    return 1;
  }
  std::size_t n = b >= 0xF0 && b <= 0xF4 ? 4 : b >= 0xE0 ? 3 : b >= 0xC2 ? 2 : 0;
  if (n == 0 || b > 0xF4 || s.size() < n) return 0;
  std::uint32_t p = b & (0xFFu >> (n + 1));
  for (std::size_t i = 1; i < n; ++i) {
    if ((at(i) & 0xC0) != 0x80) return 0;
    p = (p << 6) | (at(i) & 0x3Fu);
  }
  if ((n == 3 && (p < 0x800 || (p >= 0xD800 && p <= 0xDFFF))) || (n == 4 && (p < 0x10000 || p > 0x10FFFF)))
    return 0;
  *point = p;
  return n;
}

bool is_unsafe(std::uint32_t p) {
  return p < 0x20 || (p >= 0x7F && p < 0xA0) || p == 0x200E || p == 0x200F || p == 0x061C ||
         (p >= 0x202A && p <= 0x202E) || (p >= 0x2066 && p <= 0x2069) || p == 0x2028 || p == 0x2029;
}

}  // namespace

std::string printable(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  while (!bytes.empty()) {
    std::uint32_t point = 0;
    std::size_t n = utf8_length(bytes, &point);
    if (n > 0 && !is_unsafe(point)) {
      out.append(bytes.substr(0, n));
    } else {
      if (n == 0) n = 1;
      for (std::size_t i = 0; i < n; ++i) {
        char hex[8];
        std::snprintf(hex, sizeof hex, "\\x%02x", static_cast<unsigned char>(bytes[i]));
        out += hex;
      }
    }
    bytes.remove_prefix(n);
  }
  return out;
}

std::string format_fact(const Fact& fact) {
  std::string line = fact.event + ": " + printable(fact.text);
  for (const auto& [key, value] : fact.fields) {
    // A quote or backslash of the value as \xNN too: then a quote in the line is always ours.
    std::string plain;
    for (const char c : value) {
      if (c == '"')
        plain += "\\x22";
      else if (c == '\\')
        plain += "\\x5c";
      else
        plain += c;
    }
    const std::string safe = printable(plain);
    const char* quote = safe.empty() || safe.find_first_of(" =") != std::string::npos ? "\"" : "";
    line += ' ';
    line += key;
    line += '=';
    line += quote;
    line += safe;
    line += quote;
  }
  return line;
}

}  // namespace opelog
