// Reading a ledger's files, in pieces.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "core/result.h"
#include "seal/ledger_entry.h"

namespace opelog::seal {

/// All of the file as it is now, and what is appended meanwhile. `take` returns false to stop.
Status read_ledger_file(const std::string& path, const std::function<bool(std::string_view bytes)>& take);

/// Each entry of the ledger there, in order; what is none is left out.
Status read_entries(const std::string& directory, const std::function<void(LedgerEntry& entry)>& take);

}  // namespace opelog::seal
