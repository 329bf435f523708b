// Ed25519 signatures (RFC 8032) as values, and how they are verified. Pure; OpenSSL does the work.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace opelog::seal {

using PublicKey = std::array<std::uint8_t, 32>;
using Signature = std::array<std::uint8_t, 64>;

/// About 80 us.
bool verify(const PublicKey& key, std::string_view message, const Signature& signature);

}  // namespace opelog::seal
