#include "cli/account_files.h"

#include <algorithm>
#include <charconv>

namespace opelog::cli {
namespace {

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t end = text.find(at);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::optional<std::uint32_t> number(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::vector<PasswdEntry> parse_passwd(std::string_view text) {
  std::vector<PasswdEntry> entries;
  for (const auto line : split(text, '\n')) {
    const auto fields = split(line, ':');
    if (fields.size() != 7 || fields[0].empty()) continue;
    const auto uid = number(fields[2]);
    const auto gid = number(fields[3]);
    if (!uid || !gid) continue;
    entries.push_back(
        {std::string(fields[0]), *uid, *gid, std::string(fields[6].empty() ? "/bin/sh" : fields[6])});
  }
  return entries;
}

std::optional<PasswdEntry> find_user(const std::vector<PasswdEntry>& entries, std::string_view user) {
  for (const auto& entry : entries) {
    if (entry.user == user) return entry;
  }
  return std::nullopt;
}

std::optional<std::uint32_t> find_group(std::string_view text, std::string_view group) {
  for (const auto line : split(text, '\n')) {
    const auto fields = split(line, ':');
    if (fields.size() >= 3 && fields[0] == group) return number(fields[2]);
  }
  return std::nullopt;
}

std::vector<std::string> groups_of(std::string_view text, const PasswdEntry& account) {
  std::vector<std::string> names;
  for (const auto line : split(text, '\n')) {
    const auto fields = split(line, ':');
    if (fields.size() != 4 || fields[0].empty()) continue;
    const auto members = split(fields[3], ',');
    if (number(fields[2]) == account.gid ||
        std::find(members.begin(), members.end(), account.user) != members.end())
      names.emplace_back(fields[0]);
  }
  return names;
}

std::vector<std::string> parse_shells(std::string_view text) {
  std::vector<std::string> shells;
  for (const auto line : split(text, '\n')) {
    if (!line.empty() && line[0] == '/') shells.emplace_back(line);
  }
  return shells;
}

}  // namespace opelog::cli
