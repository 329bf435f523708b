// Members of our JSON objects that are numbers or base64: read strictly. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "format/json_text.h"
#include "seal/base64.h"

namespace opelog::seal {

/// A member that must be there and be a number that is not negative.
inline bool take_member(const format::JsonValue& json, std::string_view name, std::uint64_t& out) {
  const format::JsonValue* value = json.find(name);
  if (value == nullptr || value->kind != format::JsonValue::Kind::kInteger || value->negative) return false;
  out = value->magnitude;
  return true;
}

/// One that must be there and be N bytes in base64.
template <std::size_t N>
bool take_member(const format::JsonValue& json, std::string_view name, std::array<std::uint8_t, N>& out) {
  const format::JsonValue* value = json.find(name);
  return value != nullptr && value->kind == format::JsonValue::Kind::kText && from_base64(value->string, out);
}

}  // namespace opelog::seal
