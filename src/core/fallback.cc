#include "core/fallback.h"

#include <algorithm>
#include <set>

#include "core/policy_parse.h"

namespace opelog {
namespace {

constexpr UidRange kEverybody{0, UINT32_MAX};

// Sorted, overlapping and adjacent ranges merged.
std::vector<UidRange> merge(std::vector<UidRange> ranges) {
  std::sort(ranges.begin(), ranges.end(),
            [](const UidRange& a, const UidRange& b) { return a.first < b.first; });
  std::vector<UidRange> merged;
  for (const UidRange& r : ranges) {
    if (!merged.empty() && (merged.back().last == UINT32_MAX || r.first <= merged.back().last + 1)) {
      merged.back().last = std::max(merged.back().last, r.last);
    } else {
      merged.push_back(r);
    }
  }
  return merged;
}

bool in_ranges(const std::vector<UidRange>& ranges, std::uint32_t uid) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [&](const UidRange& r) { return uid >= r.first && uid <= r.last; });
}

// Every uid the rule could possibly match, whatever its other conditions say.
std::vector<UidRange> possible_uids(const Match& match,
                                    const std::map<std::string, std::uint32_t>& user_uids) {
  std::vector<UidRange> by_uid = match.uid.empty() ? std::vector<UidRange>{kEverybody} : merge(match.uid);
  if (match.user.empty()) return by_uid;
  std::vector<UidRange> by_user;
  for (const auto& user : match.user) {
    const auto found = user_uids.find(user);
    if (found == user_uids.end()) return by_uid;  // unknown here and now: could be any of them
    if (in_ranges(by_uid, found->second)) by_user.push_back({found->second, found->second});
  }
  return merge(std::move(by_user));
}

// Whether every login of those uids meets the rule, so that "pass" can be promised without the daemon.
bool decided_by_uid(const Match& m) {
  return m.user.empty() && m.group.empty() && m.parent.empty() && m.ancestor.empty() && m.client.empty() &&
         !m.terminal.has_value();
}

}  // namespace

Result<std::string> encode_fallback(const Policy& policy, const std::vector<EnrolledUid>& enrolled,
                                    std::optional<std::uint32_t> break_glass_gid,
                                    const std::map<std::string, std::uint32_t>& user_uids) {
  std::string text = "opelog-fallback 1\nabsent ";
  text += on_refuse_word(policy.daemon_absent);
  text += '\n';
  if (break_glass_gid) text += "breakglass " + std::to_string(*break_glass_gid) + "\n";
  std::set<std::uint32_t> seen;
  for (const EnrolledUid& e : enrolled) {
    if (seen.insert(e.uid).second) text += "shell " + std::to_string(e.uid) + " " + e.shell + "\n";
  }
  for (const Rule& rule : policy.rules) {
    const bool pass = rule.action == Action::kPass;
    if (pass && !decided_by_uid(rule.match)) continue;
    for (const UidRange& r : possible_uids(rule.match, user_uids)) {
      text +=
          "uid " + std::to_string(r.first) + " " + std::to_string(r.last) + (pass ? " pass\n" : " refuse\n");
    }
  }
  text += "end\n";
  if (text.size() > kFallbackMaxBytes) {
    return Error{Code::kLimit,
                 "the fallback file would exceed 1 MiB; enroll fewer users or use uid ranges in the rules",
                 0};
  }
  return text;
}

}  // namespace opelog
