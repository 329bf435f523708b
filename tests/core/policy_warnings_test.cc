#include "core/policy_warnings.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "core/event_words.h"
#include "core/policy_file_io.h"
#include "core/policy_parse.h"

namespace opelog {
namespace {

std::string read_whole(const std::filesystem::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

std::vector<std::string> warnings_of(const std::string& yaml) {
  const auto policy = parse_policy(yaml, "p.yaml");
  if (!policy) return {"broken: " + policy.error().message};
  return policy_warnings(*policy, "p.yaml");
}

using Lines = std::vector<std::string>;

TEST(PolicyWarnings, OfTheShippedPolicyThereAreNone) {
  EXPECT_EQ(warnings_of(read_whole(std::string(OPELOG_SOURCE_DIR) + "/etc/opelog.yaml")), Lines{});
}

TEST(PolicyWarnings, ARuleBehindOneThatMatchesAllItDoesNeverDecides) {
  const std::string head = "version: 1\nrules:\n";
  const std::string all = "  - { name: all, action: record }\n",
                    uid = "  - { name: uid, match: { uid: 1000 }, action: pass }\n",
                    same = "  - { name: same, match: { uid: 1000 }, action: refuse }\n";
  EXPECT_EQ(warnings_of(head + uid + all), Lines{});
  EXPECT_EQ(warnings_of(head + all + uid),
            Lines{"p.yaml:4: rule uid never decides: rule all before it matches every login that it does"});
  EXPECT_EQ(warnings_of(head + uid + same),
            Lines{"p.yaml:4: rule same never decides: rule uid before it matches every login that it does"});
}

TEST(PolicyWarnings, ALoginWhoseParentIsGoneMeetsTheSecondOfTwo) {
  const std::string rules =
      "version: 1\nrules:\n  - { name: a, match: { parent: x }, action: pass }\n"
      "  - { name: b, match: { parent: x }, action: ";
  EXPECT_EQ(warnings_of(rules + "record }\n"), Lines{});
  EXPECT_EQ(warnings_of(rules + "pass }\n").size(), 1U);
}

TEST(PolicyWarnings, AnEventThatThereIsNot) {
  const std::string head = "version: 1\nrules: []\non_event:\n";
  EXPECT_EQ(warnings_of(head + "  - { events: [session-start, \"guard-*\", \"*\"], socket: /run/x }\n"),
            Lines{});
  EXPECT_EQ(
      warnings_of(head + "  - { events: \"*\", socket: /run/x }\n  - { events: [sesion-start, \"gard-*\"], "
                         "socket: /run/x }\n"),
      (Lines{"p.yaml: on_event[1].events: there is no event sesion-start; docs/operating.md has their words",
             "p.yaml: on_event[1].events: there is no event gard-*; docs/operating.md has their words"}));
}

TEST(PolicyWarnings, WhatHooksDoNoHookHearsOf) {
  EXPECT_EQ(warnings_of("version: 1\nrules: []\non_event: [{ events: hook-failed, socket: /run/x }]\n"),
            Lines{"p.yaml: on_event[0].events: no hook hears of hook-failed"});
}

TEST(PolicyWarnings, ACommandThatCannotBeExecuted) {
  const auto policy = parse_policy(
      "version: 1\nrules: []\non_event:\n  - { events: \"*\", command: [/bin/sh, -c, x] }\n"
      "  - { events: \"*\", command: [/no/such] }\n  - { events: \"*\", command: [/etc] }\n  - { events: "
      "\"*\", command: [/etc/passwd] }\n",
      "p.yaml");
  ASSERT_TRUE(policy) << policy.error().message;
  EXPECT_EQ(missing_commands(*policy, "p.yaml"),
            (Lines{"p.yaml: on_event[1].command: /no/such: there is no such program",
                   "p.yaml: on_event[2].command: /etc: is no program that can be executed",
                   "p.yaml: on_event[3].command: /etc/passwd: is no program that can be executed"}));
}

TEST(EventWords, AreThoseOfTheSourcesAndOfThePage) {
  std::set<std::string> stated;
  const std::regex words("Level::k\\w+,\\s*\"([a-z]+(-[a-z]+)*)\"");
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(std::string(OPELOG_SOURCE_DIR) + "/src")) {
    if (entry.path().extension() != ".cc") continue;
    const std::string text = read_whole(entry.path());
    for (auto it = std::sregex_iterator(text.begin(), text.end(), words); it != std::sregex_iterator(); ++it)
      stated.insert((*it)[1]);
  }
  EXPECT_GT(stated.size(), 60U);
  for (const std::string& word : stated) EXPECT_TRUE(names_an_event(word)) << word;
  const std::string page = read_whole(std::string(OPELOG_SOURCE_DIR) + "/docs/operating.md");
  for (const std::string_view word : event_words())
    EXPECT_TRUE(word.starts_with("guard-") || page.find("`" + std::string(word) + "`") != std::string::npos)
        << word;
  EXPECT_FALSE(names_an_event("session"));
  EXPECT_FALSE(names_an_event(""));
}

}  // namespace
}  // namespace opelog
