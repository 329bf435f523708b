// What a broken daemon might send, as opelog-shell reads it: byte 0 the descriptors, byte 1 how it was
// started.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

extern "C" {
#include "shim/frames.h"
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static opelog_verdict_facts facts;
  if (size < 2) return 0;
  const char* packet = reinterpret_cast<const char*>(data + 2);
  if (opelog_parse_verdict(packet, size - 2, data[0] & 0x0f, data[1] & 7, &facts) != 0) return 0;
  if (sizeof(opelog_verdict) + std::strlen(facts.shell) + std::strlen(facts.message) +
          std::strlen(facts.session) !=
      size - 2)
    std::abort();
  if (facts.action != OPELOG_REFUSE && (data[1] & 7) != OPELOG_HOW_QUERY && facts.shell[0] != '/')
    std::abort();
  return 0;
}
