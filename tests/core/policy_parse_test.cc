#include "core/policy_parse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "core/yaml_tree.h"
#include "scoped_dir.h"

namespace opelog {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr const char* kMinimal = "version: 1\nrules: []\n";

std::string first_error(std::string_view yaml) {
  const auto parsed = parse_policy_all(yaml, "p.yaml");
  return parsed.errors.empty() ? "accepted" : parsed.errors.front().message;
}

Policy parsed(const std::string& yaml) {
  auto result = parse_policy(yaml, "p.yaml");
  EXPECT_TRUE(result.ok()) << (result.ok() ? "" : result.error().message);
  return result.ok() ? std::move(*result) : Policy{};
}

Rule rule_of(const std::string& lines) {
  const Policy policy = parsed("version: 1\nrules:\n  - name: r\n" + lines);
  return policy.rules.size() == 1 ? policy.rules[0] : Rule{};
}

TEST(PolicyParse, TheSmallestPolicyIsAllDefaults) {
  EXPECT_EQ(parsed(kMinimal), Policy{});
}

TEST(PolicyParse, TheShippedFileIsTheDefaultsAndTheRecipesOwnRule) {
  const std::string file = std::string(OPELOG_SOURCE_DIR) + "/etc/opelog.yaml";
  auto result = parse_policy(slurp(file), file);
  ASSERT_TRUE(result.ok()) << result.error().message;
  Policy expected;
  Rule operators;
  operators.name = "operators";
  operators.match.uid = {{1000, 1000}, {5000, UINT32_MAX}};
  operators.match.parent = {"sshd", "sshd-session"};
  ASSERT_EQ(result->rules.size(), 1u);
  operators.line = result->rules[0].line;
  EXPECT_GT(operators.line, 1);
  expected.rules = {operators};
  EXPECT_EQ(*result, expected);
}

// The example rules in comments are policy too: whoever removes the '#' must get what they say.
TEST(PolicyParse, TheShippedExamplesAreValidOnceUncommented) {
  std::stringstream file(slurp(std::string(OPELOG_SOURCE_DIR) + "/etc/opelog.yaml"));
  std::string yaml = "version: 1\nrules:\n";
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("  # - ", 0) == 0 || line.rfind("  #   ", 0) == 0) yaml += "  " + line.substr(4) + "\n";
    if (line.rfind("guard:", 0) == 0) break;
  }
  const Policy policy = parsed(yaml);
  ASSERT_EQ(policy.rules.size(), 3u) << yaml;
  EXPECT_EQ(policy.rules[0].action, Action::kPass);
  EXPECT_EQ(policy.rules[1].match.group, std::vector<std::string>{"contractors"});
  EXPECT_EQ(policy.rules[2].action, Action::kRefuse);
}

// True if `key` begins a YAML line of the shipped file below its parents.
bool shipped_has(const std::string& yaml, const std::string& key) {
  const std::string last = key.substr(key.find_last_of('.') + 1);
  std::stringstream lines(yaml);
  for (std::string line; std::getline(lines, line);) {
    // Guarded directories, holds and hooks are empty by default: their keys stand in the commented example.
    if ((key.rfind("guard.directories[].", 0) == 0 || key.rfind("retention.hold[].", 0) == 0 ||
         key.rfind("on_event[].", 0) == 0) &&
        line.find('#') != std::string::npos)
      line.erase(line.find('#'), 2);
    const std::size_t at = line.find_first_not_of(" -");
    if (at != std::string::npos && line.compare(at, last.size() + 1, last + ":") == 0) return true;
    // Optional conditions of a rule are described in the comment block above the rule's match.
    if (key.find(".match.") != std::string::npos && line.find("    #   " + last) == 0) return true;
    if (key.find(".match.") != std::string::npos && line.find(", " + last + " ") != std::string::npos)
      return true;
  }
  return false;
}

TEST(PolicyParse, EveryKeyStandsInTheShippedFileAndInTheReference) {
  const std::string yaml = slurp(std::string(OPELOG_SOURCE_DIR) + "/etc/opelog.yaml");
  const std::string docs = slurp(std::string(OPELOG_SOURCE_DIR) + "/docs/policy.md");
  const auto keys = policy_keys();
  EXPECT_GT(keys.size(), 35u);
  for (const auto& key : keys) {
    EXPECT_TRUE(shipped_has(yaml, key)) << key << " is missing in etc/opelog.yaml";
    EXPECT_THAT(docs, HasSubstr("| `" + key + "` |")) << key << " is missing in docs/policy.md";
  }
}

