// The inotify decoder on any bytes: whatever it returns is what the guard may rely on.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "watch/inotify_decode.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace opelog::watch;
  const DecodedEvents decoded = decode_inotify(std::string_view(reinterpret_cast<const char*>(data), size));
  if (decoded.offset > size) std::abort();
  if ((decoded.fault == DecodeFault::kNone) != (decoded.offset == size)) std::abort();
  std::size_t least = 0;
  for (const InotifyEvent& event : decoded.events) {
    least += 16 + event.name.size();
    if (event.name.find('/') != std::string::npos || event.name.find('\0') != std::string::npos) std::abort();
    if (event.name == "." || event.name == "..") std::abort();
    if (mask_words(event.mask).empty()) std::abort();
  }
  if (least > decoded.offset) std::abort();
  return 0;
}
