// What an evidence file says of the ledger: entries and the paths that prove them (docs/formats/seals.md,
// "Evidence"). Pure.
//
// Invariant: parse_proof() takes exactly what encode_proof() writes, so no byte of it is without meaning.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/sha256.h"

namespace opelog::seal {

constexpr std::string_view kEvidenceSuffix = ".evidence";
constexpr std::string_view kProofMember = "proof.json";
constexpr std::string_view kCheckpointsMember = "checkpoints";
/// A longer `proof.json` is none.
constexpr std::size_t kMaxProofBytes = 1 << 20;
/// Entries in one file: those of a session are six at most, the others are of keys.
constexpr std::size_t kMaxProvenEntries = 512;

struct ProvenEntry {
  std::string line;          ///< as it stands in the ledger, without LF
  std::vector<Digest> path;  ///< to the root of the last checkpoint, nearest first
};

struct EvidenceProof {
  std::string recording;             ///< base name
  std::vector<ProvenEntry> entries;  ///< in the order of the ledger
};

std::string encode_proof(const EvidenceProof& proof);
std::optional<EvidenceProof> parse_proof(std::string_view text);

}  // namespace opelog::seal
