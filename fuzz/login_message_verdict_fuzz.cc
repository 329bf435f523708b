// What a broken daemon might send, as opelog-shell reads it: byte 0 the descriptors, byte 1 how it was
// started and which terminals it has, byte 2 its streams.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

extern "C" {
#include "shim/frames.h"
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static opelog_verdict_facts facts;
  if (size < 3) return 0;
  const char* packet = reinterpret_cast<const char*>(data + 3);
  opelog_hello_facts asked{};
  asked.how = data[1] & 7;
  asked.terminals = data[1] >> 3 & 7;
  // Two bits each: none, a socket, a pipe, kept.
  constexpr std::uint8_t kStreams[] = {OPELOG_STREAM_NONE, OPELOG_STREAM_SOCKET, OPELOG_STREAM_PIPE,
                                       OPELOG_STREAM_KEPT_FILE};
  for (int i = 0; i < 3; ++i) asked.streams[i] = kStreams[data[2] >> (2 * i) & 3];
  if (opelog_parse_verdict(packet, size - 3, data[0] & 0x0f, &asked, &facts) != 0) return 0;
  if (sizeof(opelog_verdict) + std::strlen(facts.shell) + std::strlen(facts.message) +
          std::strlen(facts.session) !=
      size - 3)
    std::abort();
  if (facts.action != OPELOG_REFUSE && asked.how != OPELOG_HOW_QUERY && facts.shell[0] != '/') std::abort();
  return 0;
}
