#include "replay/export_text.h"

#include <algorithm>
#include <cstdio>

#include "core/clock.h"
#include "replay/points.h"

namespace opelog::replay {
namespace {

// The code point of a valid character.
std::uint32_t point_of(std::string_view c) {
  const auto at = [&c](std::size_t i) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(c[i]));
  };
  if (c.size() == 1) return at(0);
  std::uint32_t point = at(0) & (0x7FU >> c.size());
  for (std::size_t i = 1; i < c.size(); ++i) point = (point << 6U) | (at(i) & 0x3FU);
  return point;
}

bool is_control(std::uint32_t p) {
  return p < 0x20 || (p >= 0x7F && p < 0xA0);
}

void append_unit(std::string& out, std::uint32_t unit) {
  char text[8];
  std::snprintf(text, sizeof text, "\\u%04x", static_cast<unsigned>(unit & 0xFFFFU));
  out += text;
}

void append_json_character(std::string& out, std::string_view c) {
  if (c.size() == 1) {
    switch (c[0]) {
      case '"':
      case '\\':
        out += '\\';
        out += c[0];
        return;
      case '\n':
        out += "\\n";
        return;
      case '\r':
        out += "\\r";
        return;
      case '\t':
        out += "\\t";
        return;
      default:
        break;
    }
  }
  const std::uint32_t p = point_of(c);
  if (!is_control(p) && !is_bidi_or_hidden(p)) {
    out += c;
  } else if (p < 0x10000) {
    append_unit(out, p);
  } else {
    append_unit(out, 0xD800 + ((p - 0x10000) >> 10U));
    append_unit(out, 0xDC00 + ((p - 0x10000) & 0x3FFU));
  }
}

void append_html_character(std::string& out, std::string_view c) {
  switch (c.size() == 1 ? c[0] : '\0') {
    case '&':
      out += "&amp;";
      return;
    case '<':
      out += "&lt;";
      return;
    case '>':
      out += "&gt;";
      return;
    case '"':
      out += "&quot;";
      return;
    case '\'':
      out += "&#39;";
      return;
    case '\n':
    case '\t':
      out += c;
      return;
    default:
      break;
  }
  const std::uint32_t p = point_of(c);
  if (is_control(p)) {
    out += kNoCharacter;
  } else if (is_bidi_or_hidden(p)) {
    std::string visible;
    append_visible(p, visible);
    append_html(out, visible);
  } else {
    out += c;
  }
}

}  // namespace

bool Utf8Cutter::begins(unsigned char c) {
  const Utf8Lead lead = utf8_lead(c);
  wanted_ = lead.size;
  low_ = lead.low;
  high_ = lead.high;
  return lead.size > 0;
}

void append_json(std::string& out, std::string_view text) {
  Utf8Cutter cutter;
  const auto take = [&out](std::string_view c, bool valid) {
    append_json_character(out, valid ? c : kNoCharacter);
  };
  cutter.feed(text, take);
  cutter.finish(take);
}

std::string json_string(std::string_view bytes) {
  std::string out = "\"";
  append_json(out, bytes);
  return out + '"';
}

void append_html(std::string& out, std::string_view text) {
  Utf8Cutter cutter;
  const auto take = [&out](std::string_view c, bool valid) {
    append_html_character(out, valid ? c : kNoCharacter);
  };
  cutter.feed(text, take);
  cutter.finish(take);
}

std::string seconds_text(std::int64_t us) {
  us = std::max<std::int64_t>(us, 0);
  char text[32];
  std::snprintf(text, sizeof text, "%lld.%06d", static_cast<long long>(us / kUsPerS),
                static_cast<int>(us % kUsPerS));
  return text;
}

std::string elapsed_text(std::int64_t us) {
  const std::int64_t s = std::max<std::int64_t>(us, 0) / kUsPerS;
  char text[32];
  std::snprintf(text, sizeof text, "%lld:%02d:%02d", static_cast<long long>(s / 3600),
                static_cast<int>(s / 60 % 60), static_cast<int>(s % 60));
  return text;
}

}  // namespace opelog::replay
