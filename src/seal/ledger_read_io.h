// Reading a ledger's files, in pieces. Of the reading tools.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "core/result.h"

namespace opelog::seal {

/// All of the file as it is now, and what is appended meanwhile. `take` returns false to stop.
Status read_ledger_file(const std::string& path, const std::function<bool(std::string_view bytes)>& take);

}  // namespace opelog::seal
