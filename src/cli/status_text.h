// The daemon's status for people. Pure.
#pragma once

#include <string>

#include "format/json_text.h"

namespace opelog::cli {

std::string status_text(const format::JsonValue& answer);

/// Whether something is missing or the policy on disk is not the one in force.
bool is_degraded(const format::JsonValue& answer);

}  // namespace opelog::cli
