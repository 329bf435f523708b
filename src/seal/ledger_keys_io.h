// LedgerKeys: the host's secrets for its ledger, and the file that carries them over a stop or a crash.
//
// Invariants: the file holds the key of the coming epoch and of the one after it, so that no crash and no
// power cut finds the chain without its next link; a key leaves the file only after what it signed is on the
// disk; a log key that takes the other's place is in the file before the ledger names it. In memory as in
// signing_key_io.h. What the file cannot do is in docs/threats.md: a disk may keep old
// blocks, a snapshot keeps them for certain.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "core/fd_io.h"
#include "core/result.h"
#include "seal/signing_key_io.h"

namespace opelog::seal {

struct LedgerKeys {
  std::uint64_t epoch = 1;  ///< which `current` signs
  SigningKey current, next;
  SigningKey log;  ///< the host's lasting key, for witnesses
  /// Takes the place of `log`; the first checkpoint that counts entry `coming_at` is signed by both.
  std::optional<SigningKey> coming_log;
  std::uint64_t coming_at = 0;
};

/// What the file holds: each slot on its own, because a power cut may spoil one.
struct StoredKeys {
  struct Epoch {
    std::uint64_t number = 0;
    SigningKey key;
  };
  std::optional<Epoch> epochs[2];
  std::optional<SigningKey> log, coming_log;
};

class KeyFile {
 public:
  /// Opens or makes it, mode 0600, root's. Refuses (Code::kDenied) one that others may read.
  static Result<KeyFile> open(const std::string& path);

  [[nodiscard]] Result<StoredKeys> load() const;
  /// Each is on the disk when it returns.
  Status save_epoch(std::uint64_t number, const SigningKey& key);
  Status save_log(const SigningKey& key);
  Status save_coming_log(const SigningKey& key);
  Status erase_coming_log();
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }

 private:
  explicit KeyFile(Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
  Status save(unsigned slot, std::uint64_t number, const SigningKey& key);
  Status put(unsigned slot, const void* bytes);
  Fd fd_;
  std::string path_;
};

}  // namespace opelog::seal
