// `opelog report --views`: who read what, as the ledger says.
#pragma once

#include "cli/context_io.h"
#include "cli/session_filter.h"

namespace opelog::cli {

/// Of `filter` the users (who read) and the times count.
ExitCode report_views(const Context& context, const SessionFilter& filter, bool json, bool csv);

}  // namespace opelog::cli
