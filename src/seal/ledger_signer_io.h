// LedgerSigner: makes checkpoints, each by a key that signs once. Called on a worker thread, by one at a
// time.
//
// Order, so that neither a crash nor a power cut breaks the chain: entries to the disk; the note, signed by
// the epoch's key, to the disk; only then the key after the next one takes the place of the used one.
// The log key is rotated in this order: the coming key to the key file; the entry that names it; a checkpoint
// that counts the entry, by both keys; only then the coming one takes the place of the other.
#pragma once

#include <cstdint>
#include <optional>
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
  [[nodiscard]] const KeyFile& key_file() const noexcept { return key_file_; }
  /// How many entries the checkpoint counts: fewer than `size` where an interrupted one came first. On an
  /// error call it again.
  Result<std::uint64_t> sign(std::uint64_t size, const Digest& root, WallUs now);

  /// Draws a log key to come, and the secret of the epoch after the current one, which nothing has named
  /// yet; both are on the disk when it returns.
  Status draw_log();
  /// The key drawn is named by this entry: from the checkpoint on that counts it, it signs. Not while another
  /// thread calls.
  void name_log(std::uint64_t entry);

  [[nodiscard]] const std::string& origin() const noexcept { return origin_; }
  [[nodiscard]] const LedgerKeys& keys() const noexcept { return keys_; }
  [[nodiscard]] const PublicKey& drawn() const { return drawn_->public_key(); }

 private:
  Status put_note();
  Status finish_note();
  Status save_next();
  Fd entries_, checkpoints_;
  KeyFile key_file_;
  std::string origin_;
  LedgerKeys keys_;
  std::string unfinished_;           ///< of a note that is partly in the file
  std::uint64_t size_ = 0;           ///< that the last note counts
  bool evolved_ = true;              ///< the key file holds what it must for `keys_`
  bool next_saved_ = true;           ///< but perhaps not the key of the coming epoch
  bool by_both_ = false;             ///< the last note is signed by both log keys
  std::optional<SigningKey> drawn_;  ///< no entry names it yet
};

}  // namespace opelog::seal
