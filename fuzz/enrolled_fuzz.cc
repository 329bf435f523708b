// The enrolled users: what is accepted must survive being written and read again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "core/enrolled.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto parsed =
      opelog::parse_enrolled(std::string_view(reinterpret_cast<const char*>(data), size), "f");
  if (!parsed) {
    if (parsed.error().message.rfind("f:", 0) != 0) std::abort();
    return 0;
  }
  const auto text = opelog::encode_enrolled(*parsed);
  if (!text) return text.error().code == opelog::Code::kLimit ? 0 : (std::abort(), 0);
  const auto again = opelog::parse_enrolled(*text, "f");
  if (!again || *again != *parsed) std::abort();
  return 0;
}
