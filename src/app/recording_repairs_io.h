// What a crash or a power cut left of recordings is completed, once, when the daemon has begun.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "app/host_ledger_io.h"
#include "core/clock.h"
#include "core/fact.h"

namespace opelog::app {

struct Repairs {
  std::vector<Fact> facts;
  Interrupted interrupted;
};

/// In `directory`, and wherever else the ledger knows of `interrupted` sessions: only what lay there when the
/// daemon `began`, for a recording that a login makes meanwhile is not to be touched. `ledger`: its
/// directory; "" for none. Reads whole recordings: on a thread.
Repairs repair_recordings(const std::string& directory, WallUs began, const std::string& ledger,
                          const std::map<std::uint64_t, seal::OpenSession>& interrupted);

}  // namespace opelog::app
