#include "cli/control_answer.h"

namespace opelog::cli {

using format::JsonValue;

Result<JsonValue> parse_answer(std::string_view packet) {
  auto value = format::parse_json(packet);
  if (!value || value->kind != JsonValue::Kind::kObject) {
    return Error{Code::kInvalid,
                 "the daemon's answer is not what this opelog understands; are both of one version?", 0};
  }
  if (value->boolean_or("ok", false)) return std::move(*value);
  const std::string word = value->text_or("code", "");
  const std::string message = value->text_or("message", "refused without a reason");
  for (const Code code : {Code::kInvalid, Code::kNotFound, Code::kExists, Code::kDenied, Code::kUnsupported,
                          Code::kLimit, Code::kIo, Code::kGone}) {
    if (word == code_name(code)) return Error{code == Code::kGone ? Code::kNotFound : code, message, 0};
  }
  return Error{Code::kInvalid, message, 0};
}

std::string encode_request(std::string_view op) {
  format::JsonObject json;
  json.text("op", op);
  return std::move(json).take();
}

std::string encode_request(std::string_view op, std::string_view name, std::string_view value) {
  format::JsonObject json;
  json.text("op", op).text(name, value);
  return std::move(json).take();
}

std::string encode_request(std::string_view op, std::string_view name, std::int64_t value) {
  format::JsonObject json;
  json.text("op", op).number(name, value);
  return std::move(json).take();
}

std::string to_json(const JsonValue& value) {
  std::string out;
  switch (value.kind) {
    case JsonValue::Kind::kNull:
      return "null";
    case JsonValue::Kind::kBool:
      return value.truth ? "true" : "false";
    case JsonValue::Kind::kInteger:
      return (value.negative ? "-" : "") + std::to_string(value.magnitude);
    case JsonValue::Kind::kOtherNumber:
      return value.string.empty() ? "null" : value.string;
    case JsonValue::Kind::kText:
      format::append_json_string(out, value.string);
      return out;
    case JsonValue::Kind::kArray:
      for (const auto& item : value.items) out += (out.empty() ? "" : ",") + to_json(item);
      return "[" + out + "]";
    case JsonValue::Kind::kObject:
      for (std::size_t i = 0; i < value.keys.size() && i < value.items.size(); ++i) {
        if (!out.empty()) out += ',';
        format::append_json_string(out, value.keys[i]);
        out += ':' + to_json(value.items[i]);
      }
      return "{" + out + "}";
  }
  return "null";
}

}  // namespace opelog::cli
