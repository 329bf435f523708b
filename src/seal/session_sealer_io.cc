#include "seal/session_sealer_io.h"

#include <utility>

namespace opelog::seal {

SessionSealer::SessionSealer(std::uint64_t no, const Digest& binding, SigningKey first, Tell tell)
    : no_(no), binding_(binding), tell_(std::move(tell)), key_(std::move(first)) {
  chain_.prev = binding;
}

void SessionSealer::written(std::size_t file, std::string_view bytes) {
  settle();
  chain_.hashes[file].update(bytes);
  sizes_[file] += bytes.size();
}

Result<std::string> SessionSealer::seal(std::int64_t at_us, bool final) {
  settle();
  if (!key_) return Error{Code::kGone, "the final seal is made", 0};
  std::optional<SigningKey> next;
  if (!final) {
    auto made = SigningKey::generate();
    if (!made) return std::move(made).error();
    next = std::move(*made);
  }
  Seal seal;
  seal.no = no_;
  seal.n = chain_.n + 1;
  seal.at = static_cast<std::uint64_t>(at_us);
  seal.sizes = {sizes_[0], sizes_[1], sizes_[2]};
  for (std::size_t i = 0; i < seal.digests.size(); ++i) seal.digests[i] = chain_.hashes[i].digest();
  if (next) seal.next = next->public_key();
  seal.final = final;
  const std::string message = seal_message(seal, binding_, chain_.prev);
  auto signature = key_->sign(message);
  if (!signature) return std::move(signature).error();
  seal.signature = *signature;

  chain_before_ = std::exchange(chain_, Chain{});
  chain_.n = seal.n;
  chain_.prev = sha256(message);
  key_before_ = std::exchange(key_, std::move(next));
  covered_ = seal.sizes;
  sealed_at_us_ = at_us;
  return encode_seal(seal);
}

void SessionSealer::refused() {
  if (!chain_before_) return;
  chain_ = std::move(*chain_before_);
  key_ = std::move(key_before_);
  chain_before_.reset();
  key_before_.reset();
}

// The record of the last seal is in the file: its secret has done its work.
void SessionSealer::settle() {
  if (!chain_before_) return;
  chain_before_.reset();
  key_before_.reset();
  // The first one at once: from then on the recording cannot be cut to nothing.
  if (!key_ || (chain_.n > 1 && sealed_at_us_ - told_at_us_ < kSealedEntryUs)) return;
  told_at_us_ = sealed_at_us_;
  tell_(SealedEntry{no_, chain_.n, chain_.prev, covered_});
}

void SessionSealer::abandoned() {
  tell_(ClosedEntry{no_, 0, binding_, {}, kAbandoned, {}, {}});
}

void SessionSealer::closed(const format::EndInfo& end) {
  settle();
  tell_(ClosedEntry{no_,
                    chain_.n,
                    chain_.prev,
                    {sizes_[0], sizes_[1], sizes_[2]},
                    format::end_reason_word(end.reason),
                    end.exit_code,
                    end.signal});
}

}  // namespace opelog::seal
