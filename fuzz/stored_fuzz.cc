// Compressed bytes and names of stored files: any bytes unpack to the same output however they arrive, never
// more than there is room for, and end or are refused; a name comes apart into parts that make it again.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "format/gzip_bytes.h"
#include "format/stored_name.h"
#include "format/zstd_bytes.h"

namespace {

using namespace opelog::format;

constexpr std::size_t kMostOutput = 1 << 20;

void require(bool holds) {
  if (!holds) std::abort();
}

struct Unpacked {
  std::string bytes;
  bool damaged = false, whole = false;
};

Unpacked unpack(std::unique_ptr<Unpacker> unpacker, std::string_view packed, std::size_t step,
                std::size_t room) {
  require(unpacker != nullptr);
  Unpacked all;
  std::string out(room, '\0');
  for (std::size_t given = 0; all.bytes.size() < kMostOutput;) {
    const std::size_t size = std::min(step, packed.size() - given);
    const auto done = unpacker->step(packed.substr(given, size), out.data(), out.size());
    require(done.used <= size && done.made <= out.size());
    given += done.used;
    all.bytes.append(out, 0, done.made);
    if (done.problem != nullptr) {
      all.damaged = true;
      return all;
    }
    if (done.used == 0 && done.made == 0) {
      all.damaged = given < packed.size();
      break;
    }
  }
  all.whole = unpacker->whole();
  return all;
}

void check(std::unique_ptr<Unpacker> (*make)(), std::string_view packed) {
  const Unpacked at_once = unpack(make(), packed, packed.size() + 1, 65536);
  const Unpacked in_pieces = unpack(make(), packed, 7, 100);
  const std::size_t both = std::min(at_once.bytes.size(), in_pieces.bytes.size());
  require(at_once.bytes.compare(0, both, in_pieces.bytes, 0, both) == 0);
  if (at_once.bytes.size() >= kMostOutput || in_pieces.bytes.size() >= kMostOutput) return;
  require(at_once.damaged == in_pieces.damaged && at_once.whole == in_pieces.whole);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check(zstd_unpacker, bytes);
  check(gzip_unpacker, bytes);
  (void)zstd_claimed_size(bytes);
  (void)gzip_claimed_size(bytes);
  static ZstdFrames frames;
  static std::string plain;
  (void)frames.unpack(bytes, kMostOutput, plain);
  const StoredName stored = parse_stored_name(bytes);
  const char* suffix = stored.encoding == Encoding::kZstd   ? ".zst"
                       : stored.encoding == Encoding::kGzip ? ".gz"
                                                            : "";
  require(stored.file + stored.rotation + suffix == bytes);
  const auto recording = recording_of(bytes);
  require(!recording || (!recording->empty() && stored.file.compare(0, recording->size(), *recording) == 0));
  return 0;
}
