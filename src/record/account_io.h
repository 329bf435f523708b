// The name service: who a uid is, and which groups he is in.
//
// Every call may block for as long as the name service likes (LDAP): use a thread. Nothing is cached: nscd
// and sssd do that. Answers are bounded: a record of at most kMaxRecord bytes, at most kMaxGroups groups.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "core/result.h"

namespace opelog::record {

constexpr std::size_t kMaxRecord =
    1 << 20;                       ///< bytes of one passwd or group entry; a group of 50,000 members fits
constexpr int kMaxGroups = 65536;  ///< NGROUPS_MAX of the kernel

struct Account {
  uid_t uid = 0;
  gid_t gid = 0;
  std::string user;
  std::string home;
  std::string shell;                ///< as in passwd, "" there means /bin/sh
  std::vector<std::string> groups;  ///< names, the primary one first; a gid without a name is left out
                                    ///< (empty without kWithGroups: a directory server is slow to list them)
};

enum class Groups { kWithGroups, kWithoutGroups };

/// Code::kNotFound if there is no such account.
Result<Account> lookup_account(uid_t uid, Groups groups = Groups::kWithGroups);
Result<uid_t> lookup_user(const std::string& name);
Result<gid_t> lookup_group(const std::string& name);

}  // namespace opelog::record
