// LedgerSigner: makes checkpoints, each by a key that signs once. Called on a worker thread, by one at a
// time.
//
// Order, so that neither a crash nor a power cut breaks the chain: entries to the disk; the note, signed by
// the epoch's key, to the disk; only then the key after the next one takes the place of the used one.
#pragma once

#include <cstdint>
#include <string>

#include "core/clock.h"
#include "core/fd_io.h"
#include "core/result.h"
#include "core/sha256.h"
#include "seal/ledger_keys_io.h"

namespace opelog::seal {

class LedgerSigner {
 public:
  LedgerSigner(Fd entries, Fd checkpoints, KeyFile key_file, std::string origin, LedgerKeys keys);
  /// How many entries the checkpoint counts: fewer than `size` where an interrupted one came first. On an
  /// error call it again.
  Result<std::uint64_t> sign(std::uint64_t size, const Digest& root, WallUs now);

  [[nodiscard]] std::uint64_t epoch() const noexcept { return keys_.epoch; }

 private:
  Status put_note();
  Fd entries_, checkpoints_;
  KeyFile key_file_;
  std::string origin_;
  LedgerKeys keys_;
  std::string unfinished_;  ///< of a note that is partly in the file
  std::uint64_t size_ = 0;  ///< that the last note counts
  bool evolved_ = true;     ///< the key file holds what it must for `keys_`
};

}  // namespace opelog::seal
