// What stands in a valid policy and can hardly be meant. Pure.
#pragma once

#include <string>
#include <vector>

#include "core/policy.h"

namespace opelog {

/// One line each, with `file` and the place; only what is certain.
std::vector<std::string> policy_warnings(const Policy& policy, const std::string& file);

}  // namespace opelog
