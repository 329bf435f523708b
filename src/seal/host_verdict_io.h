// The verdict on files: a ledger's directory, a recording in its directory, a whole host
// (docs/formats/seals.md). Reads only. Of the reading tools: the daemon does not link it.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "format/recording_list_io.h"
#include "seal/finding.h"
#include "seal/ledger_verdict.h"
#include "seal/pins.h"
#include "seal/session_verdict.h"

namespace opelog::seal {

/// Reads `entries` and `checkpoints` of the ledger in `directory`. An error only if they cannot be read.
Result<LedgerVerdict> verify_ledger(const std::string& directory, std::vector<Pin> pins);

/// `list`, if given, is of `directory`, and saves reading it.
Result<SessionVerdict> verify_recording(const std::string& directory, const std::string& name,
                                        const LedgerVerdict* ledger,
                                        const format::RecordingList* list = nullptr);

/// Sessions of the ledger of which `present` (sorted base names) has no recording: gone, by policy or not.
std::vector<SessionVerdict> absent_sessions(const LedgerVerdict& ledger,
                                            const std::vector<std::string>& present);

/// Adds to the ledger's findings what only the recordings show.
void compare_with_recordings(LedgerVerdict& ledger, std::vector<SessionVerdict>& sessions);

}  // namespace opelog::seal