TEST(PolicyParse, TheReferenceNamesNoKeyThatTheParserDoesNotKnow) {
  std::stringstream docs(slurp(std::string(OPELOG_SOURCE_DIR) + "/docs/policy.md"));
  const auto list = policy_keys();
  const std::set<std::string> keys(list.begin(), list.end());
  int rows = 0;
  for (std::string line; std::getline(docs, line);) {
    if (line.rfind("| `", 0) != 0) continue;
    ++rows;
    const std::string key = line.substr(3, line.find('`', 3) - 3);
    EXPECT_EQ(keys.count(key), 1u) << key;
  }
  EXPECT_EQ(static_cast<std::size_t>(rows), keys.size());
}

TEST(PolicyParse, EveryKeyReachesItsField) {
  const Policy p = parsed(R"(version: 1
recordings:
  directory: /srv/rec/
  name: "{time}"
  group: audit
  mode: "0600"
  append_only: preferred
  sync_interval: 250ms
retention:
  compress_after: 36h
  keep_for: 730d
  keep_at_least: 90m
  max_size: 2T
  max_size_per_user: 512K
  reserve: 20G
  hold:
    - user: alice
    - session: 4f2a91c000000001
on_event:
  - events: [guard-*, session-end]
    command: [/bin/tell, "a b"]
  - events: "*"
    socket: /run/x
rules:
  - name: one
    match:
      uid: [0, "5-7", "5000-"]
      user: [ann, "1000"]
      group: wheel
      parent: [sshd, /usr/sbin/sshd]
      ancestor: cron
      client: [192.0.2.0/24, 2001:db8::1, "0.0.0.0/0"]
      terminal: false
    action: refuse
    input: true
    payload: true
    notice: "a\nb"
    on_start_failure: pass
    on_write_failure: continue
    on_unrecorded: end
daemon_absent: pass
break_glass_group: ""
unrecorded_scan: 2s
guard:
  directories:
    - path: /var/log/scripts/
      settle: 0
    - { path: /b }
  sweep: 5m
limits:
  max_sessions: 1
  max_sessions_per_user: 2
  max_pending_logins: 3
  login_timeout: 4s
  hold_timeout: 2h
  end_grace: 0
  session_size: 5G
  output_rate: 2M
  output_rate_per_user: 512K
  on_output_rate: drop
  idle_warning: 10m
  idle_end: 15m
  disk_reserve: 1G
log:
  target: file
  file: /var/log/x.log
  level: debug
)");
  Policy e;
  e.directory = "/srv/rec";
  e.name = "{time}";
  e.file_group = "audit";
  e.file_mode = 0600;
  e.append_only = AppendOnly::kPreferred;
  e.sync_interval_ms = 250;
  e.retention.compress_after_s = 36 * 3600;
  e.retention.keep_for_s = 730LL * 86400;
  e.retention.keep_at_least_s = 90 * 60;
  e.retention.max_size = 2ULL << 40U;
  e.retention.max_size_per_user = 512 << 10U;
  e.retention.reserve = 20ULL << 30U;
  e.on_event = {{{"guard-*", "session-end"}, {"/bin/tell", "a b"}, ""}, {{"*"}, {}, "/run/x"}};
  e.retention.hold = {Hold{"alice", ""}, Hold{"", "4f2a91c000000001"}};
  Rule r;
  r.name = "one";
  r.line = 25;
  r.match.uid = {{0, 0}, {5, 7}, {5000, UINT32_MAX}};
  r.match.user = {"ann", "1000"};
  r.match.group = {"wheel"};
  r.match.parent = {"sshd", "/usr/sbin/sshd"};
  r.match.ancestor = {"cron"};
  r.match.client = {
      {"192.0.2.0/24", {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 192, 0, 2, 0}, 120},
      {"2001:db8::1", {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128},
      {"0.0.0.0/0", {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0, 0, 0}, 96},
  };
  r.match.terminal = false;
  r.action = Action::kRefuse;
  r.record_input = r.record_payload = true;
  r.notice = "a\nb";
  r.on_start_failure = OnRefuse::kPass;
  r.on_write_failure = OnFailure::kContinue;
  r.on_unrecorded = OnUnrecorded::kEnd;
  e.rules = {r};
  e.daemon_absent = OnRefuse::kPass;
  e.break_glass_group = "";
  e.unrecorded_scan_ms = 2000;
  e.guard = {{"/var/log/scripts", 0}, {"/b", 1000}};
  e.guard_sweep_ms = 300000;
  e.max_sessions = 1;
  e.max_sessions_per_user = 2;
  e.max_pending_logins = 3;
  e.login_timeout_ms = 4000;
  e.hold_timeout_ms = 7200000;
  e.end_grace_ms = 0;
  e.session_size = 5ULL << 30U;
  e.output_rate = 2 << 20U;
  e.output_rate_per_user = 512 << 10U;
  e.on_output_rate = OnOutputRate::kDrop;
  e.idle_warning_ms = 600000;
  e.idle_end_ms = 900000;
  e.disk_reserve = 1ULL << 30U;
  e.log = {LogTarget::kFile, "/var/log/x.log", Level::kDebug};
  EXPECT_EQ(p, e);
}

TEST(PolicyParse, OneValueMayStandForAListOfOne) {
  const Rule r = rule_of("    match: { uid: 5000-, user: ann, parent: sshd, client: ::1 }\n");
  EXPECT_EQ(r.match.uid, (std::vector<UidRange>{{5000, UINT32_MAX}}));
  EXPECT_EQ(r.match.user, std::vector<std::string>{"ann"});
  EXPECT_EQ(r.match.parent, std::vector<std::string>{"sshd"});
  ASSERT_EQ(r.match.client.size(), 1u);
  EXPECT_EQ(r.match.client[0].prefix, 128u);
}

TEST(PolicyParse, AModeIsOctalWithAndWithoutQuotes) {
  for (const char* text : {"\"0640\"", "0640", "640", "'640'"}) {
    EXPECT_EQ(parsed(std::string("version: 1\nrules: []\nrecordings: { mode: ") + text + " }\n").file_mode,
              0640u)
        << text;
  }
}

TEST(PolicyParse, LineEndsOfOtherSystemsAndAMissingLastOneAreRead) {
  EXPECT_EQ(parsed("version: 1\r\nrules: []\r\nlog:\r\n  level: error"),
            parsed("version: 1\nrules: []\nlog: {level: error}\n"));
}

TEST(PolicyParse, ANoticeMayBeABlockOfLines) {
  EXPECT_EQ(rule_of("    notice: |\n      One: two.\n      Three.\n").notice, "One: two.\nThree.\n");
}

struct Bad {
  const char* yaml;
  const char* error;  ///< the first complaint begins so, after "p.yaml:"
};

void PrintTo(const Bad& bad, std::ostream* os) {
  *os << bad.error;
}

class PolicyParseBad : public ::testing::TestWithParam<Bad> {};

TEST_P(PolicyParseBad, IsNamedWithItsPlace) {
  EXPECT_THAT(first_error(GetParam().yaml), StartsWith(std::string("p.yaml:") + GetParam().error))
      << GetParam().yaml;
}

// What is not YAML, or is more of it than a policy needs.
INSTANTIATE_TEST_SUITE_P(
    Text, PolicyParseBad,
    ::testing::Values(
        Bad{"", "1:1: an empty policy"}, Bad{"# nothing\n", "1:1: an empty policy"},
        Bad{"version: 1\nversion: 1\nrules: []\n", "2:1: key 'version' again; it stands already in line 1"},
        Bad{"version: 1\nrules:\n  - name: a\n    name: b\n", "4:5: key 'name' again"},
        Bad{"version: 1\nrules: [{name: a, name: a}]\n", "2:19: key 'name' again"},
        Bad{"version: 1\n\"version\": 1\n", "2:1: key 'version' again"},
        Bad{"version: 1\nrules:\n\t- name: a\n", "3:1: a tab; indent with spaces"},
        Bad{"version: 1\t# x\nrules: []\n", "1:11: a tab"},
        Bad{"version: &v 1\nrules: []\n", "1:10: an anchor"}, Bad{"rules: &r []\n", "1:8: an anchor"},
        Bad{"rules: &r\n  - a\n", "1:8: an anchor"},
        Bad{"rules: *r\n", "1:8: the referenced anchor is not defined"},
        Bad{"log: &l {level: info}\nguard: *l\n", "1:6: an anchor"},
        Bad{"log: {<<: {level: info}}\n", "1:1: no key 'version'"}, Bad{"version: !!int 1\n", "1:10: a tag"},
        Bad{"rules: !x []\n", "1:8: a tag"},
        Bad{"--- \nversion: 1\nrules: []\n--- \nversion: 1\n", "4:1: a second document"},
        Bad{"version: 1\nrules: []\n...\nversion: 1\n", "4:1: a second document"},
        Bad{"version: 1\nrules: [1, 2\n", "3:1: end of sequence flow not found"},
        Bad{"version: 1\nrules: \"x\n", "2:8: "},
        Bad{"version: 1\nlog: level: info\n", "2:11: ':' where no value may stand"},
        Bad{"version: 1\nrules:\n  - name: x\n   input: true\n", "4:4: end of sequence not found"},
        Bad{"{[a]: 1}\n", "1:2: a key must be a word"}, Bad{"? {a: b}\n: 1\n", "1:3: a key must be a word"},
        Bad{"~: 1\n", "1:1: a key must be a word"}, Bad{"[]\n", "1:1: a list where keys with values"},
        Bad{"foo\n", "1:1: 'foo' where keys with values"},
        Bad{"\xEF\xBB\xBFversion: 1\n", "1:1: a byte order mark"},
        Bad{"version: 1\n# \xC3\x28\n", "2:3: not UTF-8 text"},
        Bad{"# \xE2\x80\xAE\n", "1:3: not UTF-8 text, or an invisible"},
        Bad{"# a\x1B[2J\n", "1:4: a control character"}, Bad{"# a\rb\n", "1:4: a control character"},
        Bad{"\"\xC3\xBC\xC3\xBC\": &x 1\n", "1:7: an anchor"}));

// Keys.
INSTANTIATE_TEST_SUITE_P(
    Keys, PolicyParseBad,
    ::testing::Values(
        Bad{"rules: []\n", "1:1: no key 'version'; add the line 'version: 1'"},
        Bad{"version: 1\n", "1:1: no key 'rules', so nothing would be recorded"},
        Bad{"version: 1\nrules: []\nrecording: {}\n",
            "3:1: unknown key 'recording'; did you mean 'recordings'?"},
        Bad{"version: 1\nrules: []\nlog: {levle: info}\n",
            "3:7: unknown key 'levle' in log; did you mean 'level'?"},
        Bad{"version: 1\nrules: []\nlimits:\n  max-sessions: 1\n",
            "4:3: unknown key 'max-sessions' in limits; did you mean 'max_sessions'?"},
        Bad{"version: 1\nrules: []\nguard: {zzzzzz: 1}\n",
            "3:9: unknown key 'zzzzzz' in guard; known here: directories or sweep"},
        Bad{"version: 1\nrules:\n  - name: a\n    matches: {}\n",
            "4:5: unknown key 'matches' in rules; did you mean 'match'?"},
        Bad{"version: 1\nrules:\n  - name: a\n    match: {uids: 1}\n",
            "4:13: unknown key 'uids' in match; did you mean 'uid'?"},
        Bad{"version: 1\nrules: []\nRules: []\n", "3:1: unknown key 'Rules'; did you mean 'rules'?"},
        Bad{"version: 1\nrules: []\nlog:\n", "3:4: log: no value where keys"},
        Bad{"version: 1\nrules: []\nlog: []\n", "3:6: log: a list where keys"},
        Bad{"version: 1\nrules: {}\n", "2:8: rules: a map where a list"},
        Bad{"version: 1\nrules:\n", "2:6: rules: no value where a list"},
        Bad{"version: 1\nrules:\n  - a\n", "3:5: rules: 'a' where keys"},
        Bad{"version: 1\nrules:\n  -\n  - name: a\n", "3:3: rules: no value where keys"},
        Bad{"version: 1\nrules:\n  - action: pass\n", "3:5: rules: a rule without a name"},
        Bad{"version: 1\nrules:\n  - name: \"\"\n", "3:11: name: not a name"},
        Bad{"version: 1\nrules:\n  - name: ' a'\n", "3:11: name: not a name"},
        Bad{"version: 1\nrules:\n  - name: \"a\\e\"\n", "3:11: name: not a name"},
        Bad{"version: 1\nrules:\n  - name:\n", "3:9: name: no value"},
        Bad{"version: 1\nrules:\n  - name: [a]\n", "3:11: name: a list where a text"},
        Bad{"version: 1\nrules:\n  - name: a\n  - name: a\n",
            "4:11: rules: the name 'a' again; the rule in line 3 has it"},
        Bad{"version: 1\nrules:\n  - {name: a, match: {uid: []}}\n", "3:28: uid: an empty list"},
        Bad{"version: 1\nrules:\n  - {name: a, match: {user: []}}\n", "3:29: user: an empty list"}));

// Values.
INSTANTIATE_TEST_SUITE_P(
    Values, PolicyParseBad,
    ::testing::Values(
        Bad{"version: 2\nrules: []\n", "1:10: version: not a version this opelog knows; write 1"},
        Bad{"version: \"1\"\nrules: []\n", "1:10: version: not a version"},
        Bad{"version: 1.0\nrules: []\n", "1:10: version: not a version"},
        Bad{"version: 1\nrules: []\nlimits: {max_sessions: 5x}\n",
            "3:24: max_sessions: '5x' is not a whole number; write a number from 1 to 100000"},
        Bad{"version: 1\nrules: []\nlimits: {max_sessions: 0}\n", "3:24: max_sessions: '0' is out of range"},
        Bad{"version: 1\nrules: []\nlimits: {max_sessions: -1}\n",
            "3:24: max_sessions: '-1' is out of range"},
        Bad{"version: 1\nrules: []\nlimits: {max_sessions: 100001}\n",
            "3:24: max_sessions: '100001' is out of range"},
        Bad{"version: 1\nrules: []\nlimits: {max_sessions: 99999999999999999999}\n",
            "3:24: max_sessions: '99999999999999999999' is out of range"},
        Bad{"version: 1\nrules: []\nlimits: {max_sessions: 1e3}\n",
            "3:24: max_sessions: '1e3' is not a whole number"},
        Bad{"version: 1\nrules: []\nlimits: {max_sessions: 0x10}\n",
            "3:24: max_sessions: '0x10' is not a whole number"},
        Bad{"version: 1\nrules: []\nlimits: {max_sessions: \"5\"}\n",
            "3:24: max_sessions: '5' in quotes is a text"},
        Bad{"version: 1\nrules: []\nlimits: {max_sessions: [5]}\n",
            "3:24: max_sessions: a list is not a number"},
        Bad{"version: 1\nrules: []\nlimits: {max_sessions: }\n",
            "3:24: max_sessions: no value is not a number"},
        Bad{"version: 1\nrules: []\nlimits: {end_grace: 1000}\n",
            "3:21: end_grace: '1000' is not a duration"},
        Bad{"version: 1\nrules: []\nlimits: {end_grace: 1 s}\n", "3:21: end_grace: '1 s' is not a duration"},
        Bad{"version: 1\nrules: []\nlimits: {end_grace: 1.5s}\n",
            "3:21: end_grace: '1.5s' is not a duration"},
        Bad{"version: 1\nrules: []\nlimits: {end_grace: s}\n", "3:21: end_grace: 's' is not a duration"},
        Bad{"version: 1\nrules: []\nretention: {keep_for: 90}\n", "3:23: keep_for: '90' is not an age"},
        Bad{"version: 1\nrules: []\nretention: {reserve: 5GB}\n", "3:22: reserve: '5GB' is not a size"},
        Bad{"version: 1\nrules: []\nretention: {keep_for: 2h}\n",
            "3:12: retention: keep_for is shorter than keep_at_least"},
        Bad{"version: 1\nrules: []\nlimits: {idle_warning: 5m, idle_end: 5m}\n",
            "3:9: limits: idle_warning is not shorter than idle_end"},
        Bad{"version: 1\nrules: []\nlimits: {on_output_rate: slow}\n", "3:26: on_output_rate: 'slow' is"},
        Bad{"version: 1\nrules: []\nlimits: {output_rate: 100}\n", "3:23: output_rate: '100' is not a size"},
        Bad{"version: 1\nrules: []\nretention: {hold: [{}]}\n",
            "3:20: hold: holds nothing; write either 'user: NAME'"},
        Bad{"version: 1\nrules: []\nretention: {hold: [{user: a, session: b}]}\n",
            "3:20: hold: holds nothing"},
        Bad{"version: 1\nrules: []\non_event: [{command: [/x]}]\n",
            "3:12: on_event: a hook that hears of nothing"},
        Bad{"version: 1\nrules: []\non_event: [{events: a}]\n",
            "3:12: on_event: write either 'command: [/PROGRAM]'"},
        Bad{"version: 1\nrules: []\non_event: [{events: a, command: [/x], socket: /y}]\n",
            "3:12: on_event: write either"},
        Bad{"version: 1\nrules: []\non_event: [{events: [a*b], socket: /y}]\n",
            "3:21: events: 'a*b' is no event"},
        Bad{"version: 1\nrules: []\non_event: [{events: A, socket: /y}]\n", "3:21: events: 'A' is no event"},
        Bad{"version: 1\nrules: []\non_event: [{events: a, command: [sh]}]\n",
            "3:33: command: 'sh' is no absolute path"},
        Bad{"version: 1\nrules: []\nlimits: {end_grace: 11m}\n",
            "3:21: end_grace: '11m' is out of range; write a duration from 0 to 10m"},
        Bad{"version: 1\nrules: []\nlimits: {login_timeout: 0}\n",
            "3:25: login_timeout: '0' is out of range; write a duration from 100ms to 10m"},
        Bad{"version: 1\nrules: []\nguard: {sweep: 999ms}\n",
            "3:16: sweep: '999ms' is out of range; write a duration from 1s to 24h"},
        Bad{"version: 1\nrules: []\nguard: {directories: [/x]}\n", "3:23: directories: '/x' where keys"},
        Bad{"version: 1\nrules: []\nguard: {directories: [{settle: 1s}]}\n",
            "3:23: directories: a directory without a path"},
        Bad{"version: 1\nrules: []\nguard: {directories: [{path: /x}, {path: /x/}]}\n",
            "3:35: directories: '/x' again"},
        Bad{"version: 1\nrules: []\nrecordings: {directory: var/log}\n",
            "3:25: directory: 'var/log' is not an absolute path"},
        Bad{"version: 1\nrules: []\nrecordings: {directory: /}\n",
            "3:25: directory: '/' is the root directory"},
        Bad{"version: 1\nrules: []\nrecordings: {directory: /a/../b}\n",
            "3:25: directory: '/a/../b' has empty, '.' or '..' parts"},
        Bad{"version: 1\nrules: []\nrecordings: {directory: /a//}\n", "3:25: directory: '/a//' has empty"},
        Bad{"version: 1\nrules: []\nrecordings: {directory: \"/a\\0b\"}\n",
            "3:25: directory: '/a\\x00b' has empty"},
        Bad{"version: 1\nrules: []\nrecordings: {directory: ~}\n", "3:25: directory: no value"},
        Bad{"version: 1\nrules: []\nrecordings: {name: \"\"}\n", "3:20: name: an empty name"},
        Bad{"version: 1\nrules: []\nrecordings: {name: \"a/b\"}\n", "3:20: name: a '/' in a file name"},
        Bad{"version: 1\nrules: []\nrecordings: {group: \"\"}\n", "3:21: group: an empty name"},
        Bad{"version: 1\nrules: []\nrecordings: {group: \"a b\"}\n",
            "3:21: group: 'a b' is no name of a group"},
        Bad{"version: 1\nrules: []\nrecordings: {mode: 0666}\n", "3:20: mode: not a mode for recordings"},
        Bad{"version: 1\nrules: []\nrecordings: {mode: 0440}\n", "3:20: mode: not a mode for recordings"},
        Bad{"version: 1\nrules: []\nrecordings: {mode: 4640}\n", "3:20: mode: not a file mode"},
        Bad{"version: 1\nrules: []\nrecordings: {mode: 0689}\n", "3:20: mode: not a file mode"},
        Bad{"version: 1\nrules: []\nrecordings: {mode: }\n", "3:20: mode: not a file mode"},
        Bad{"version: 1\nrules: []\nrecordings: {append_only: require}\n",
            "3:27: append_only: 'require' is not one of required, preferred or off; did you mean "
            "'required'?"},
        Bad{"version: 1\nrules: []\ndaemon_absent: [pass]\n",
            "3:16: daemon_absent: a list is not one of refuse or pass"},
        Bad{"version: 1\nrules: []\nbreak_glass_group:\n", "3:18: break_glass_group: no value; write \"\""},
        Bad{"version: 1\nrules: []\nlog: {file: x.log}\n", "3:13: file: 'x.log' is not an absolute path"},
        Bad{"version: 1\nrules: []\nlog: {file: /var/log/}\n", "3:13: file: '/var/log/' has empty"},
        Bad{"version: 1\nrules: []\nlog: {level: INFO}\n",
            "3:14: level: 'INFO' is not one of debug, info, warning or error"},
        Bad{"version: 1\nrules: [{name: a, input: yes}]\n", "2:26: input: 'yes' is neither true nor false"},
        Bad{"version: 1\nrules: [{name: a, input: \"true\"}]\n", "2:26: input: 'true' in quotes is a text"},
        Bad{"version: 1\nrules: [{name: a, match: {terminal: 1}}]\n",
            "2:37: terminal: '1' is neither true nor false"},
        Bad{"version: 1\nrules: [{name: a, action: allow}]\n",
            "2:27: action: 'allow' is not one of record, pass or refuse"},
        Bad{"version: 1\nrules: [{name: a, on_write_failure: cutt}]\n",
            "2:37: on_write_failure: 'cutt' is not one of hold, cut or continue; did you mean 'cut'?"},
        Bad{"version: 1\nrules: [{name: a, notice: \"\\e[2J\"}]\n",
            "2:27: notice: control characters in a notice"},
        Bad{"version: 1\nrules: [{name: a, match: {uid: 10-5}}]\n",
            "2:32: uid: '10-5' is no range of user ids"},
        Bad{"version: 1\nrules: [{name: a, match: {uid: -5}}]\n", "2:32: uid: '-5' is no range"},
        Bad{"version: 1\nrules: [{name: a, match: {uid: 5x}}]\n", "2:32: uid: '5x' is no range"},
        Bad{"version: 1\nrules: [{name: a, match: {uid: [01]}}]\n", "2:33: uid: '01' is no range"},
        Bad{"version: 1\nrules: [{name: a, match: {uid: 4294967295}}]\n",
            "2:32: uid: '4294967295' is no range"},
        Bad{"version: 1\nrules: [{name: a, match: {uid: [[1]]}}]\n", "2:33: uid: this is no range"},
        Bad{"version: 1\nrules: [{name: a, match: {uid: {a: 1}}}]\n", "2:32: uid: a map where a list"},
        Bad{"version: 1\nrules: [{name: a, match: {user: [null]}}]\n", "2:34: user: no value"},
        Bad{"version: 1\nrules: [{name: a, match: {user: [\"\"]}}]\n", "2:34: user: an empty name"},
        Bad{"version: 1\nrules: [{name: a, match: {parent: bin/sshd}}]\n",
            "2:35: parent: 'bin/sshd' is neither a base name nor an absolute path"},
        Bad{"version: 1\nrules: [{name: a, match: {parent: /usr/bin/../sshd}}]\n",
            "2:35: parent: '/usr/bin/../sshd' is neither"},
        Bad{"version: 1\nrules: [{name: a, match: {client: 192.0.2.5/24}}]\n",
            "2:35: client: '192.0.2.5/24' has bits beyond its prefix; write 192.0.2.0/24"},
        Bad{"version: 1\nrules: [{name: a, match: {client: 2001:db8::1/32}}]\n",
            "2:35: client: '2001:db8::1/32' has bits beyond its prefix; write 2001:db8::/32"},
        Bad{"version: 1\nrules: [{name: a, match: {client: \"::ffff:192.0.2.5/120\"}}]\n",
            "2:35: client: '::ffff:192.0.2.5/120' has bits beyond its prefix; write ::ffff:192.0.2.0/120"},
        Bad{"version: 1\nrules: [{name: a, match: {client: 192.0.2.0/33}}]\n",
            "2:35: client: '192.0.2.0/33' has no prefix from 0 to 32"},
        Bad{"version: 1\nrules: [{name: a, match: {client: 192.0.2.0/}}]\n",
            "2:35: client: '192.0.2.0/' has no prefix"},
        Bad{"version: 1\nrules: [{name: a, match: {client: host.example}}]\n",
            "2:35: client: 'host.example' is no address"},
        Bad{"version: 1\nrules: [{name: a, match: {client: \"fe80::1%eth0\"}}]\n",
            "2:35: client: 'fe80::1%eth0' is no address"}));

TEST(PolicyParse, EveryComplaintIsCollectedInFileOrder) {
  const auto all =
      parse_policy_all("rules:\n  - name: a\n    input: 1\n  - action: b\nlog: {level: x}\n", "p.yaml");
  ASSERT_EQ(all.errors.size(), 5u);
  EXPECT_FALSE(all.policy.has_value());
  EXPECT_THAT(all.errors[0].message, StartsWith("p.yaml:1:1: no key 'version'"));
  EXPECT_THAT(all.errors[1].message, StartsWith("p.yaml:3:12: input"));
  EXPECT_THAT(all.errors[2].message, StartsWith("p.yaml:4:5: rules: a rule without a name"));
  EXPECT_THAT(all.errors[3].message, StartsWith("p.yaml:4:13: action"));
  EXPECT_THAT(all.errors[4].message, StartsWith("p.yaml:5:14: level"));
  auto first = parse_policy("rules:\n  - name: a\n    input: 1\n  - action: b\nlog: {level: x}\n", "p.yaml");
  ASSERT_FALSE(first.ok());
  EXPECT_THAT(first.error().message, HasSubstr("(and 4 more: opelog policy check)"));
}

TEST(PolicyParse, ComplaintsAreBoundedAndEachIsOneLine) {
  std::string yaml = "version: 1\nrules:\n";
  for (int i = 0; i < 900; ++i) yaml += "  - \"a\\nb\\e\"\n";
  const auto all = parse_policy_all(yaml, "p\n.yaml");
  EXPECT_EQ(all.errors.size(), kMaxPolicyErrors);
  for (const auto& error : all.errors) {
    EXPECT_EQ(error.message.find_first_of("\n\x1B"), std::string::npos) << error.message;
    EXPECT_EQ(error.code, Code::kInvalid);
  }
}

TEST(PolicyParse, NulBytesAreRefusedAtTheirPlace) {
  EXPECT_THAT(first_error(std::string_view("version: 1\nru\0les: []\n", 22)),
              StartsWith("p.yaml:2:3: a NUL byte"));
}

TEST(PolicyParse, MoreThanOneMebibyteIsRefused) {
  std::string yaml = kMinimal;
  while (yaml.size() <= kYamlMaxBytes - 100) yaml += "# " + std::string(97, '#') + "\n";
  yaml.resize(kYamlMaxBytes, '#');
  EXPECT_EQ(first_error(yaml), "accepted");
  EXPECT_THAT(first_error(yaml + "#"), StartsWith("p.yaml:1:1: larger than 1 MiB"));
}

TEST(PolicyParse, DepthIsRefusedBeforeTheParserRecurses) {
  std::string nested[] = {"", "", "", ""};
  for (int i = 0; i < 2000; ++i) {
    nested[0] += "[";
    nested[1] += "- ";
    nested[2] += "{a: ";
    nested[3] += "? ";
  }
  for (const auto& yaml : nested)
    EXPECT_THAT(first_error(yaml), HasSubstr("nested deeper than 16 levels")) << yaml.substr(0, 8);
}

TEST(PolicyParse, LongLinesAndCountlessValuesAreRefused) {
  EXPECT_THAT(first_error("# " + std::string(kYamlMaxLine, 'x')),
              StartsWith("p.yaml:1:8193: a line longer than"));
  std::string many = "version: 1\nrules: [";
  for (std::size_t i = 0; i <= kYamlMaxNodes; ++i) many += "a,\n";
  EXPECT_THAT(first_error(many + "]\n"), HasSubstr("more than 50000 values"));
  std::string keys;
  for (int i = 0; i < 200; ++i) keys += "k" + std::to_string(i) + ": 1\n";
  EXPECT_THAT(first_error(keys), StartsWith("p.yaml:101:1: more than 100 keys"));
}

TEST(PolicyParse, MoreRulesThanTheBoundAreRefused) {
  std::string yaml = "version: 1\nrules:\n";
  for (int i = 0; i < 1000; ++i) yaml += "  - name: r" + std::to_string(i) + "\n";
  EXPECT_EQ(parsed(yaml).rules.size(), 1000u);
  EXPECT_THAT(first_error(yaml + "  - name: last\n"), HasSubstr("more than 1000 rules"));
}

// The shipped file without its comments: every key, few bytes.
std::string shipped_keys() {
  std::stringstream lines(slurp(std::string(OPELOG_SOURCE_DIR) + "/etc/opelog.yaml"));
  std::string text;
  for (std::string line; std::getline(lines, line);) {
    line.resize(std::min(line.find('#'), line.size()));
    line.resize(line.find_last_not_of(' ') + 1);
    if (!line.empty()) text += line + "\n";
  }
  return text;
}

// No prefix of a valid file may crash, hang or be taken for a policy with fewer rules than were written.
TEST(PolicyParse, EveryTruncationOfTheShippedFileIsAnErrorOrAPolicy) {
  const std::string whole = shipped_keys();
  for (std::size_t n = 0; n < whole.size(); n += OPELOG_SAMPLE) {
    const auto all = parse_policy_all(std::string_view(whole).substr(0, n), "p.yaml");
    EXPECT_NE(all.policy.has_value(), !all.errors.empty()) << n;
    for (const auto& error : all.errors) EXPECT_THAT(error.message, StartsWith("p.yaml:")) << n;
  }
}

TEST(PolicyParse, EveryFlippedByteOfTheShippedFileIsAnErrorOrAPolicy) {
  const std::string whole = shipped_keys();
  for (std::size_t n = 0; n < whole.size(); n += OPELOG_SAMPLE) {
    for (const char c : {'\0', '\x80', ':', '"', '-', '['}) {
      std::string damaged = whole;
      damaged[n] = c;
      const auto all = parse_policy_all(damaged, "p.yaml");
      EXPECT_NE(all.policy.has_value(), !all.errors.empty()) << n;
    }
  }
}

}  // namespace
}  // namespace opelog
