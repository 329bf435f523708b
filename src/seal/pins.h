// Pins: what an auditor keeps of a host's ledger where its root cannot reach (docs/formats/seals.md). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/sha256.h"
#include "seal/signed_note.h"

namespace opelog::seal {

struct Pin {
  VerifierKey key;  ///< of the first epoch, or of one that began after keys were lost
  /// A checkpoint seen once.
  struct Seen {
    std::uint64_t size = 0;
    Digest root{};
    bool operator==(const Seen&) const = default;
  };
  std::optional<Seen> seen;
  bool operator==(const Pin&) const = default;
};

std::string encode_pin(const Pin& pin);
/// `name` is the file's, for the message: NAME:LINE: what is wrong.
Result<std::vector<Pin>> parse_pins(std::string_view text, const std::string& name);

}  // namespace opelog::seal
