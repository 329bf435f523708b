#include "cli/account_groups_io.h"

#include <grp.h>

#include <algorithm>

#include "core/fd_io.h"

namespace opelog::cli {
namespace {

constexpr std::size_t kGroupFileMax = 64U << 20;  ///< bytes
constexpr int kMostGroups = 65536;                ///< the kernel's limit

}  // namespace

std::vector<std::string> account_groups(const std::string& root, const PasswdEntry& account) {
  if (!root.empty()) {
    const auto text = read_file(root + "/etc/group", kGroupFileMax);
    return text ? groups_of(*text, account) : std::vector<std::string>{};
  }
  int count = 64;
  std::vector<gid_t> gids(static_cast<std::size_t>(count));
  while (::getgrouplist(account.user.c_str(), account.gid, gids.data(), &count) < 0 && count <= kMostGroups) {
    gids.resize(static_cast<std::size_t>(count));
  }
  gids.resize(static_cast<std::size_t>(std::clamp(count, 0, static_cast<int>(gids.size()))));
  std::vector<std::string> names;
  for (const gid_t gid : gids) {
    if (const group* found = ::getgrgid(gid)) names.emplace_back(found->gr_name);
  }
  return names;
}

}  // namespace opelog::cli
