// The host's time zone, for time_text.h.
#pragma once

#include "cli/time_text.h"

namespace opelog::cli {

Calendar local_calendar();

}  // namespace opelog::cli
