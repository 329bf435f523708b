// The small JSON that our notes use: written in pure ASCII, any bytes kept.
//
// Bytes that are not valid UTF-8 are written as lone surrogates U+DC80..U+DCFF (as Python's surrogateescape
// does) and read back as the same bytes, so a hostile string survives the round trip. `~` is always escaped:
// it is the format's mark for torn values. Not a general JSON library: no floating point values, bounded
// depth.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace opelog::format {

/// Appends `bytes` as a quoted JSON string.
void append_json_string(std::string& out, std::string_view bytes);

/// Builds one object, members in the order added.
class JsonObject {
 public:
  JsonObject& text(std::string_view key, std::string_view value);
  JsonObject& number(std::string_view key, std::int64_t value);
  JsonObject& number_u(std::string_view key, std::uint64_t value);
  JsonObject& boolean(std::string_view key, bool value);
  JsonObject& raw(std::string_view key, std::string_view json);
  [[nodiscard]] std::string take() && { return std::move(out_) + "}"; }

 private:
  void key(std::string_view name);
  std::string out_ = "{";
};

struct JsonValue {
  enum class Kind { kNull, kBool, kInteger, kOtherNumber, kText, kArray, kObject };
  Kind kind = Kind::kNull;
  bool truth = false;
  bool negative = false;
  std::uint64_t magnitude = 0;  ///< of kInteger
  std::string string;
  std::vector<std::string> keys;  ///< of an object, beside `items`
  std::vector<JsonValue> items;

  /// Member of an object, nullptr if absent or of another kind of value.
  [[nodiscard]] const JsonValue* find(std::string_view name) const noexcept;
  [[nodiscard]] std::string text_or(std::string_view name, std::string_view fallback) const;
  [[nodiscard]] std::int64_t number_or(std::string_view name, std::int64_t fallback) const noexcept;
  [[nodiscard]] std::uint64_t number_u_or(std::string_view name, std::uint64_t fallback) const noexcept;
  [[nodiscard]] bool boolean_or(std::string_view name, bool fallback) const noexcept;
};

/// Nested values deeper than this are refused: our notes need three.
constexpr int kMaxJsonDepth = 8;
/// Values (of any kind) in one text: memory stays a small multiple of the text.
constexpr std::size_t kMaxJsonValues = 20000;

/// The value, or nullopt if `text` is not exactly one JSON value within the bounds.
std::optional<JsonValue> parse_json(std::string_view text);

}  // namespace opelog::format
