// Where a host's ledger is, and what is pinned of it.
#pragma once

#include <string>
#include <vector>

#include "cli/context_io.h"
#include "seal/pins.h"

namespace opelog::cli {

/// Of all auditors of the host.
constexpr const char* kHostPins = "/etc/opelog/pins";
/// Of one, below the home directory that the user database names.
constexpr const char* kOwnPins = ".config/opelog/pins";

struct LedgerOnDisk {
  std::string directory;
  std::vector<seal::Pin> pins;
};

/// `ledger` and `pins` as given on the command line, "" where they were not: then the policy's, and the
/// caller's own file and the host's, whichever exist.
Result<LedgerOnDisk> find_ledger(const Context& context, const std::string& ledger, const std::string& pins);

/// What is pinned, by the file given, or by the caller's own and the host's.
Result<std::vector<seal::Pin>> find_pins(const std::string& pins);

/// The caller's own file.
Result<std::string> own_pins_file();

}  // namespace opelog::cli
