// One seal: the value of an OPELOG_SEAL record, and the message that is signed (docs/formats/seals.md). Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/sha256.h"
#include "format/recording_sealer.h"
#include "seal/ledger_entry.h"
#include "seal/signature.h"

namespace opelog::seal {

/// Domains of the digests of .log, .time and .in.
constexpr std::array<std::string_view, 3> kFileDomains = {"opelog/log/1\n", "opelog/time/1\n",
                                                          "opelog/in/1\n"};
constexpr std::size_t kSealMessageBytes = 247;

struct Seal {
  std::uint64_t no = 0;  ///< of the session
  std::uint64_t n = 0;   ///< of the seal, from 1
  std::uint64_t at = 0;  ///< microseconds since the recording began
  FileSizes sizes;
  std::array<Digest, 3> digests{};  ///< of the bytes covered, numbered as kFileDomains
  PublicKey next{};                 ///< zeros in the final one
  bool final = false;
  Signature signature{};
  bool operator==(const Seal&) const = default;
};

/// The digest of no bytes.
const Digest& empty_digest(std::size_t file);

/// `binding` is the leaf hash of the opening entry, `prev` the SHA-256 of the message before.
std::string seal_message(const Seal& seal, const Digest& binding, const Digest& prev);

std::string encode_seal(const Seal& seal);
/// nullopt for anything that encode_seal() would not have written, but for further members.
std::optional<Seal> parse_seal(std::string_view json);

/// For format::repair_tail().
format::SealKnowledge seal_knowledge();

}  // namespace opelog::seal
