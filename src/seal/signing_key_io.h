// SigningKey: one Ed25519 secret in memory that is locked, left out of core dumps, and erased when the key
// goes.
//
// Invariant: the secret lives only in the library's secure heap (ordinary memory where lock_secrets() failed,
// which is stated) and in the buffer of whoever exports it. Keys are made to be used once: see
// docs/formats/seals.md.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>

#include "core/result.h"
#include "seal/signature.h"

namespace opelog::seal {

/// The 32 bytes of RFC 8032; erased with the object.
class Secret {
 public:
  Secret() = default;
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret();
  std::array<std::uint8_t, 32> bytes{};
};

/// Sets the secure heap up: once, before the first key. Code::kIo if the memory cannot be locked
/// (RLIMIT_MEMLOCK); keys then live in ordinary memory.
Status lock_secrets();

class SigningKey {
 public:
  /// A new one from the kernel's randomness. About 30 us.
  static Result<SigningKey> generate();
  static Result<SigningKey> from_secret(const Secret& secret);

  [[nodiscard]] const PublicKey& public_key() const noexcept { return public_; }
  [[nodiscard]] Result<Signature> sign(std::string_view message) const;
  [[nodiscard]] Status export_secret(Secret& out) const;

 private:
  struct Free {
    void operator()(void* key) const noexcept;
  };
  explicit SigningKey(void* native) : native_(native) {}
  Status learn_public();
  std::unique_ptr<void, Free> native_;
  PublicKey public_{};
};

}  // namespace opelog::seal
