#include "app/config_io.h"

#include <set>

#include "core/enrolled.h"
#include "core/fallback.h"
#include "core/fd_io.h"
#include "core/policy_warnings.h"
#include "core/sha256.h"
#include "format/recording_name.h"
#include "record/account_io.h"

namespace opelog::app {
namespace {

Result<std::vector<Enrolled>> load_enrolled(const std::string& path) {
  auto text = read_file(path, kEnrolledMaxBytes);
  if (!text) {
    if (text.error().code == Code::kNotFound) return std::vector<Enrolled>{};
    return std::move(text).error();
  }
  return parse_enrolled(*text, path);
}

}  // namespace

Result<Config> load_config(const Paths& paths) {
  Config config;
  auto policy = load_policy(paths.policy);
  if (!policy) return std::move(policy).error();
  config.policy = std::move(*policy);
  const Policy& p = config.policy.policy;
  if (auto good = format::check_name_template(p.name); !good) {
    return Error{Code::kInvalid, paths.policy + ": recordings.name: " + good.error().message, 0};
  }
  auto group = record::lookup_group(p.file_group);
  if (!group) {
    return Error{Code::kNotFound,
                 paths.policy + ": recordings.group: " + group.error().message + "; run: groupadd --system " +
                     p.file_group,
                 0};
  }
  config.file_group = *group;
  if (auto tty = record::lookup_group("tty")) config.tty_group = *tty;

  auto enrolled = load_enrolled(paths.enrolled);
  if (!enrolled) return std::move(enrolled).error();
  std::vector<EnrolledUid> uids;
  for (const Enrolled& e : *enrolled) {
    config.enrolled[e.user] = e.shell;
    if (auto uid = record::lookup_user(e.user))
      uids.push_back({*uid, e.shell});
    else
      config.warnings.push_back(paths.enrolled + ": " + uid.error().message + "; run: opelog unenroll " +
                                e.user);
  }
  std::map<std::string, std::uint32_t> rule_users;
  for (const Rule& rule : p.rules) {
    for (const std::string& user : rule.match.user) {
      if (auto uid = record::lookup_user(user))
        rule_users[user] = *uid;
      else
        config.warnings.push_back(paths.policy + ": rule " + rule.name + ": " + uid.error().message);
    }
  }
  for (auto& warning : policy_warnings(p, paths.policy)) config.warnings.push_back(std::move(warning));
  for (auto& missing : missing_commands(p, paths.policy)) config.warnings.push_back(std::move(missing));
  std::optional<std::uint32_t> glass;
  if (auto gid = record::lookup_group(p.break_glass_group)) glass = *gid;
  auto fallback = encode_fallback(p, uids, glass, rule_users);
  if (!fallback) return std::move(fallback).error();
  config.fallback = std::move(*fallback);
  return config;
}

constexpr std::size_t kMaxGoodPolicyBytes = 1 << 20;  // a larger one was not loaded

void remember_good_policy(const Paths& paths, const std::string& digest) {
  auto text = read_file(paths.policy, kMaxGoodPolicyBytes);
  if (text && sha256_hex(*text) == digest) (void)replace_file(paths.run + kGoodPolicy, *text, 0600).ok();
}

}  // namespace opelog::app
