// The text of a checkpoint: a C2SP tlog-checkpoint with our extension lines (docs/formats/seals.md). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/sha256.h"
#include "seal/signature.h"
#include "seal/signed_note.h"

namespace opelog::seal {

struct Checkpoint {
  std::string origin;  ///< "opelog/HOST_ID"
  std::uint64_t size = 0;
  Digest root{};
  std::uint64_t epoch = 0;
  PublicKey next{};  ///< signs epoch + 1
  WallUs at = 0;
  bool operator==(const Checkpoint&) const = default;
};

std::string origin_of(std::string_view host_id);
/// Names under which a checkpoint is signed.
VerifierKey log_key(std::string_view origin, const PublicKey& key);
VerifierKey epoch_key(std::string_view origin, const PublicKey& key);

std::string encode_checkpoint(const Checkpoint& checkpoint);
/// nullopt unless it is exactly what encode_checkpoint() writes, further lines allowed at the end.
std::optional<Checkpoint> parse_checkpoint(std::string_view text);

}  // namespace opelog::seal
