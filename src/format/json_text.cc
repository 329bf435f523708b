#include "format/json_text.h"

#include <array>
#include <charconv>

namespace opelog::format {
namespace {

void append_u(std::string& out, unsigned unit) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += kHex[(unit >> shift) & 15U];
}

/// Length of the valid UTF-8 sequence at the beginning of `s` (0 if none) and its code point.
std::size_t decode_utf8(std::string_view s, unsigned& point) noexcept {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(s[i]); };
  const auto tail = [&](std::size_t i) { return i < s.size() && (at(i) & 0xC0U) == 0x80U; };
  const unsigned a = at(0);
  if (a < 0x80U) {
    point = a;
    return 1;
  }
  if (a >= 0xC2U && a <= 0xDFU && tail(1)) {
    point = ((a & 0x1FU) << 6U) | (at(1) & 0x3FU);
    return 2;
  }
  if (a >= 0xE0U && a <= 0xEFU && tail(1) && tail(2)) {
    point = ((a & 0x0FU) << 12U) | ((at(1) & 0x3FU) << 6U) | (at(2) & 0x3FU);
    return point >= 0x800U && (point < 0xD800U || point > 0xDFFFU) ? 3 : 0;
  }
  if (a >= 0xF0U && a <= 0xF4U && tail(1) && tail(2) && tail(3)) {
    point = ((a & 0x07U) << 18U) | ((at(1) & 0x3FU) << 12U) | ((at(2) & 0x3FU) << 6U) | (at(3) & 0x3FU);
    return point >= 0x10000U && point <= 0x10FFFFU ? 4 : 0;
  }
  return 0;
}

void append_utf8(std::string& out, unsigned point) {
  const auto put = [&](unsigned byte) { out += static_cast<char>(byte); };
  if (point < 0x80U) {
    put(point);
  } else if (point < 0x800U) {
    put(0xC0U | (point >> 6U));
    put(0x80U | (point & 0x3FU));
  } else if (point < 0x10000U) {
    put(0xE0U | (point >> 12U));
    put(0x80U | ((point >> 6U) & 0x3FU));
    put(0x80U | (point & 0x3FU));
  } else {
    put(0xF0U | (point >> 18U));
    put(0x80U | ((point >> 12U) & 0x3FU));
    put(0x80U | ((point >> 6U) & 0x3FU));
    put(0x80U | (point & 0x3FU));
  }
}

/// Recursive descent over one text; depth and count are bounded, so hostile text costs no more than its
/// length.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  bool whole(JsonValue& value) {
    if (!any(value, 0)) return false;
    skip();
    return at_ == text_.size();
  }

 private:
  void skip() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r'))
      ++at_;
  }
  bool eat(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool word(std::string_view w) {
    if (text_.substr(at_, w.size()) != w) return false;
    at_ += w.size();
    return true;
  }

  bool any(JsonValue& value, int depth) {
    if (depth > kMaxJsonDepth || ++count_ > kMaxJsonValues) return false;
    skip();
    if (at_ >= text_.size()) return false;
    switch (text_[at_]) {
      case '{':
        return object(value, depth);
      case '[':
        return array(value, depth);
      case '"':
        value.kind = JsonValue::Kind::kText;
        return quoted(value.string);
      case 't':
        value.kind = JsonValue::Kind::kBool;
        value.truth = true;
        return word("true");
      case 'f':
        value.kind = JsonValue::Kind::kBool;
        return word("false");
      case 'n':
        return word("null");
      default:
        return number(value);
    }
  }

  bool object(JsonValue& value, int depth) {
    value.kind = JsonValue::Kind::kObject;
    ++at_;
    skip();
    if (eat('}')) return true;
    for (;;) {
      skip();
      std::string name;
      if (!quoted(name)) return false;
      skip();
      if (!eat(':')) return false;
      value.keys.push_back(std::move(name));
      value.items.emplace_back();
      if (!any(value.items.back(), depth + 1)) return false;
      skip();
      if (eat('}')) return true;
      if (!eat(',')) return false;
    }
  }

  bool array(JsonValue& value, int depth) {
    value.kind = JsonValue::Kind::kArray;
    ++at_;
    skip();
    if (eat(']')) return true;
    for (;;) {
      value.items.emplace_back();
      if (!any(value.items.back(), depth + 1)) return false;
      skip();
      if (eat(']')) return true;
      if (!eat(',')) return false;
    }
  }

  bool digits() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
    return at_ > begin;
  }

  bool number(JsonValue& value) {
    value.negative = eat('-');
    const std::size_t begin = at_;
    if (!digits()) return false;
    if (text_[begin] == '0' && at_ - begin > 1) return false;
    const auto parsed = std::from_chars(text_.data() + begin, text_.data() + at_, value.magnitude);
    bool integer = parsed.ec == std::errc();
    if (eat('.')) {
      integer = false;
      if (!digits()) return false;
    }
    if (eat('e') || eat('E')) {
      integer = false;
      if (!eat('+')) eat('-');
      if (!digits()) return false;
    }
    value.kind = integer ? JsonValue::Kind::kInteger : JsonValue::Kind::kOtherNumber;
    return true;
  }

  bool unit(unsigned& out) {
    if (text_.size() - at_ < 4) return false;
    out = 0;
    for (int i = 0; i < 4; ++i) {
      const char c = text_[at_++];
      unsigned digit;
      if (c >= '0' && c <= '9') {
        digit = static_cast<unsigned>(c - '0');
      } else if (c >= 'a' && c <= 'f') {
        digit = static_cast<unsigned>(c - 'a') + 10U;
      } else if (c >= 'A' && c <= 'F') {
        digit = static_cast<unsigned>(c - 'A') + 10U;
      } else {
        return false;
      }
      out = out * 16U + digit;
    }
    return true;
  }

  bool escape(std::string& out) {
    if (at_ >= text_.size()) return false;
    switch (text_[at_++]) {
      case '"':
        out += '"';
        return true;
      case '\\':
        out += '\\';
        return true;
      case '/':
        out += '/';
        return true;
      case 'b':
        out += '\b';
        return true;
      case 'f':
        out += '\f';
        return true;
      case 'n':
        out += '\n';
        return true;
      case 'r':
        out += '\r';
        return true;
      case 't':
        out += '\t';
        return true;
      case 'u':
        break;
      default:
        return false;
    }
    unsigned high = 0;
    if (!unit(high)) return false;
    if (high >= 0xDC80U && high <= 0xDCFFU) {  // a byte that was no UTF-8
      out += static_cast<char>(high - 0xDC00U);
      return true;
    }
    if (high >= 0xD800U && high <= 0xDBFFU) {
      unsigned low = 0;
      if (!word("\\u") || !unit(low) || low < 0xDC00U || low > 0xDFFFU) return false;
      append_utf8(out, 0x10000U + ((high - 0xD800U) << 10U) + (low - 0xDC00U));
      return true;
    }
    if (high >= 0xDC00U && high <= 0xDFFFU) return false;
    append_utf8(out, high);
    return true;
  }

  bool quoted(std::string& out) {
    if (!eat('"')) return false;
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == '"') return true;
      if (static_cast<unsigned char>(c) < 0x20U) return false;
      if (c != '\\') {
        out += c;
      } else if (!escape(out)) {
        return false;
      }
    }
    return false;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t count_ = 0;
};

}  // namespace

