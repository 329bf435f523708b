#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/exit_code.h"
#include "format/exec_record.h"
#include "format/timing_record.h"
#include "replay/read_session_io.h"
#include "support_io.h"

namespace opelog::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing::opelog;
using testing::Ran;
using testing::TempDir;

class ReportCommand : public ::testing::Test {
 protected:
  // `make`, and below it `rm`.
  void SetUp() override {
    auto writer = testing::begin_recording(dir, testing::kName, format::testing::sample_info(), {{0, "$ "}});
    const auto ran = [&](std::int64_t pid, std::int64_t parent, std::vector<std::string> argv) {
      format::ExecInfo exec;
      exec.pid = pid;
      exec.parent = parent;
      exec.argv = std::move(argv);
      ASSERT_TRUE(writer->note(format::kOpelogExec, format::exec_value({pid * 1000, 2}, exec), pid * 1000));
    };
    ran(7, 1, {"-bash"});
    ran(8, 7, {"make"});
    ran(9, 8, {"rm", "-rf", "/srv"});
    ASSERT_TRUE(writer->end({}, 60000).ok());
  }
  Ran report(std::vector<std::string> words) {
    words.insert(words.begin(), "report");
    words.insert(words.end(), {"--directory", dir.path()});
    return opelog(words);
  }
  TempDir dir;
};

TEST_F(ReportCommand, SaysHowMuchIsLeftOut) {
  const Ran few = report({});
  EXPECT_EQ(few.status, 0);
  EXPECT_THAT(few.out, Not(HasSubstr("rm -rf")));
  EXPECT_THAT(few.err, HasSubstr("1 processes of commands"));
  const Ran all = report({"--all"});
  EXPECT_THAT(all.out, HasSubstr("rm -rf /srv"));
  EXPECT_EQ(all.err, "");
  EXPECT_THAT(report({"-c", "rm -rf"}).out, HasSubstr("rm -rf /srv"));
}

TEST_F(ReportCommand, SaysWhatASessionLacksOfWhichNothingIsListed) {
  auto info = format::testing::sample_info();
  info.id = "5e";
  auto writer = testing::begin_recording(dir, "carol_20261124140509_192.0.2.7", info, {{0, "a"}});
  ASSERT_TRUE(writer->gap({"output", "the rate", 12}, kUsPerS));
  ASSERT_TRUE(writer->gap({"exec", "full", 0, 3}, kUsPerS));
  ASSERT_TRUE(writer->end({}, 2 * kUsPerS));
  const Ran none = report({"--json", "-c", "dd"});
  EXPECT_EQ(none.status, 0);
  EXPECT_THAT(none.out, HasSubstr("\"recording\":\"carol_20261124140509_192.0.2.7\""));
  EXPECT_THAT(none.out, HasSubstr("\"session\":\"5e\",\"missing\":3,\"gaps\":1}\n]\n"));
  EXPECT_THAT(none.err, HasSubstr("output is missing in 1 place,"));
  const Ran later = report({"--json", "-c", "dd", "--since", "2026-11-30"});
  EXPECT_EQ(later.out, "[]\n");
  EXPECT_THAT(later.err, Not(HasSubstr("missing")));
  const Ran commands = opelog({"commands", "--json", "--directory", dir.path(), "carol"});
  EXPECT_EQ(commands.out, "[\n{\"session\":\"5e\",\"missing\":3,\"gaps\":1}\n]\n");
  EXPECT_THAT(commands.err, HasSubstr("output is missing in 1 place,"));
}

TEST_F(ReportCommand, CsvAndJsonAreWholeOverSeveralRecordings) {
  format::testing::spill(dir.file("old.log"),
                         "Script started on 2026-01-01 00:00:00+00:00 [COLUMNS=\"100\" LINES=\"30\"]\n"
                         "$ =id\r\n$ =id\r\n$ =id\r\n$ ");
  format::testing::spill(dir.file("old.time"), "0.5 2\n1.5 5\n0.5 2\n1.5 5\n0.5 2\n1.5 5\n0.5 2\n");
  const Ran csv = report({"--csv"});
  EXPECT_EQ(csv.out.find("time,session_user,client,recording,session,"), 0u) << csv.out;
  EXPECT_EQ(csv.out.find("time,", 1), std::string::npos) << csv.out;
  EXPECT_THAT(csv.out, HasSubstr(std::string("\"alice\",\"192.0.2.7\",\"") + testing::kName + "\""));
  EXPECT_THAT(csv.out, HasSubstr("\"old\""));
  EXPECT_THAT(csv.out, HasSubstr("\"'=id\""));
  const Ran json = report({"--json"});
  EXPECT_EQ(json.out.find("[\n{"), 0u) << json.out;
  EXPECT_THAT(json.out, ::testing::EndsWith("}\n]\n"));
  EXPECT_THAT(json.out, HasSubstr("\"recording\":\"old\""));
  EXPECT_EQ(report({"--json", "-c", "nothing like it"}).out, "[]\n");
  EXPECT_THAT(report({"--csv", "-c", "nothing like it"}).out,
              ::testing::EndsWith("command,number,exe,renamed,foreign_mounts\r\n"));
}

TEST_F(ReportCommand, WhatIsBehindTheBoundIsCounted) {
  auto reader = format::RecordingReader::open(dir.file(testing::kName));
  ASSERT_TRUE(reader.ok());
  const auto list = replay::read_commands(**reader, 1);
  EXPECT_EQ(list.events.size(), 1u);
  EXPECT_EQ(list.left_out, 2u);
}

TEST(IndexCommand, WithoutADirectoryOfRecordingsIsAnErrorOfOneLine) {
  const TempDir dir;
  const Ran ran = opelog({"index", "--quiet", "--index", dir.file("i.db"), "--directory", dir.file("none")});
  EXPECT_EQ(ran.status, kNotFound);
  EXPECT_EQ(ran.out, "");
  EXPECT_THAT(ran.err, HasSubstr(dir.file("none")));
  EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
}

}  // namespace
}  // namespace opelog::cli
