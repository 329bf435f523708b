// passwd and group files as text: accounts of this host, or of the tree that --root names. Pure.
//
// The name service is not asked: enrolling changes /etc/passwd, so only who stands there can be enrolled.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace opelog::cli {

struct PasswdEntry {
  std::string user;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::string shell;
};

/// Lines that are none are left out.
std::vector<PasswdEntry> parse_passwd(std::string_view text);
std::optional<PasswdEntry> find_user(const std::vector<PasswdEntry>& entries, std::string_view user);

/// The gid of a group, from /etc/group's text.
std::optional<std::uint32_t> find_group(std::string_view text, std::string_view group);

/// Names of the groups the user is in: the primary one, and those that list him.
std::vector<std::string> groups_of(std::string_view text, const PasswdEntry& account);

/// The paths in /etc/shells.
std::vector<std::string> parse_shells(std::string_view text);

}  // namespace opelog::cli