void append_json_string(std::string& out, std::string_view bytes) {
  out += '"';
  for (std::size_t i = 0; i < bytes.size();) {
    const char c = bytes[i];
    if (c >= 0x20 && c < 0x7e && c != '"' && c != '\\') {
      out += c;
      ++i;
      continue;
    }
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
      ++i;
      continue;
    }
    unsigned point = 0;
    const std::size_t length = decode_utf8(bytes.substr(i), point);
    if (length == 0) {
      append_u(out, 0xDC00U + static_cast<unsigned char>(c));
      ++i;
    } else {
      if (point >= 0x10000U) {
        append_u(out, 0xD800U + ((point - 0x10000U) >> 10U));
        append_u(out, 0xDC00U + ((point - 0x10000U) & 0x3FFU));
      } else {
        append_u(out, point);
      }
      i += length;
    }
  }
  out += '"';
}

void JsonObject::key(std::string_view name) {
  if (out_.size() > 1) out_ += ',';
  append_json_string(out_, name);
  out_ += ':';
}
JsonObject& JsonObject::text(std::string_view name, std::string_view value) {
  key(name);
  append_json_string(out_, value);
  return *this;
}
JsonObject& JsonObject::number(std::string_view name, std::int64_t value) {
  return raw(name, std::to_string(value));
}
JsonObject& JsonObject::number_u(std::string_view name, std::uint64_t value) {
  return raw(name, std::to_string(value));
}
JsonObject& JsonObject::boolean(std::string_view name, bool value) {
  return raw(name, value ? "true" : "false");
}
JsonObject& JsonObject::raw(std::string_view name, std::string_view json) {
  key(name);
  out_ += json;
  return *this;
}

const JsonValue* JsonValue::find(std::string_view name) const noexcept {
  if (kind != Kind::kObject) return nullptr;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (keys[i] == name) return &items[i];
  }
  return nullptr;
}
std::string JsonValue::text_or(std::string_view name, std::string_view fallback) const {
  const JsonValue* v = find(name);
  return v != nullptr && v->kind == Kind::kText ? v->string : std::string(fallback);
}
std::int64_t JsonValue::number_or(std::string_view name, std::int64_t fallback) const noexcept {
  const JsonValue* v = find(name);
  if (v == nullptr || v->kind != Kind::kInteger || v->magnitude > 0x7fffffffffffffffU) return fallback;
  const auto n = static_cast<std::int64_t>(v->magnitude);
  return v->negative ? -n : n;
}
std::uint64_t JsonValue::number_u_or(std::string_view name, std::uint64_t fallback) const noexcept {
  const JsonValue* v = find(name);
  return v != nullptr && v->kind == Kind::kInteger && !v->negative ? v->magnitude : fallback;
}
bool JsonValue::boolean_or(std::string_view name, bool fallback) const noexcept {
  const JsonValue* v = find(name);
  return v != nullptr && v->kind == Kind::kBool ? v->truth : fallback;
}

std::optional<JsonValue> parse_json(std::string_view text) {
  JsonValue value;
  if (!Parser(text).whole(value)) return std::nullopt;
  return value;
}

}  // namespace opelog::format
