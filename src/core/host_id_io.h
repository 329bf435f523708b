// The ids by which the kernel and the system know this host and this boot.
#pragma once

#include <string>

namespace opelog {

/// /etc/machine-id; "" where there is none.
std::string machine_id();
/// Of the running kernel.
std::string boot_id();

}  // namespace opelog
