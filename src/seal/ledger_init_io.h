// A ledger's public keys, and the making of one before the daemon's first start.
#pragma once

#include <cstdint>
#include <string>

#include "core/clock.h"
#include "core/result.h"

namespace opelog::seal {

struct LedgerKeysShown {
  std::string first;  ///< verifier key of the first epoch: what is pinned
  std::string log;    ///< of the host's own signatures, as the ledger began
};

/// From the first entry. Code::kNotFound if there is no ledger.
Result<LedgerKeysShown> show_keys(const std::string& directory);

/// Makes keys and the first entry; `group` may read the ledger. Code::kExists if there is a ledger.
Result<LedgerKeysShown> make_ledger(const std::string& directory, const std::string& key_file,
                                    std::uint32_t group, WallUs now);

}  // namespace opelog::seal
