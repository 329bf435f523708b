#include <gtest/gtest.h>

#include "support_io.h"

namespace opelog::cli {
namespace {

using format::testing::spill;
using testing::opelog;
using testing::TempDir;

constexpr const char* kPolicy = OPELOG_SOURCE_DIR "/etc/opelog.yaml";

TEST(PolicyCheck, TheShippedPolicyIsValid) {
  const auto ran = opelog({"policy", "check", kPolicy});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_NE(ran.out.find("valid"), std::string::npos);
}

TEST(PolicyCheck, EveryComplaintHasItsPlace) {
  TempDir dir;
  spill(dir.file("p.yaml"), "recordings:\n  directory: relative\nnonsense: 1\n");
  const auto ran = opelog({"policy", "check", dir.file("p.yaml")});
  EXPECT_EQ(ran.status, 5);
  EXPECT_NE(ran.err.find("p.yaml:2:"), std::string::npos) << ran.err;
  EXPECT_NE(ran.err.find("p.yaml:3:1:"), std::string::npos) << ran.err;
  const auto json = opelog({"policy", "check", "--json", dir.file("p.yaml")});
  EXPECT_EQ(json.status, 5);
  EXPECT_NE(json.out.find("\"valid\":false"), std::string::npos);
}

TEST(PolicyCheck, WhatIsHardlyMeantIsAWarning) {
  TempDir dir;
  spill(dir.file("p.yaml"),
        "version: 1\nrules: []\non_event: [{ events: sesion-start, command: [/no/such] }]\n");
  const auto ran = opelog({"policy", "check", dir.file("p.yaml")});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_NE(ran.err.find("opelog: warning: " + dir.file("p.yaml") +
                         ": on_event[0].events: there is no event sesion-start"),
            std::string::npos)
      << ran.err;
  EXPECT_NE(ran.err.find("/no/such: there is no such program"), std::string::npos) << ran.err;
  const auto json = opelog({"policy", "check", "--json", dir.file("p.yaml")});
  EXPECT_NE(json.out.find("\"warnings\":[\"" + dir.file("p.yaml") + ": on_event"), std::string::npos)
      << json.out;
}

TEST(PolicyCheck, AMissingFileIsNotFound) {
  EXPECT_EQ(opelog({"policy", "check", "/nonexistent.yaml"}).status, 3);
}

TEST(PolicyCheck, AnExampleThatAnErrorNamesIsWhereAnInstalledHostHasIt) {
  TempDir dir;
  for (const char* text : {"", "a: [\n"}) {
    spill(dir.file("p.yaml"), text);
    const auto ran = opelog({"policy", "check", dir.file("p.yaml")});
    EXPECT_EQ(ran.status, 5);
    EXPECT_EQ(ran.err.find(" etc/opelog.yaml"), std::string::npos) << ran.err;
  }
  EXPECT_NE(opelog({"policy", "check", "/dev/null"}).err.find("/usr/share/doc/opelog/opelog.yaml"),
            std::string::npos);
}

TEST(PolicyExplain, SaysWhichRuleDecides) {
  auto ran = opelog({"policy", "explain", "--uid", "5000", "--parent", "sshd", "--json", kPolicy});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_NE(ran.out.find("\"action\":\"record\""), std::string::npos) << ran.out;
  ran = opelog({"policy", "explain", "--uid", "5000", "--parent", "login", "--json", kPolicy});
  EXPECT_NE(ran.out.find("\"action\":\"pass\""), std::string::npos) << ran.out;
  ran = opelog({"policy", "explain", "--uid", "4999", "--parent", "bash,sshd", "--client", "192.0.2.7",
                "--no-terminal", kPolicy});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_NE(ran.out.find("uid is 4999"), std::string::npos) << ran.out;
}

TEST(PolicyExplain, SaysWhatItAssumed) {
  auto ran = opelog({"policy", "explain", "--uid", "5000", kPolicy});
  EXPECT_NE(ran.out.find("assumed: started by no program (for a login over ssh: --parent sshd)"),
            std::string::npos)
      << ran.out;
  ran = opelog({"policy", "explain", "--uid", "5000", "--parent", "sshd", "--client", "192.0.2.7",
                "--no-terminal", kPolicy});
  EXPECT_EQ(ran.out.find("assumed"), std::string::npos) << ran.out;
  ran = opelog({"policy", "explain", "--uid", "5000", "--client", "192.0.2.7", "--json", kPolicy});
  EXPECT_NE(ran.out.find("\"client\":\"192.0.2.7\""), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("\"assumed\":\"assumed: started by no program"), std::string::npos) << ran.out;
}

TEST(PolicyExplain, NeedsToKnowWho) {
  EXPECT_EQ(opelog({"policy", "explain", kPolicy}).status, 2);
  EXPECT_EQ(opelog({"policy", "explain", "--user", "opelogtest-nobody-here", kPolicy}).status, 3);
  EXPECT_EQ(opelog({"policy", "explain", "--uid", "1", "--client", "x", kPolicy}).status, 2);
}

}  // namespace
}  // namespace opelog::cli
