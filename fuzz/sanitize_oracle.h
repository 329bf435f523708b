// What must never leave the sanitizer, found by a second, slow and simple reader of its output.
//
// Shared by the fuzz target and the unit tests. Independent of sanitize.cc on purpose: it knows only what
// may follow an ESC.
#pragma once

#include <cstdint>
#include <regex>
#include <string>

namespace opelog::replay {

/// "" if `out` can only draw; else what is wrong and where.
inline std::string what_is_forbidden(const std::string& out, bool bell) {
  const auto complain = [](const char* what, std::size_t at) {
    return std::string(what) + " at byte " + std::to_string(at);
  };
  for (std::size_t i = 0; i < out.size();) {
    const auto c = static_cast<unsigned char>(out[i]);
    if (c == 0x1B) {
      if (i + 1 >= out.size()) return complain("unfinished ESC", i);
      const char next = out[i + 1];
      if (next == '[') {
        std::size_t end = i + 2;
        while (end < out.size() && (out[end] < 0x40 || out[end] > 0x7E)) {
          if (static_cast<unsigned char>(out[end]) < 0x20 || static_cast<unsigned char>(out[end]) > 0x3F)
            return complain("broken CSI", i);
          ++end;
        }
        if (end >= out.size()) return complain("unfinished CSI", i);
        const std::string body = out.substr(i + 2, end + 1 - i - 2);
        if (body.size() > 300) return complain("long CSI", i);
        static const std::regex kAllowed(
            "[0-9;:]*m|[0-9;]*[@A-IJKLMPSXZ`abdefr]|[0-9]*T|[su]|\\?[0-9;]*[JK]|[0-9]* q|[0-9;]* q|!p|4[hl]|"
            "\\?((1049|1047|1048|47|6|5|45|12|25|7)(;|(?=[hl])))+[hl]");
        if (!std::regex_match(body, kAllowed)) return complain(("CSI " + body).c_str(), i);
        static const std::regex kScrollback("(^|[?;])0*3(;|J)");
        if (body.back() == 'J' && std::regex_search(body, kScrollback))
          return complain("erases the scrollback", i);
        i = end + 1;
        continue;
      }
      if (next == '7' || next == '8' || next == 'D' || next == 'E' || next == 'M') {
        i += 2;
        continue;
      }
      const char third = i + 2 < out.size() ? out[i + 2] : '\0';
      if (next >= '(' && next <= '+' &&
          (third == '0' || third == 'A' || third == 'B' || third == '1' || third == '2' || third == 'U')) {
        i += 3;
        continue;
      }
      if (next == '#' && (third == '3' || third == '4' || third == '5' || third == '6' || third == '8')) {
        i += 3;
        continue;
      }
      return complain("ESC with what does not only draw", i);
    }
    if (c < 0x20) {
      const bool good =
          c == '\r' || c == '\n' || c == '\b' || c == '\t' || c == 0x0E || c == 0x0F || (bell && c == 0x07);
      if (!good) return complain("control", i);
      ++i;
      continue;
    }
    if (c == 0x7F) return complain("DEL", i);
    if (c < 0x80) {
      ++i;
      continue;
    }
    const std::size_t n = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : c >= 0xC2 ? 2 : 0;
    if (n == 0 || i + n > out.size()) return complain("invalid UTF-8", i);
    std::uint32_t p = c & (0xFFU >> (n + 1));
    for (std::size_t k = 1; k < n; ++k) {
      const auto t = static_cast<unsigned char>(out[i + k]);
      if ((t & 0xC0U) != 0x80) return complain("invalid UTF-8", i);
      p = (p << 6) | (t & 0x3FU);
    }
    if (p < 0xA0 || (p >= 0xD800 && p < 0xE000) || p > 0x10FFFF)
      return complain("C1 control or invalid UTF-8", i);
    if (p == 0x061C || p == 0x200E || p == 0x200F || (p >= 0x202A && p <= 0x202E) ||
        (p >= 0x2066 && p <= 0x2069))
      return complain("bidi control", i);
    i += n;
  }
  return {};
}

}  // namespace opelog::replay
