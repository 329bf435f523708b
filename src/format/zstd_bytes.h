// zstd: the one place that knows the library. Pure.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "format/unpack.h"

namespace opelog::format {

/// Bytes that tell what a frame claims to hold.
constexpr std::size_t kZstdHeadBytes = 18;

/// One frame; "" if that fails.
std::string zstd_pack(std::string_view plain, int level);
/// Of one frame that says how large it is; nullopt if damaged or larger than `limit`.
std::optional<std::string> zstd_unpack(std::string_view packed, std::size_t limit);

/// Any number of frames, one after the other. nullptr without memory.
std::unique_ptr<Unpacker> zstd_unpacker();
/// What the frame that begins with `head` says it holds.
std::optional<std::uint64_t> zstd_claimed_size(std::string_view head);

/// A file into one frame with its size and a checksum of its content.
class ZstdPacker {
 public:
  /// Packs exactly `size` bytes. Code points of failure are in take(): nullopt.
  ZstdPacker(std::uint64_t size, int level);
  ~ZstdPacker();
  ZstdPacker(const ZstdPacker&) = delete;
  ZstdPacker& operator=(const ZstdPacker&) = delete;

  /// The next bytes, packed (perhaps ""); `last`: and the end. nullopt: no memory, or not as many as were
  /// said.
  std::optional<std::string> take(std::string_view plain, bool last);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace opelog::format
