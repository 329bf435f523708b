// The groups of an account, as the daemon will see them at a login.
#pragma once

#include <string>
#include <vector>

#include "cli/account_files.h"

namespace opelog::cli {

/// The name service's on the running system; in a tree named by `root` only /etc/group is there to ask.
std::vector<std::string> account_groups(const std::string& root, const PasswdEntry& account);

}  // namespace opelog::cli
