// SHA-256: digests as values, and as lower-case hex for naming small things. Pure; OpenSSL does the work.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace opelog {

/// 32 bytes.
using Digest = std::array<std::uint8_t, 32>;

/// 64 hex digits.
std::string sha256_hex(std::string_view bytes);

/// A digest over bytes that come in pieces. Copies go on independently.
class Sha256 {
 public:
  Sha256();
  /// Begins with `domain`: digests of different domains never coincide.
  explicit Sha256(std::string_view domain) : Sha256() { update(domain); }
  ~Sha256();
  Sha256(const Sha256& other);
  Sha256& operator=(const Sha256& other);
  Sha256(Sha256&& other) noexcept;
  Sha256& operator=(Sha256&& other) noexcept;

  void update(std::string_view bytes);
  /// Of all bytes so far; more may follow.
  [[nodiscard]] Digest digest() const;

 private:
  struct Free {
    void operator()(void* context) const noexcept;
  };
  std::unique_ptr<void, Free> context_;
};

Digest sha256(std::string_view bytes);
/// The bytes of a digest or a key, for what takes text.
template <std::size_t N>
std::string_view bytes_of(const std::array<std::uint8_t, N>& value) {
  return {reinterpret_cast<const char*>(value.data()), N};
}

}  // namespace opelog
