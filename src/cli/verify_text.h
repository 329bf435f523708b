// What `opelog verify` prints. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/exit_code.h"
#include "seal/finding.h"
#include "seal/ledger_verdict.h"

namespace opelog::cli {

/// On a host, or on an evidence file.
struct HostVerdict {
  std::string evidence;  ///< the file's path; "" of a host
  std::optional<seal::LedgerVerdict> ledger;
  std::string ledger_problem;  ///< why there is none
  std::vector<seal::SessionVerdict> sessions;
};

/// `all`: also the recordings that nothing was found of.
std::string verdict_text(const HostVerdict& host, bool all, bool colour);
/// One line.
std::string verdict_json(const HostVerdict& host);

/// kOk intact and complete; kNo incomplete, as is stated; kUnproven; kAltered.
ExitCode exit_code_of(const HostVerdict& host);

}  // namespace opelog::cli
