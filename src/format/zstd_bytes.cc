#include "format/zstd_bytes.h"

#include <zstd.h>

namespace opelog::format {
namespace {

// What the zstd command unpacks without further options (128 MiB); more would be memory that a file demands.
constexpr int kMaxWindowLog = 27;

struct FreeUnpacking {
  void operator()(ZSTD_DCtx* context) const noexcept { ZSTD_freeDCtx(context); }
};
struct FreePacking {
  void operator()(ZSTD_CCtx* context) const noexcept { ZSTD_freeCCtx(context); }
};

class ZstdUnpacker final : public Unpacker {
 public:
  explicit ZstdUnpacker(ZSTD_DCtx* context) : context_(context) {}

  Step step(std::string_view packed, char* out, std::size_t room) override {
    ZSTD_inBuffer from{packed.data(), packed.size(), 0};
    ZSTD_outBuffer to{out, room, 0};
    const std::size_t left = ZSTD_decompressStream(context_.get(), &to, &from);
    Step step{from.pos, to.pos, nullptr};
    if (ZSTD_isError(left) != 0) {
      step.problem = ZSTD_getErrorName(left);
    } else if (from.pos > 0 || to.pos > 0) {
      whole_ = left == 0;
    }
    return step;
  }

  [[nodiscard]] bool whole() const noexcept override { return whole_; }

 private:
  std::unique_ptr<ZSTD_DCtx, FreeUnpacking> context_;
  bool whole_ = false;
};

}  // namespace

std::string zstd_pack(std::string_view plain, int level) {
  std::string packed(ZSTD_compressBound(plain.size()), '\0');
  const std::size_t size = ZSTD_compress(packed.data(), packed.size(), plain.data(), plain.size(), level);
  packed.resize(ZSTD_isError(size) != 0 ? 0 : size);
  return packed;
}

struct ZstdFrames::State {
  std::unique_ptr<ZSTD_DCtx, FreeUnpacking> context{ZSTD_createDCtx()};
};

ZstdFrames::ZstdFrames() : state_(std::make_unique<State>()) {}
ZstdFrames::~ZstdFrames() = default;

std::optional<std::size_t> ZstdFrames::unpack(std::string_view packed, std::size_t limit,
                                              std::string& plain) {
  const auto size = ZSTD_getFrameContentSize(packed.data(), packed.size());
  if (size > limit) return std::nullopt;  // the two error values are larger
  if (plain.size() < size) plain.resize(size);
  if (ZSTD_decompressDCtx(state_->context.get(), plain.data(), size, packed.data(), packed.size()) != size)
    return std::nullopt;
  return size;
}

std::unique_ptr<Unpacker> zstd_unpacker() {
  ZSTD_DCtx* context = ZSTD_createDCtx();
  if (context == nullptr) return nullptr;
  auto unpacker = std::make_unique<ZstdUnpacker>(context);
  if (ZSTD_isError(ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, kMaxWindowLog)) != 0) return nullptr;
  return unpacker;
}

std::optional<std::uint64_t> zstd_claimed_size(std::string_view head) {
  const auto size = ZSTD_getFrameContentSize(head.data(), head.size());
  if (size == ZSTD_CONTENTSIZE_UNKNOWN || size == ZSTD_CONTENTSIZE_ERROR) return std::nullopt;
  return size;
}

struct ZstdPacker::State {
  std::unique_ptr<ZSTD_CCtx, FreePacking> context;
  bool good = false;
};

ZstdPacker::ZstdPacker(std::uint64_t size, int level) : state_(std::make_unique<State>()) {
  state_->context.reset(ZSTD_createCCtx());
  ZSTD_CCtx* context = state_->context.get();
  state_->good = context != nullptr &&
                 ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level)) == 0 &&
                 ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)) == 0 &&
                 ZSTD_isError(ZSTD_CCtx_setPledgedSrcSize(context, size)) == 0;
}
ZstdPacker::~ZstdPacker() = default;

std::optional<std::string> ZstdPacker::take(std::string_view plain, bool last) {
  if (!state_->good) return std::nullopt;
  std::string packed;
  ZSTD_inBuffer from{plain.data(), plain.size(), 0};
  std::string piece(ZSTD_CStreamOutSize(), '\0');
  for (;;) {
    ZSTD_outBuffer to{piece.data(), piece.size(), 0};
    const std::size_t left =
        ZSTD_compressStream2(state_->context.get(), &to, &from, last ? ZSTD_e_end : ZSTD_e_continue);
    if (ZSTD_isError(left) != 0) {
      state_->good = false;
      return std::nullopt;
    }
    packed.append(piece, 0, to.pos);
    if (last ? left == 0 : from.pos == from.size) return packed;
  }
}

}  // namespace opelog::format
