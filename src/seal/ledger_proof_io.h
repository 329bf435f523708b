// What proves one session out of a ledger's files: the entries that concern it, their paths to the root of a
// checkpoint, and how many of the checkpoints lead there (docs/formats/seals.md, "Evidence"). Reads only.
#pragma once

#include <cstdint>
#include <string>

#include "core/clock.h"
#include "core/result.h"
#include "seal/evidence_proof.h"
#include "seal/ledger_verdict.h"

namespace opelog::seal {

struct LedgerProof {
  EvidenceProof proof;
  std::uint64_t size = 0;              ///< entries that the last checkpoint counts
  WallUs at = 0;                       ///< when it was made
  std::uint64_t checkpoint_bytes = 0;  ///< of `checkpoints`, from its beginning to the end of that one
};

/// By the first checkpoint that counts all of the session's entries, or the last there is. `ledger` is what
/// verify_ledger() says of `directory`; without a session the keys alone are proven. Each entry is hashed
/// once: 32 bytes of memory for each. Code::kNotFound if there is no checkpoint.
Result<LedgerProof> prove_by_ledger(const std::string& directory, const LedgerVerdict& ledger,
                                    const std::string& recording, const LedgerSession* session);

}  // namespace opelog::seal
