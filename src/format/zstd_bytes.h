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

/// Unpacks many frames that say how large they are, with memory that it keeps.
class ZstdFrames {
 public:
  ZstdFrames();
  ~ZstdFrames();
  ZstdFrames(const ZstdFrames&) = delete;
  ZstdFrames& operator=(const ZstdFrames&) = delete;

  /// Into `plain`, which grows and never shrinks: how many bytes are the frame's. nullopt: damaged, or larger
  /// than `limit`.
  std::optional<std::size_t> unpack(std::string_view packed, std::size_t limit, std::string& plain);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

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
