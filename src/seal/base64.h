// Base64 (RFC 4648, section 4) in its one canonical spelling. Pure; OpenSSL does the work.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/sha256.h"

namespace opelog::seal {

std::string to_base64(std::string_view bytes);
template <std::size_t N>
std::string to_base64(const std::array<std::uint8_t, N>& bytes) {
  return to_base64(bytes_of(bytes));
}

/// nullopt for anything that to_base64() would not have written.
std::optional<std::string> from_base64(std::string_view text);
/// The same for a value of exactly N bytes.
template <std::size_t N>
bool from_base64(std::string_view text, std::array<std::uint8_t, N>& out) {
  const auto bytes = from_base64(text);
  if (!bytes || bytes->size() != N) return false;
  std::copy(bytes->begin(), bytes->end(), out.begin());
  return true;
}

}  // namespace opelog::seal
