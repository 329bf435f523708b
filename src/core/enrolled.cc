#include "core/enrolled.h"

#include <map>

#include "core/fact.h"
#include "core/yaml_tree.h"
#include "core/yaml_values.h"

namespace opelog {
namespace {

constexpr std::size_t kMaxUserBytes = 256;  // LOGIN_NAME_MAX

Error invalid(std::string message) {
  return Error{Code::kInvalid, std::move(message), 0};
}

bool is_shim(std::string_view shell) {
  return shell.substr(shell.rfind('/') + 1) == "opelog-shell";
}

// Where the complaint of check_enrolled() points: at the user or at the shell.
Status check_user(const std::string& user) {
  if (user.empty()) return invalid("no user before the ':'; write user:/real/shell");
  if (user.size() > kMaxUserBytes) return invalid("a user name longer than 256 bytes; no account has one");
  if (user.front() == '#' || user.front() == ' ' || user.back() == ' ' ||
      user.find_first_of(":/\n\t") != std::string::npos || printable(user) != user) {
    return invalid("'" + printable(user) + "' is no user name; write user:/real/shell");
  }
  return {};
}

Status check_shell(const std::string& shell) {
  if (!is_normal_path(shell) || shell.find_first_of(": ") != std::string::npos || printable(shell) != shell) {
    return invalid("'" + printable(shell) + "' is not the absolute path of a shell; write user:/real/shell");
  }
  if (is_shim(shell))
    return invalid("the real shell is opelog-shell itself; write the shell that it shall start");
  return {};
}

}  // namespace

Status check_enrolled(const Enrolled& entry) {
  if (auto user = check_user(entry.user); !user) return user;
  return check_shell(entry.shell);
}

Result<std::vector<Enrolled>> parse_enrolled(std::string_view text, const std::string& file_name) {
  if (text.size() > kEnrolledMaxBytes)
    return error_at(file_name, {}, "larger than 1 MiB; check that this is the right file");
  std::vector<Enrolled> entries;
  std::map<std::string, int> lines;  // of each user
  int line = 0;
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    const std::string_view row = text.substr(start, end - start);
    start = end + 1;
    ++line;
    if (row.empty() || row[0] == '#') continue;
    const std::size_t colon = row.find(':');
    if (row.back() == '\r')
      return error_at(file_name, {line, static_cast<int>(row.size())},
                      "a carriage return; end lines with a line feed alone");
    if (colon == std::string_view::npos)
      return error_at(file_name, {line, 1}, "no ':'; write user:/real/shell");
    Enrolled entry{std::string(row.substr(0, colon)), std::string(row.substr(colon + 1))};
    if (auto user = check_user(entry.user); !user)
      return error_at(file_name, {line, 1}, user.error().message);
    if (auto shell = check_shell(entry.shell); !shell) {
      return error_at(file_name, {line, static_cast<int>(colon) + 2}, shell.error().message);
    }
    const auto [earlier, is_new] = lines.emplace(entry.user, line);
    if (!is_new) {
      return error_at(file_name, {line, 1},
                      "user '" + entry.user + "' again; line " + std::to_string(earlier->second) +
                          " has it already: remove one");
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

Result<std::string> encode_enrolled(const std::vector<Enrolled>& entries) {
  std::string text = "# user:/real/shell - kept by `opelog enroll` and `opelog unenroll`\n";
  std::map<std::string, int> seen;
  for (const Enrolled& entry : entries) {
    if (auto good = check_enrolled(entry); !good) return good.error();
    if (!seen.emplace(entry.user, 0).second)
      return invalid("user '" + entry.user + "' is enrolled twice; remove one");
    text += entry.user + ":" + entry.shell + "\n";
  }
  if (text.size() > kEnrolledMaxBytes) return Error{Code::kLimit, "more enrolled users than fit 1 MiB", 0};
  return text;
}

}  // namespace opelog
