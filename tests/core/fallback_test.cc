#include "core/fallback.h"

#include <gtest/gtest.h>

#include <random>
#include <sstream>

#include "core/policy_decide.h"
#include "core/policy_parse.h"

extern "C" {
#include "shim/fallback.h"
}

namespace opelog {
namespace {

Policy policy_of(const std::string& rest) {
  auto policy = parse_policy("version: 1\n" + rest, "p.yaml");
  EXPECT_TRUE(policy.ok()) << (policy.ok() ? "" : policy.error().message);
  return policy.ok() ? std::move(*policy) : Policy{};
}

std::string encoded(const Policy& policy, const std::map<std::string, std::uint32_t>& uids = {}) {
  auto text = encode_fallback(policy, {}, std::nullopt, uids);
  EXPECT_TRUE(text.ok());
  return text.ok() ? *text : "";
}

// The shim's own reader, which must also find no fault with the file.
opelog_fallback_answer ask_shim(const std::string& text, std::uint32_t uid, std::uint32_t gid = 100) {
  opelog_fallback_answer answer;
  const opelog_person person{uid, gid, nullptr, 0};
  EXPECT_EQ(opelog_decide_fallback(text.data(), text.size(), &person, &answer), 0u) << text;
  return answer;
}

bool refuses(const std::string& text, std::uint32_t uid) {
  return ask_shim(text, uid).verdict == OPELOG_FALLBACK_REFUSE;
}

TEST(Fallback, TheShippedPolicyRefusesItsTargetsAndNobodyElse) {
  const Policy policy =
      policy_of("rules: [{name: operators, match: {uid: [1000, 5000-], parent: [sshd, sshd-session]}}]\n");
  auto text = encode_fallback(policy, {{1000, "/bin/bash"}, {5001, "/usr/bin/zsh"}}, 997u, {});
  ASSERT_TRUE(text.ok());
  EXPECT_EQ(*text,
            "opelog-fallback 1\n"
            "absent refuse\n"
            "breakglass 997\n"
            "shell 1000 /bin/bash\n"
            "shell 5001 /usr/bin/zsh\n"
            "uid 1000 1000 refuse\n"
            "uid 5000 4294967295 refuse\n"
            "end\n");
  EXPECT_FALSE(refuses(*text, 0));
  EXPECT_TRUE(refuses(*text, 1000));
  EXPECT_STREQ(ask_shim(*text, 5001).shell, "/usr/bin/zsh");
  EXPECT_EQ(ask_shim(*text, 1000, 997).verdict, OPELOG_FALLBACK_BREAK_GLASS);
}

TEST(Fallback, WithoutTheGroupThereIsNoBreakGlassLine) {
  EXPECT_EQ(encoded(policy_of("rules: []\ndaemon_absent: pass\n")), "opelog-fallback 1\nabsent pass\nend\n");
}

TEST(Fallback, RulesKeepTheirOrderAndASurePassComesFirst) {
  EXPECT_EQ(
      encoded(policy_of("rules:\n"
                        "  - {name: a, match: {uid: 0-999}, action: pass}\n"
                        "  - {name: b, match: {uid: 5}, action: refuse}\n"
                        "  - {name: c}\n")),
      "opelog-fallback 1\nabsent refuse\nuid 0 999 pass\nuid 5 5 refuse\nuid 0 4294967295 refuse\nend\n");
}

TEST(Fallback, APassThatHangsOnMoreThanTheUidIsNotPromised) {
  for (const char* condition :
       {"user: ann", "group: staff", "parent: cron", "ancestor: cron", "client: ::1", "terminal: false"}) {
    const auto text = encoded(policy_of(std::string("rules:\n  - {name: a, match: {uid: 7, ") + condition +
                                        "}, action: pass}\n  - {name: b}\n"),
                              {{"ann", 7}});
    EXPECT_EQ(text, "opelog-fallback 1\nabsent refuse\nuid 0 4294967295 refuse\nend\n") << condition;
  }
}

TEST(Fallback, KnownUsersBecomeTheirUids) {
  const Policy policy = policy_of("rules: [{name: a, match: {user: [ann, bob, eve]}}]\n");
  EXPECT_EQ(encoded(policy, {{"ann", 1001}, {"bob", 1002}, {"eve", 7}}),
            "opelog-fallback 1\nabsent refuse\nuid 7 7 refuse\nuid 1001 1002 refuse\nend\n");
}

TEST(Fallback, AnUnknownUserMayBeAnybody) {
  const Policy policy = policy_of("rules: [{name: a, match: {user: [ann, bob]}}]\n");
  EXPECT_TRUE(refuses(encoded(policy, {{"ann", 1001}}), 77));
  const Policy narrowed = policy_of("rules: [{name: a, match: {user: [ann, bob], uid: 1000-2000}}]\n");
  EXPECT_TRUE(refuses(encoded(narrowed, {{"ann", 1001}}), 1500));
  EXPECT_FALSE(refuses(encoded(narrowed, {{"ann", 1001}}), 77));
}

TEST(Fallback, UserAndUidTogetherAreTheirIntersection) {
  const Policy policy = policy_of("rules: [{name: a, match: {user: [ann, bob], uid: 1000-2000}}]\n");
  EXPECT_EQ(encoded(policy, {{"ann", 1001}, {"bob", 7}}),
            "opelog-fallback 1\nabsent refuse\nuid 1001 1001 refuse\nend\n");
}

TEST(Fallback, AGroupMayHoldAnybody) {
  EXPECT_TRUE(refuses(encoded(policy_of("rules: [{name: a, match: {group: staff}}]\n")), 0));
}

TEST(Fallback, OverlappingRangesAreMerged) {
  EXPECT_EQ(
      encoded(policy_of("rules: [{name: a, match: {uid: [5000-, 10, 4-8, 9, 6000-7000, 4294967294]}}]\n")),
      "opelog-fallback 1\nabsent refuse\nuid 4 10 refuse\nuid 5000 4294967295 refuse\nend\n");
}

TEST(Fallback, OfSeveralShellsForOneUidTheFirstCounts) {
  auto text = encode_fallback(Policy{}, {{7, "/bin/a"}, {7, "/bin/b"}}, std::nullopt, {});
  EXPECT_EQ(*text, "opelog-fallback 1\nabsent refuse\nshell 7 /bin/a\nend\n");
}

TEST(Fallback, BeyondItsBoundItIsAnErrorAndNotCut) {
  std::vector<EnrolledUid> many;
  for (std::uint32_t uid = 0; uid < 60000; ++uid) many.push_back({uid, "/usr/local/bin/someshell"});
  auto text = encode_fallback(Policy{}, many, std::nullopt, {});
  ASSERT_FALSE(text.ok());
  EXPECT_EQ(text.error().code, Code::kLimit);
}

// The one promise: whoever the daemon would record or refuse is not let through while it is away.
TEST(Fallback, NobodyPassesWhomTheDaemonWouldRecord) {
  std::mt19937 random(20261122);
  const std::map<std::string, std::uint32_t> users{{"ann", 1}, {"bob", 5}, {"eve", 9}};
  const char* conditions[] = {"uid: 1",           "uid: 3-7",          "uid: 5-",      "user: ann",
                              "user: [bob, eve]", "user: nobody-here", "group: staff", "parent: sshd",
                              "terminal: true",   "client: 192.0.2.1"};
  const char* actions[] = {"record", "pass", "refuse"};
  for (int round = 0; round < 1000 / OPELOG_SAMPLE; ++round) {
    std::string yaml = "rules:\n";
    const std::uint_fast32_t rules = random() % 4 + 1;
    for (std::uint_fast32_t i = 0; i < rules; ++i) {
      std::string match;
      std::string used;
      for (std::uint_fast32_t n = random() % 3; n > 0; --n) {
        const std::string c = conditions[random() % std::size(conditions)];
        const std::string key = c.substr(0, c.find(':'));
        if (used.find(key) != std::string::npos) continue;
        used += key + " ";
        match += (match.empty() ? "" : ", ") + c;
      }
      yaml += "  - {name: r" + std::to_string(i) + ", match: {" + match +
              "}, action: " + actions[random() % 3] + "}\n";
    }
    const Policy policy = policy_of(yaml);
    const std::string text = encoded(policy, users);
    for (std::uint32_t uid = 0; uid < 12; ++uid) {
      LoginFacts facts;
      facts.uid = uid;
      for (const auto& [name, id] : users) {
        if (id == uid) facts.user = name;
      }
      for (unsigned bits = 0; bits < 16; ++bits) {
        facts.groups = (bits & 1) != 0 ? std::vector<std::string>{"staff"} : std::vector<std::string>{};
        facts.ancestor_exes = {(bits & 2) != 0 ? "/usr/sbin/sshd" : "/usr/bin/login"};
        facts.terminal = (bits & 4) != 0;
        facts.client = (bits & 8) != 0 ? parse_address("192.0.2.1") : std::nullopt;
        if (decide(policy, facts).action == Action::kPass) continue;
        ASSERT_TRUE(refuses(text, uid)) << "uid " << uid << "\n" << yaml << text;
      }
    }
  }
}

}  // namespace
}  // namespace opelog
