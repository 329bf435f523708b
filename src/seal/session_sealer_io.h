// SessionSealer: the chain of seals of one live recording (docs/formats/seals.md).
//
// Invariants: a secret signs one seal and is erased as soon as that seal's record is in the file; what it
// signs are the bytes as the kernel took them. Only after the process was killed is anything read back to be
// sealed: what no seal covered yet.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "core/sha256.h"
#include "format/recording_sealer.h"
#include "seal/ledger_entry.h"
#include "seal/seal_record.h"
#include "seal/signing_key_io.h"

namespace opelog::seal {

/// The ledger hears of a session's first seal, and then at most this often.
constexpr std::int64_t kSealedEntryUs = 30 * kUsPerS;

class SessionSealer final : public format::RecordingSealer {
 public:
  /// Takes `sealed` and `closed` entries. What it cannot write it keeps and states itself.
  using Tell = std::function<void(EntryBody)>;
  /// `binding` is the leaf hash of the opening entry of session `no`, which names `first`'s public key.
  SessionSealer(std::uint64_t no, const Digest& binding, SigningKey first, Tell tell);

  /// One that goes on where another's save() was; `covered`: the sizes its last seal covers. What is written
  /// behind them must be told again.
  /// `went_on` is called once its writer goes on with it.
  static Result<std::unique_ptr<SessionSealer>> resume(
      const format::SealerMark& mark, Tell tell, std::array<std::uint64_t, 3>& covered,
      std::function<void(std::uint64_t no)> went_on = nullptr);
  [[nodiscard]] std::uint64_t no() const noexcept { return no_; }

  void written(std::size_t file, std::string_view bytes) override;
  Result<std::string> seal(std::int64_t at_us, bool final) override;
  void refused() override;
  void recorded() override;
  void save(format::SealerMark& mark) const override;
  void resumed() override;
  [[nodiscard]] bool finished() const override { return !key_.has_value(); }
  void abandoned() override;
  void closed(const format::EndInfo& end) override;

 private:
  struct Chain {
    std::uint64_t n = 0;  ///< of the last seal
    Digest prev{};        ///< of its message
    std::array<Sha256, 3> hashes{Sha256(kFileDomains[0]), Sha256(kFileDomains[1]), Sha256(kFileDomains[2])};
  };
  SessionSealer(std::uint64_t no, const Digest& binding, Tell tell);

  std::uint64_t no_;
  Digest binding_;
  Tell tell_;
  std::array<std::uint64_t, 3> sizes_{};
  Chain chain_;
  std::optional<SigningKey> key_;  ///< signs the next seal; none after the final one

  // Until the record of the last seal is seen in the file.
  std::optional<Chain> chain_before_;
  std::optional<SigningKey> key_before_;
  FileSizes covered_;
  std::function<void(std::uint64_t)> went_on_;  ///< until resumed()
  std::int64_t sealed_at_us_ = 0, told_at_us_ = 0;
};

}  // namespace opelog::seal
