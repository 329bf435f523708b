#include "core/policy_decide.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/policy_parse.h"

namespace opelog {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Policy policy_with(const std::string& rules) {
  auto policy = parse_policy("version: 1\nrules:\n" + rules, "p.yaml");
  EXPECT_TRUE(policy.ok()) << (policy.ok() ? "" : policy.error().message);
  return policy.ok() ? std::move(*policy) : Policy{};
}

LoginFacts ssh_login(std::uint32_t uid) {
  LoginFacts facts;
  facts.uid = uid;
  facts.user = "ann";
  facts.groups = {"ann", "staff"};
  facts.ancestor_exes = {"/usr/sbin/sshd", "/usr/sbin/sshd", "/usr/lib/systemd/systemd"};
  facts.client = parse_address("192.0.2.7");
  facts.terminal = true;
  return facts;
}

bool matches(const std::string& condition, const LoginFacts& facts) {
  const Policy policy = policy_with("  - name: r\n    match: { " + condition + " }\n");
  return decide(policy, facts).rule != nullptr;
}

TEST(PolicyDecide, GroupsAreAskedForOnlyIfARuleCanLookAtThem) {
  EXPECT_FALSE(asks_for_groups(Policy{}));
  EXPECT_FALSE(asks_for_groups(policy_with("  - name: a\n    match: { uid: 5000- }\n")));
  EXPECT_TRUE(
      asks_for_groups(policy_with("  - name: a\n    match: { uid: 5000- }\n"
                                  "  - name: b\n    match: { group: staff }\n    action: pass\n")));
}

TEST(PolicyDecide, TheRecipesRuleTakesUid1000AndAllFrom5000UnderSshd) {
  const Policy policy =
      policy_with("  - name: operators\n    match: { uid: [1000, 5000-], parent: [sshd, sshd-session] }\n");
  for (const std::uint32_t uid : {1000u, 5000u, 5001u, 4294967294u}) {
    EXPECT_EQ(decide(policy, ssh_login(uid)).action, Action::kRecord) << uid;
  }
  for (const std::uint32_t uid : {0u, 999u, 1001u, 4999u}) {
    const Decision d = decide(policy, ssh_login(uid));
    EXPECT_EQ(d.action, Action::kPass) << uid;
    EXPECT_EQ(d.rule, nullptr) << uid;
  }
  LoginFacts newer = ssh_login(1000);
  newer.ancestor_exes[0] = "/usr/lib/openssh/sshd-session";
  EXPECT_EQ(decide(policy, newer).action, Action::kRecord);
  LoginFacts console = ssh_login(1000);
  console.ancestor_exes = {"/usr/bin/login"};
  EXPECT_EQ(decide(policy, console).action, Action::kPass);
}

TEST(PolicyDecide, TheFirstMatchingRuleDecides) {
  const Policy policy = policy_with(
      "  - { name: a, match: { user: bob }, action: refuse }\n"
      "  - { name: b, match: { user: ann }, action: pass }\n"
      "  - { name: c, action: record }\n");
  LoginFacts facts = ssh_login(1);
  EXPECT_EQ(decide(policy, facts).rule, &policy.rules[1]);
  EXPECT_EQ(decide(policy, facts).action, Action::kPass);
  facts.user = "eve";
  EXPECT_EQ(decide(policy, facts).rule, &policy.rules[2]);
}

TEST(PolicyDecide, NoRulesPassEverybody) {
  const Policy empty;
  EXPECT_EQ(decide(empty, ssh_login(1000)).action, Action::kPass);
}

TEST(PolicyDecide, AllConditionsMustHoldAndOneMemberOfAListIsEnough) {
  const LoginFacts facts = ssh_login(1000);
  EXPECT_TRUE(
      matches("uid: [1, 1000], user: [bob, ann], group: [wheel, staff], parent: sshd, ancestor: systemd, "
              "client: 192.0.2.0/24, terminal: true",
              facts));
  EXPECT_FALSE(matches("uid: 1001, user: ann", facts));
  EXPECT_FALSE(matches("uid: 1000, user: bob", facts));
  EXPECT_FALSE(matches("user: ann, group: wheel", facts));
  EXPECT_FALSE(matches("user: ann, ancestor: cron", facts));
  EXPECT_FALSE(matches("user: ann, client: 198.51.100.0/24", facts));
  EXPECT_FALSE(matches("user: ann, terminal: false", facts));
}

TEST(PolicyDecide, RangesIncludeBothEnds) {
  for (const auto& [uid, expected] : {std::pair{9u, false}, {10u, true}, {20u, true}, {21u, false}}) {
    EXPECT_EQ(matches("uid: 10-20", ssh_login(uid)), expected) << uid;
  }
}

TEST(PolicyDecide, NamesAreExact) {
  EXPECT_FALSE(matches("user: an", ssh_login(1)));
  EXPECT_FALSE(matches("user: Ann", ssh_login(1)));
  EXPECT_FALSE(matches("parent: ssh", ssh_login(1)));
}

TEST(PolicyDecide, ALoginWithoutFactsMeetsNoConditionAboutThem) {
  LoginFacts bare;
  EXPECT_FALSE(matches("client: ::/0", bare));
  EXPECT_FALSE(matches("client: 0.0.0.0/0", bare));
  EXPECT_FALSE(matches("parent: sshd", bare));
  EXPECT_FALSE(matches("ancestor: sshd", bare));
  EXPECT_FALSE(matches("group: wheel", bare));
  EXPECT_TRUE(matches("terminal: false", bare));
  EXPECT_TRUE(matches("uid: 0", bare));
}

TEST(PolicyDecide, TheParentIsSeenThroughOneShell) {
  LoginFacts facts = ssh_login(1);
  for (const char* shell : {"/usr/bin/bash", "/bin/sh", "/usr/bin/dash", "/usr/bin/zsh", "/bin/ksh",
                            "/usr/bin/fish", "/bin/tcsh", "/bin/csh", "/usr/bin/bash (deleted)"}) {
    facts.ancestor_exes = {shell, "/usr/sbin/sshd"};
    EXPECT_TRUE(matches("parent: sshd", facts)) << shell;
  }
  facts.ancestor_exes = {"/usr/bin/bash", "/usr/bin/bash", "/usr/sbin/sshd"};
  EXPECT_FALSE(matches("parent: sshd", facts)) << "two shells between";
  facts.ancestor_exes = {"/usr/bin/vim", "/usr/sbin/sshd"};
  EXPECT_FALSE(matches("parent: sshd", facts)) << "not a shell between";
  facts.ancestor_exes = {"/usr/bin/bash"};
  EXPECT_FALSE(matches("parent: sshd", facts)) << "nothing above the shell";
  EXPECT_TRUE(matches("parent: bash", facts)) << "a shell is a parent like any other";
}

TEST(PolicyDecide, ShellsOfTheHostCountAsShells) {
  LoginFacts facts = ssh_login(1);
  facts.ancestor_exes = {"/opt/site/myshell", "/usr/sbin/sshd"};
  EXPECT_FALSE(matches("parent: sshd", facts));
  facts.shells = {"/opt/site/myshell"};
  EXPECT_TRUE(matches("parent: sshd", facts));
}

TEST(PolicyDecide, AReplacedBinaryStillMatches) {
  LoginFacts facts = ssh_login(1);
  facts.ancestor_exes = {"/usr/sbin/sshd (deleted)"};
  EXPECT_TRUE(matches("parent: sshd", facts));
  EXPECT_TRUE(matches("parent: /usr/sbin/sshd", facts));
  EXPECT_TRUE(matches("ancestor: /usr/sbin/sshd", facts));
}

TEST(PolicyDecide, AnAbsolutePathMatchesThatProgramOnly) {
  EXPECT_TRUE(program_matches("/usr/sbin/sshd", "/usr/sbin/sshd"));
  EXPECT_FALSE(program_matches("/home/eve/sshd", "/usr/sbin/sshd"));
  EXPECT_TRUE(program_matches("/home/eve/sshd", "sshd"));
  EXPECT_FALSE(program_matches("", ""));
  EXPECT_FALSE(program_matches("/usr/sbin/", ""));
  EXPECT_FALSE(program_matches(" (deleted)", ""));
}

TEST(PolicyDecide, AncestorsAreLookedAtAllTheWayUp) {
  EXPECT_TRUE(matches("ancestor: systemd", ssh_login(1)));
  EXPECT_TRUE(matches("ancestor: sshd", ssh_login(1)));
  EXPECT_FALSE(matches("parent: systemd", ssh_login(1)));
}

struct AddressCase {
  const char* range;
  const char* address;
  bool in;
};

TEST(PolicyDecide, AddressesAreComparedByPrefix) {
  const AddressCase cases[] = {
      {"192.0.2.0/24", "192.0.2.255", true},
      {"192.0.2.0/24", "192.0.3.0", false},
      {"192.0.2.128/25", "192.0.2.127", false},
      {"192.0.2.128/25", "192.0.2.128", true},
      {"192.0.2.7", "192.0.2.7", true},
      {"192.0.2.7", "192.0.2.6", false},
      {"0.0.0.0/0", "203.0.113.9", true},
      {"0.0.0.0/0", "2001:db8::1", false},
      {"::/0", "203.0.113.9", true},
      {"::/0", "2001:db8::1", true},
      {"192.0.2.0/24", "::ffff:192.0.2.3", true},
      {"::ffff:192.0.2.0/120", "192.0.2.3", true},
      {"2001:db8::/32", "2001:db8:ffff::", true},
      {"2001:db8::/32", "2001:db9::", false},
      {"2001:db8::/33", "2001:db8:8000::", false},
      {"fe80::/10", "fe80::1%eth0", true},
      {"fe80::/10", "febf::1", true},
      {"fe80::/10", "fec0::1", false},
  };
  for (const auto& c : cases) {
    LoginFacts facts = ssh_login(1);
    facts.client = parse_address(c.address);
    ASSERT_TRUE(facts.client) << c.address;
    EXPECT_EQ(matches(std::string("client: \"") + c.range + "\"", facts), c.in)
        << c.range << " " << c.address;
  }
}

TEST(PolicyDecide, OnlyAddressesAreParsedAsAddresses) {
  for (const char* bad : {"", "%", "%eth0", "192.0.2", "192.0.2.256", "192.0.2.1%eth0", "192.0.2.1 ",
                          "0192.0.2.1", "::g", "UNKNOWN", "1"}) {
    EXPECT_FALSE(parse_address(bad)) << bad;
  }
  EXPECT_FALSE(parse_address(std::string_view("192.0.2.1\0x", 11)));
  EXPECT_FALSE(parse_address(std::string(100000, '1')));
}

TEST(PolicyDecide, AddressesPrintAsTheyAreUsuallyWritten) {
  for (const char* text : {"192.0.2.1", "2001:db8::1", "::1", "::"})
    EXPECT_EQ(format_address(*parse_address(text)), text);
  EXPECT_EQ(format_address(*parse_address("::ffff:192.0.2.1")), "192.0.2.1");
  EXPECT_EQ(format_address(*parse_address("fe80::1%eth0")), "fe80::1");
}

TEST(PolicyDecide, TheTraceSaysWhyLineByLine) {
  const Policy policy = policy_with(
      "  - { name: a, match: { uid: [7, 10-20, 30-] }, action: refuse }\n"
      "  - { name: b, match: { uid: 1, client: 198.51.100.0/24 } }\n"
      "  - { name: c, match: { user: ann, terminal: true } }\n"
      "  - { name: never-reached }\n");
  EXPECT_THAT(decide(policy, ssh_login(1), true).trace,
              ElementsAre("rule a: no: uid is 1, wants 7, 10-20, 30-",
                          "rule b: no: client is 192.0.2.7, wants 198.51.100.0/24",
                          "rule c: yes: user ann; terminal true", "verdict: record"));
  EXPECT_TRUE(decide(policy, ssh_login(1)).trace.empty());
  const Policy catch_all = policy_with("  - { name: all, action: refuse }\n");
  EXPECT_THAT(decide(catch_all, ssh_login(1), true).trace,
              ElementsAre("rule all: yes: it has no conditions", "verdict: refuse"));
}

TEST(PolicyDecide, WithoutAMatchTheTraceSaysSo) {
  const Policy policy = policy_with("  - { name: a, match: { parent: sshd, client: ::1 } }\n");
  EXPECT_THAT(decide(policy, LoginFacts{}, true).trace,
              ElementsAre("rule a: no: parent is none, wants sshd", "verdict: pass (no rule matched)"));
}

TEST(PolicyDecide, OutsideBytesInTheTraceArePrintable) {
  const Policy policy = policy_with("  - { name: a, match: { user: bob } }\n");
  LoginFacts facts;
  facts.user = "e\x1B[2Jve\n\xFF";
  EXPECT_THAT(decide(policy, facts, true).trace[0], HasSubstr("user is e\\x1b[2Jve\\x0a\\xff, wants bob"));
}

// A user may kill the sshd that serves him while it starts his login: who is left without a parent is no
// better off.
TEST(PolicyDecide, ALoginThatLostItsParentMeetsRulesThatRecordOrRefuseAndNoneThatLetsPass) {
  Policy policy;
  Rule pass, record;
  pass.name = "pass";
  pass.action = Action::kPass;
  pass.match.parent = {"cron"};
  record.name = "record";
  record.match.parent = {"sshd"};
  policy.rules = {pass, record};
  LoginFacts facts;
  facts.ancestor_exes = {"/usr/lib/systemd/systemd"};
  EXPECT_EQ(decide(policy, facts).action, Action::kPass) << "a parent that is known not to be sshd";
  facts.init_at = 0;
  ASSERT_NE(decide(policy, facts).rule, nullptr);
  EXPECT_EQ(decide(policy, facts).rule->name, "record");
  facts.ancestor_exes = {"/usr/bin/bash", "/usr/lib/systemd/systemd"};
  facts.init_at = 1;
  ASSERT_NE(decide(policy, facts).rule, nullptr);
  EXPECT_EQ(decide(policy, facts).rule->name, "record");
  facts.ancestor_exes[0] = "/usr/sbin/cron";
  EXPECT_EQ(decide(policy, facts).rule, &policy.rules[0]);
  policy.rules[1].match.parent.clear();
  policy.rules[1].match.ancestor = {"sshd"};
  facts.ancestor_exes = {"/sbin/init"};
  facts.init_at = 0;
  ASSERT_NE(decide(policy, facts).rule, nullptr);
  EXPECT_EQ(decide(policy, facts).rule->name, "record");
}

}  // namespace
}  // namespace opelog
