#include "seal/session_sealer_io.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace opelog::seal {
namespace {

// How a SealerMark is filled, behind the secret.
struct Saved {
  std::uint64_t no;
  std::uint64_t n;
  std::int64_t told_at_us;
  std::array<std::uint64_t, 3> covered;
  Digest binding;
  Digest prev;
  std::uint8_t has_key;
};
constexpr std::size_t kSecretBytes = sizeof(Secret::bytes);
static_assert(std::is_trivially_copyable_v<Saved> &&
              kSecretBytes + sizeof(Saved) <= sizeof(format::SealerMark::bytes));

}  // namespace

SessionSealer::SessionSealer(std::uint64_t no, const Digest& binding, SigningKey first, Tell tell)
    : no_(no), binding_(binding), tell_(std::move(tell)), key_(std::move(first)) {
  chain_.prev = binding;
}

SessionSealer::SessionSealer(std::uint64_t no, const Digest& binding, Tell tell)
    : no_(no), binding_(binding), tell_(std::move(tell)) {}

Result<std::unique_ptr<SessionSealer>> SessionSealer::resume(const format::SealerMark& mark, Tell tell,
                                                             std::array<std::uint64_t, 3>& covered,
                                                             std::function<void(std::uint64_t)> went_on) {
  Saved saved;
  std::memcpy(&saved, mark.bytes.data() + kSecretBytes, sizeof saved);
  if (!is_time(saved.told_at_us)) return Error{Code::kInvalid, "what was kept of its seals is damaged", 0};
  std::unique_ptr<SessionSealer> sealer(new SessionSealer(saved.no, saved.binding, std::move(tell)));
  sealer->chain_.n = saved.n;
  sealer->chain_.prev = saved.prev;
  sealer->sizes_ = covered = saved.covered;
  sealer->covered_ = {covered[0], covered[1], covered[2]};
  sealer->told_at_us_ = saved.told_at_us;
  if (saved.has_key != 0) {
    Secret secret;
    std::copy_n(mark.bytes.begin(), kSecretBytes, secret.bytes.begin());
    auto key = SigningKey::from_secret(secret);
    if (!key) return std::move(key).error();
    sealer->key_ = std::move(*key);
  }
  sealer->went_on_ = std::move(went_on);
  return sealer;
}

void SessionSealer::resumed() {
  if (auto went_on = std::exchange(went_on_, nullptr)) went_on(no_);
}

void SessionSealer::save(format::SealerMark& mark) const {
  Saved saved{};
  saved.no = no_;
  saved.binding = binding_;
  saved.n = chain_.n;
  saved.prev = chain_.prev;
  saved.covered = {covered_.log, covered_.time, covered_.in};
  saved.told_at_us = told_at_us_;
  Secret secret;
  saved.has_key = key_ && key_->export_secret(secret) ? 1 : 0;
  std::copy_n(secret.bytes.begin(), kSecretBytes, mark.bytes.begin());
  std::memcpy(mark.bytes.data() + kSecretBytes, &saved, sizeof saved);
}

void SessionSealer::written(std::size_t file, std::string_view bytes) {
  chain_.hashes[file].update(bytes);
  sizes_[file] += bytes.size();
}

Result<std::string> SessionSealer::seal(std::int64_t at_us, bool final) {
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

// Its secret has done its work. Of a record that a full disk took in part the ledger must not speak.
void SessionSealer::recorded() {
  chain_before_.reset();
  key_before_.reset();
  // The first one at once: from then on the recording cannot be cut to nothing.
  if (!key_ || chain_.n == 0 || (chain_.n > 1 && sealed_at_us_ - told_at_us_ < kSealedEntryUs)) return;
  told_at_us_ = sealed_at_us_;
  tell_(SealedEntry{no_, chain_.n, chain_.prev, covered_});
}

void SessionSealer::abandoned() {
  tell_(ClosedEntry{no_, 0, binding_, {}, kAbandoned, {}, {}});
}

void SessionSealer::closed(const format::EndInfo& end) {
  tell_(ClosedEntry{no_,
                    chain_.n,
                    chain_.prev,
                    {sizes_[0], sizes_[1], sizes_[2]},
                    format::end_reason_word(end.reason),
                    end.exit_code,
                    end.signal});
}

}  // namespace opelog::seal
