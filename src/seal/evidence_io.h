// Evidence files: one session and all that proves it, in one tar archive (docs/formats/seals.md, "Evidence").
//
// Reading never unpacks to the disk, and takes any bytes: what is no evidence file is an Error, what is one
// and was changed comes to the same findings as a recording and its ledger on their host.
#pragma once

#include <string>
#include <vector>

#include "core/result.h"
#include "format/tar_bytes.h"
#include "seal/finding.h"
#include "seal/ledger_proof_io.h"
#include "seal/ledger_verdict.h"
#include "seal/pins.h"
#include "seal/stored_recording_io.h"

namespace opelog::seal {

/// Whether a path is meant as an evidence file: by the end of its name, or by what the file begins with.
bool is_evidence(const std::string& path);

struct EvidenceVerdict {
  LedgerVerdict ledger;
  SessionVerdict session;
};

/// An error: it cannot be read, or is no evidence file (Code::kInvalid).
Result<EvidenceVerdict> verify_evidence(const std::string& path, std::vector<Pin> pins);

/// Bytes that write_evidence() is going to write, but for the archive's headers.
std::uint64_t evidence_bytes(const LedgerProof& proof, StoredRecording& recording);

/// `proof` is of the ledger in `directory`. Same recording and proof, same bytes.
Status write_evidence(const std::string& directory, const LedgerProof& proof, StoredRecording& recording,
                      const format::TarWriter::Sink& sink);

}  // namespace opelog::seal
