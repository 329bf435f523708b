// A control request of any bytes: decoded or refused with one clear line, and any text survives an answer.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "format/json_text.h"
#include "record/control_message.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace opelog;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto request = record::decode_request(bytes);
  if (!request) {
    require(request.error().code == Code::kInvalid);
    require(request.error().message.find('\n') == std::string::npos);
  } else {
    require(size <= record::kMaxRequest);
    const auto* thaw = std::get_if<record::ThawRequest>(&*request);
    require(thaw == nullptr || (thaw->seconds >= 1 && thaw->seconds <= record::kMaxThawSeconds));
    // What we took, the project's own JSON reader takes too, and sees the same request.
    const auto value = format::parse_json(bytes);
    require(value && value->text_or("op", "") == record::request_word(*request));
  }
  std::string joined;
  for (const auto& packet : record::encode_dump(bytes)) {
    require(packet.size() <= record::kMaxAnswerPacket);
    const auto value = format::parse_json(packet);
    require(value.has_value());
    joined += value->text_or("dump", "");
  }
  require(joined == bytes);
  return 0;
}
