// What the daemon answered, as values; and back to safe JSON. Pure.
#pragma once

#include <string>
#include <string_view>

#include "core/result.h"
#include "format/json_text.h"

namespace opelog::cli {

/// One packet: its object, or the refusal it holds, or Code::kInvalid if it is none.
Result<format::JsonValue> parse_answer(std::string_view packet);

/// `{"op":OP}`, `{"op":OP,NAME:VALUE}`.
std::string encode_request(std::string_view op);
std::string encode_request(std::string_view op, std::string_view name, std::string_view value);
std::string encode_request(std::string_view op, std::string_view name, std::int64_t value);

/// Pure ASCII JSON of the value, whatever the daemon wrote.
std::string to_json(const format::JsonValue& value);

}  // namespace opelog::cli
