// What a shim may send, as opelogd reads it: byte 0 chooses the decoder and the number of descriptors.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "record/login_message.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view packet(reinterpret_cast<const char*>(data + 1), size - 1);
  if ((data[0] & 0x80) != 0) {
    auto frame = opelog::record::decode_client_frame(packet);
    if (frame && frame->type == OPELOG_STARTED && frame->pid <= 1) std::abort();
    if (frame && (frame->rows | frame->cols | frame->width | frame->height) > 65535) std::abort();
    return 0;
  }
  auto hello = opelog::record::decode_hello(packet, data[0] & 0x0f);
  if (!hello) {
    if (hello.error().message.empty()) std::abort();
    return 0;
  }
  const bool comes = hello->terminals != 0 && hello->how != OPELOG_HOW_REC;
  if ((data[0] & 0x0f) != (comes ? 1 : 0)) std::abort();
  for (unsigned i = 0; i < 3;
       ++i) {  // each is said to be something, but for the terminal and with a question
    const std::uint8_t stream = hello->streams[i];
    const bool none = hello->how == OPELOG_HOW_QUERY || (hello->terminals >> i & 1U) != 0;
    if (stream > OPELOG_STREAM_KEPT_OTHER || none != (stream == OPELOG_STREAM_NONE)) std::abort();
    if (hello->terminals != 0 && !none && opelog_is_kept(stream) == 0) std::abort();
  }
  // What was taken is no longer than what came, and holds nothing that TERM must not hold.
  std::size_t total =
      hello->term.size() + hello->claim.size() + (hello->original ? hello->original->size() : 0);
  if (hello->how != OPELOG_HOW_FORCE && hello->command) total += hello->command->size();
  if (total + sizeof(opelog_hello) != packet.size()) std::abort();
  for (const char c : hello->term + hello->claim)
    if (c < 0x20 || c > 0x7e) std::abort();
  return 0;
}
