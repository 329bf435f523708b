#include <gtest/gtest.h>

#include "support_io.h"

namespace opelog::cli {
namespace {

using format::testing::slurp;
using format::testing::spill;
using testing::kName;
using testing::opelog;
using testing::Ran;
using testing::TempDir;

class Show : public ::testing::Test {
 protected:
  void SetUp() override {
    info.id = "3fa94b0011223344";
    info.command = "echo \x1B]0;x\x07 && true";
    testing::make_recording(dir, kName, info, {{0, "hello\r\n"}}, 5);
  }
  Ran show(const std::string& session, std::vector<std::string> more = {}) {
    std::vector<std::string> words{"show", session, "--directory", dir.path()};
    words.insert(words.end(), more.begin(), more.end());
    return opelog(words);
  }
  format::SessionInfo info = format::testing::sample_info();
  TempDir dir;
};

TEST_F(Show, FindsByPrefixOfNameOrIdOrByPath) {
  for (const std::string& session :
       {std::string("alice"), std::string(kName), std::string("3fa9"), dir.file(kName),
        dir.file(kName) + ".log", dir.file(kName) + ".time", std::string(kName) + ".log"}) {
    const Ran ran = show(session);
    EXPECT_EQ(ran.status, 0) << session << ran.err;
    EXPECT_NE(ran.out.find("3fa94b0011223344"), std::string::npos) << session;
  }
}

TEST_F(Show, TellsTheEndAndHostileTextIsOnlyText) {
  const Ran ran = show("alice");
  EXPECT_NE(ran.out.find("exit, 5\n"), std::string::npos) << ran.out;
  EXPECT_EQ(ran.out.find('\x1B'), std::string::npos);
  EXPECT_NE(ran.out.find("echo \\x1b]0;x\\x07 && true"), std::string::npos);
  const Ran json = show("alice", {"--json"});
  EXPECT_NE(json.out.find("\"exit_code\":5"), std::string::npos) << json.out;
  EXPECT_EQ(json.out.find('\x1B'), std::string::npos);
}

TEST_F(Show, SaysWhatWasLeftToTheShellWhereSomethingWas) {
  EXPECT_EQ(show("alice").out.find("unrecorded"), std::string::npos);
  info.kept = {format::Kept::kNot, format::Kept::kTerminal, format::Kept::kFile};
  testing::make_recording(dir, "bob_20261122140509_192.0.2.7", info, {}, 0);
  const Ran ran = show("bob");
  EXPECT_NE(ran.out.find("\nunrecorded  stdout (terminal), stderr (file): left to the shell"),
            std::string::npos)
      << ran.out;
  EXPECT_NE(show("bob", {"--json"}).out.find(R"("kept":{"stdout":"terminal","stderr":"file"})"),
            std::string::npos);
}

TEST_F(Show, TellsTheGapsOfTheRecord) {
  EXPECT_EQ(show("alice").out.find("gaps"), std::string::npos);
  EXPECT_NE(show("alice", {"--json"}).out.find(R"("gaps":{"count":0,"first_us":null,"kinds":[]})"),
            std::string::npos);
  auto writer = testing::begin_recording(dir, "bob_20261122140509_192.0.2.7", info, {{0, "a"}});
  ASSERT_TRUE(writer->gap({"output", "the rate", 0}, 3 * kUsPerS));
  ASSERT_TRUE(writer->gap({"output", std::string(100000, 'w'), 623051}, 4 * kUsPerS));
  ASSERT_TRUE(writer->gap({"exec", "lost \x1b[2J", 0, 12}, 5 * kUsPerS));
  EXPECT_NE(
      show("bob").out.find("\ngaps        3 (output, 623051 bytes; exec, 12 events), the first at 0:03\n"),
      std::string::npos)
      << show("bob").out;
  EXPECT_NE(show("bob", {"--json"})
                .out.find(R"("gaps":{"count":3,"first_us":3000000,"kinds":[)"
                          R"({"what":"output","count":2,"bytes":623051,"events":0},)"
                          R"({"what":"exec","count":1,"bytes":0,"events":12}]})"),
            std::string::npos)
      << show("bob", {"--json"}).out;
}

TEST_F(Show, TextHasAGapAtItsPlace) {
  auto writer = testing::begin_recording(dir, "bob_20261122140509_192.0.2.7", info, {{0, "1\r\n16"}});
  ASSERT_TRUE(writer->gap({"output", "the rate\x1b", 12}, 3 * kUsPerS));
  const std::string after = "\r38\r\n";
  ASSERT_TRUE(writer->output(after, 4 * kUsPerS));
  ASSERT_TRUE(writer->flush(4 * kUsPerS));
  EXPECT_EQ(show("bob", {"--text"}).out, "1\n16\n[not recorded: output, 12 bytes: the rate\\x1b]\n38\n");
}

TEST_F(Show, NoneAndSeveralAreDifferentAnswers) {
  EXPECT_EQ(show("bob").status, 3);
  testing::make_recording(dir, "alice_20261122150000_192.0.2.7", info, {{0, "x"}});
  const Ran several = show("alice");
  EXPECT_EQ(several.status, 5);
  EXPECT_NE(several.err.find("alice_20261122150000_192.0.2.7"), std::string::npos) << several.err;
  EXPECT_NE(several.err.find("3fa94b0011223344 (" + std::string(kName) + ")"), std::string::npos)
      << several.err;
  for (int i = 0; i < 5; ++i)
    testing::make_recording(dir, "alice_2026112216000" + std::to_string(i) + "_192.0.2.7", info, {{0, "x"}});
  EXPECT_NE(show("alice").err.find(" and 2 more; write more of the id or name\n"), std::string::npos)
      << show("alice").err;
  EXPECT_EQ(show("").status, 5);
  EXPECT_EQ(show(dir.file("nothing")).status, 3);
}

TEST_F(Show, ATornRecordingExitsOneACorruptOneFive) {
  const std::string time = slurp(dir.file(kName) + ".time");
  spill(dir.file("torn_20261122140509_192.0.2.7.time"), time.substr(0, time.size() / 2));
  spill(dir.file("torn_20261122140509_192.0.2.7.log"), slurp(dir.file(kName) + ".log"));
  EXPECT_EQ(show("torn").status, 1);
  spill(dir.file("dirt_20261122140509_192.0.2.7.time"), std::string(100, '\x80') + "\nO 0.1 0\n");
  spill(dir.file("dirt_20261122140509_192.0.2.7.log"), "x");
  EXPECT_EQ(show("dirt").status, 5);
}

}  // namespace
}  // namespace opelog::cli
