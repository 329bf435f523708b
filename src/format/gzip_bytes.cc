#include "format/gzip_bytes.h"

#include <zlib.h>

#include <algorithm>

namespace opelog::format {
namespace {

constexpr int kGzipAlone = 15 + 16;             // zlib's: the largest window, and gzip's header only
constexpr std::size_t kMostAtOnce = 1U << 30U;  // what fits zlib's counters

class GzipUnpacker final : public Unpacker {
 public:
  GzipUnpacker() { good_ = inflateInit2(&stream_, kGzipAlone) == Z_OK; }
  ~GzipUnpacker() override {
    if (good_) (void)inflateEnd(&stream_);
  }
  GzipUnpacker(const GzipUnpacker&) = delete;
  GzipUnpacker& operator=(const GzipUnpacker&) = delete;
  [[nodiscard]] bool good() const noexcept { return good_; }

  Step step(std::string_view packed, char* out, std::size_t room) override {
    Step step;
    if (ended_) {
      if (packed.empty()) return step;
      (void)inflateReset(&stream_);
      ended_ = false;
    }
    const std::size_t size = std::min(packed.size(), kMostAtOnce);
    room = std::min(room, kMostAtOnce);
    // zlib takes its input as not const, and does not write to it.
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
    stream_.avail_in = static_cast<uInt>(size);
    stream_.next_out = reinterpret_cast<Bytef*>(out);
    stream_.avail_out = static_cast<uInt>(room);
    const int result = inflate(&stream_, Z_NO_FLUSH);
    step.used = size - stream_.avail_in;
    step.made = room - stream_.avail_out;
    if (result == Z_STREAM_END) {
      ended_ = true;
    } else if (result != Z_OK && result != Z_BUF_ERROR) {
      step.problem = stream_.msg != nullptr ? stream_.msg : "not gzip";
    }
    return step;
  }

  [[nodiscard]] bool whole() const noexcept override { return ended_; }

 private:
  z_stream stream_{};
  bool good_ = false;
  bool ended_ = false;
};

}  // namespace

std::unique_ptr<Unpacker> gzip_unpacker() {
  auto unpacker = std::make_unique<GzipUnpacker>();
  if (!unpacker->good()) return nullptr;
  return unpacker;
}

std::optional<std::uint64_t> gzip_claimed_size(std::string_view tail) {
  if (tail.size() < kGzipTailBytes) return std::nullopt;
  std::uint64_t size = 0;
  for (std::size_t i = 0; i < 4; ++i)
    size |= static_cast<std::uint64_t>(static_cast<unsigned char>(tail[tail.size() - 4 + i])) << (8 * i);
  return size;
}

}  // namespace opelog::format
