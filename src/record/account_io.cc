#include "record/account_io.h"

#include <grp.h>
#include <pwd.h>

#include <algorithm>
#include <cerrno>

namespace opelog::record {
namespace {

constexpr std::size_t kFirstBuffer = 4096;  ///< bytes; enough for nearly every entry

// Calls one of the get…_r family with a buffer that grows until the entry fits.
template <typename Entry, typename Call>
Result<Entry*> fetch(Entry& entry, std::vector<char>& buffer, const std::string& what, Call call) {
  buffer.resize(kFirstBuffer);
  for (;;) {
    Entry* found = nullptr;
    const int error = call(&entry, buffer.data(), buffer.size(), &found);
    if (error == EINTR) continue;
    if (error == ERANGE) {
      if (buffer.size() >= kMaxRecord)
        return Error{Code::kLimit, what + ": the name service's entry is too long", 0};
      buffer.resize(buffer.size() * 2);
      continue;
    }
    if (found != nullptr) return found;
    // Several back ends say "no such entry" with an errno (getpwnam(3) lists them).
    if (error == 0 || error == ENOENT || error == ESRCH || error == EBADF || error == EPERM) {
      return Error{Code::kNotFound, what + ": unknown to the name service", 0};
    }
    return error_from_errno(error, what + ": name service");
  }
}

std::string text(const char* value) {
  return value == nullptr ? std::string() : std::string(value);
}

Result<std::vector<gid_t>> group_list(const std::string& user, gid_t primary) {
  int count = 64;  // grows to what the first call asks for
  std::vector<gid_t> gids(static_cast<std::size_t>(count));
  while (::getgrouplist(user.c_str(), primary, gids.data(), &count) < 0) {
    // It reports the number needed; some versions only say "more".
    count = std::max(count, static_cast<int>(gids.size()) * 2);
    if (count > kMaxGroups) return Error{Code::kLimit, user + ": member of more than 65536 groups", 0};
    gids.resize(static_cast<std::size_t>(count));
    count = static_cast<int>(gids.size());
  }
  gids.resize(static_cast<std::size_t>(count));
  return gids;
}

}  // namespace

Result<Account> lookup_account(uid_t uid, Groups groups) {
  passwd entry{};
  std::vector<char> buffer;
  auto found =
      fetch(entry, buffer, "uid " + std::to_string(uid),
            [&](passwd* e, char* b, std::size_t n, passwd** f) { return ::getpwuid_r(uid, e, b, n, f); });
  if (!found) return std::move(found).error();
  Account account{entry.pw_uid,       entry.pw_gid,         text(entry.pw_name),
                  text(entry.pw_dir), text(entry.pw_shell), {}};
  if (groups == Groups::kWithoutGroups) return account;
  auto gids = group_list(account.user, account.gid);
  if (!gids) return std::move(gids).error();
  for (const gid_t gid : *gids) {
    group g{};
    auto named =
        fetch(g, buffer, "gid " + std::to_string(gid),
              [&](group* e, char* b, std::size_t n, group** f) { return ::getgrgid_r(gid, e, b, n, f); });
    if (named) {
      account.groups.push_back(text(g.gr_name));
    } else if (named.error().code != Code::kNotFound) {
      return std::move(named).error();  // a rule by group must not fail to match because a server is away
    }
  }
  return account;
}

Result<uid_t> lookup_user(const std::string& name) {
  passwd entry{};
  std::vector<char> buffer;
  auto found = fetch(entry, buffer, "user " + name, [&](passwd* e, char* b, std::size_t n, passwd** f) {
    return ::getpwnam_r(name.c_str(), e, b, n, f);
  });
  if (!found) return std::move(found).error();
  return entry.pw_uid;
}

Result<gid_t> lookup_group(const std::string& name) {
  group entry{};
  std::vector<char> buffer;
  auto found = fetch(entry, buffer, "group " + name, [&](group* e, char* b, std::size_t n, group** f) {
    return ::getgrnam_r(name.c_str(), e, b, n, f);
  });
  if (!found) return std::move(found).error();
  return entry.gr_gid;
}

}  // namespace opelog::record
