// `opelog export` as a program: what it writes where, and what it refuses. The formats are tested in replay/,
// and with the programs that read them in export_tools_test.py.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/exec_record.h"
#include "format/session_header.h"
#include "support_io.h"

namespace opelog::cli {
namespace {

using format::testing::slurp;
using format::testing::spill;
using testing::kName;
using testing::opelog;
using testing::Ran;
using testing::TempDir;

class Export : public ::testing::Test {
 protected:
  void SetUp() override {
    testing::make_recording(dir, kName, format::testing::sample_info(),
                            {{0, "$ "}, {2 * kUsPerS, "one\r\n"}, {10 * kUsPerS, "two\r\n"}}, 3);
  }
  Ran run(std::vector<std::string> more) {
    std::vector<std::string> words{"export", "alice", "--directory", dir.path()};
    words.insert(words.end(), more.begin(), more.end());
    return opelog(words);
  }
  static std::size_t count(const std::string& text, const std::string& what) {
    std::size_t n = 0;
    for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; ++at) ++n;
    return n;
  }
  TempDir dir;
};

TEST_F(Export, EveryFormatGoesToStandardOutput) {
  const Ran cast = run({"--format", "asciicast2"});
  EXPECT_EQ(cast.status, 0) << cast.err;
  EXPECT_EQ(cast.err, "");
  EXPECT_EQ(count(cast.out, "\n"), 5U) << cast.out;
  EXPECT_EQ(cast.out.rfind("{\"version\":2,", 0), 0U);
  EXPECT_NE(run({"--format", "asciicast3"}).out.find("\"x\",\"3\"]\n"), std::string::npos);
  EXPECT_NE(run({"--format", "tlog"}).out.find("\"timing\":\"=80x24>2+2000>5+8000>5\""), std::string::npos);
  EXPECT_EQ(run({"--format", "text", "-o", "-"}).out, "$ one\ntwo\n");
  EXPECT_NE(run({"--format", "html"}).out.find("exit status 3"), std::string::npos);
}

TEST_F(Export, AFileIsItsOwnersAndIsNeverReplacedUnasked) {
  const std::string file = dir.file("x.txt");
  const Ran first = run({"--format", "text", "-o", file});
  EXPECT_EQ(first.status, 0) << first.err;
  EXPECT_EQ(first.out, "");
  EXPECT_EQ(slurp(file), "$ one\ntwo\n");
  struct stat found {};
  ASSERT_EQ(::stat(file.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777U, 0600U);
  spill(file, "precious");
  const Ran second = run({"--format", "text", "-o", file});
  EXPECT_EQ(second.status, 1);
  EXPECT_EQ(second.err, "opelog: " + file + " exists; --force replaces it\n");
  EXPECT_EQ(slurp(file), "precious");
  EXPECT_EQ(run({"--format", "text", "-o", file, "--force"}).status, 0);
  EXPECT_EQ(slurp(file), "$ one\ntwo\n");
  EXPECT_EQ(dir.entries().size(), 3U) << "something is left over";
}

TEST_F(Export, WhatIsNoRegularFileIsNotReplaced) {
  ASSERT_EQ(::mkfifo(dir.file("fifo").c_str(), 0600), 0);
  ASSERT_EQ(::symlink("target", dir.file("link").c_str()), 0);
  for (const char* name : {"fifo", "link"}) {
    const Ran ran = run({"--format", "text", "--force", "-o", dir.file(name)});
    EXPECT_EQ(ran.status, 5) << name;
    EXPECT_NE(ran.err.find("no regular file"), std::string::npos) << ran.err;
  }
  EXPECT_EQ(::access(dir.file("target").c_str(), F_OK), -1);
}

TEST_F(Export, ATypescriptIsTwoFilesOrNone) {
  EXPECT_EQ(run({"--format", "typescript"}).status, 2);
  const Ran ran = run({"--format", "typescript", "-o", dir.file("ts.log")});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(slurp(dir.file("ts.time")), "0.000000 2\n2.000000 5\n8.000000 5\n");
  // Our own reader takes it too.
  EXPECT_EQ(opelog({"export", dir.file("ts"), "--format", "text"}).out, "$ one\ntwo\n");
  spill(dir.file("half.time"), "precious");
  EXPECT_EQ(run({"--format", "typescript", "-o", dir.file("half")}).status, 1);
  EXPECT_EQ(::access(dir.file("half.log").c_str(), F_OK), -1);
}

TEST_F(Export, WhatCannotBeWrittenIsSaidInOneLine) {
  const Ran nowhere = run({"--format", "text", "-o", dir.file("no/such/x.txt")});
  EXPECT_EQ(nowhere.status, 3);
  EXPECT_EQ(count(nowhere.err, "\n"), 1U) << nowhere.err;
  const Ran proc = run({"--format", "text", "-o", "/proc/opelog-export"});
  EXPECT_NE(proc.status, 0);
  EXPECT_EQ(count(proc.err, "\n"), 1U) << proc.err;
}

TEST_F(Export, WrongUseIsRefusedBeforeAnythingIsWritten) {
  EXPECT_EQ(run({}).status, 2);
  const Ran format = run({"--format", "gif"});
  EXPECT_EQ(format.status, 2);
  EXPECT_EQ(run({"--format", "html", "--input"}).status, 2);
  EXPECT_EQ(run({"--format", "text", "--from", "soon"}).status, 2);
  EXPECT_EQ(run({"--format", "text", "--from", "20", "--to", "10", "-o", dir.file("x")}).status, 2);
  EXPECT_EQ(
      opelog({"export", "bob", "--directory", dir.path(), "--format", "text", "-o", dir.file("x")}).status,
      3);
  EXPECT_EQ(::access(dir.file("x").c_str(), F_OK), -1);
}

TEST_F(Export, APartByLengthOrByTime) {
  EXPECT_EQ(run({"--format", "text", "--from", "0:05"}).out, "two\n");
  EXPECT_EQ(run({"--format", "text", "--from", "0:05"}).err, "");
  EXPECT_NE(run({"--format", "text", "--from", "1h"})
                .err.find("--from 1h lies behind the last of this recording, at 0:10"),
            std::string::npos);
  EXPECT_EQ(run({"--format", "text", "--to", "5"}).out, "$ one\n");
  // The session began at 14:05:09.123456 UTC.
  EXPECT_EQ(run({"--format", "text", "--from", "2026-11-22T14:05:15Z"}).out, "two\n");
  EXPECT_EQ(run({"--format", "text", "--to", "2026-11-22T14:05:15Z"}).out, "$ one\n");
  EXPECT_EQ(run({"--format", "typescript", "-o", dir.file("part"), "--from", "2"}).status, 0);
  EXPECT_EQ(slurp(dir.file("part.time")), "0.000000 5\n8.000000 5\n");
}

TEST_F(Export, LiveTornAndCorruptRecordingsGiveWhatThereIs) {
  const std::string live = "live_20261122140509_192.0.2.7";
  auto writer = testing::begin_recording(dir, live, format::testing::sample_info(), {{0, "now\r\n"}});
  const auto text = [this](const std::string& name) {
    return opelog({"export", dir.file(name), "--format", "text"});
  };
  const Ran of_live = text(live);
  EXPECT_EQ(of_live.status, 0);
  EXPECT_EQ(of_live.out, "now\n");
  EXPECT_NE(of_live.err.find("goes on"), std::string::npos) << of_live.err;
  writer.reset();
  const Ran of_torn = text(live);
  EXPECT_EQ(of_torn.status, 1) << of_torn.err;
  EXPECT_EQ(of_torn.out, "now\n");
  spill(dir.file("bad.log"), slurp(dir.file(live) + ".log"));
  spill(dir.file("bad.time"), slurp(dir.file(live) + ".time") + "nonsense\n");
  const Ran of_corrupt = text("bad");
  EXPECT_EQ(of_corrupt.status, 5) << of_corrupt.err;
  EXPECT_EQ(of_corrupt.out, "now\n");
  spill(dir.file("packed.time.zst"), "x");
  spill(dir.file("packed.log.zst"), "x");
  const Ran of_packed = text("packed");
  EXPECT_EQ(of_packed.status, 5) << "no zstd at all";
  EXPECT_EQ(count(of_packed.err, "\n"), 1U) << of_packed.err;
}

TEST_F(Export, PlainScriptIsExportedAndWhatItLacksIsSaid) {
  spill(dir.file("old.log"),
        "Script started on 2026-01-01 00:00:00+00:00 [COLUMNS=\"100\" LINES=\"30\"]\nhi\r\n");
  spill(dir.file("old.time"), "0.5 2\n1.5 2\n");
  const Ran cast = opelog({"export", dir.file("old"), "--format", "asciicast2", "--input"});
  EXPECT_EQ(cast.status, 0) << cast.err;
  EXPECT_NE(cast.out.find("[2.000000,\"o\",\"\\r\\n\"]\n"), std::string::npos) << cast.out;
  EXPECT_NE(cast.err.find("holds no input"), std::string::npos) << cast.err;
}

TEST_F(Export, CommandsAreMarked) {
  const std::string name = "carol_20261122140509_192.0.2.7";
  auto writer = testing::begin_recording(dir, name, format::testing::sample_info(), {{0, "$ "}});
  format::ExecInfo shell, command;
  shell.pid = 7;
  shell.argv = {"-bash"};
  command.pid = 8;
  command.parent = 7;
  command.argv = {"rm", "-rf", "\x1b[2J"};
  ASSERT_TRUE(writer->note(format::kOpelogExec, format::exec_value({0, 0}, shell), 0).ok());
  ASSERT_TRUE(writer->note(format::kOpelogExec, format::exec_value({1000, 2}, command), 50000).ok());
  ASSERT_TRUE(writer->end({}, 60000).ok());
  const Ran cast = opelog({"export", dir.file(name), "--format", "asciicast2"});
  EXPECT_NE(cast.out.find("[0.001000,\"m\",\"rm -rf '\\\\x1b[2J'\"]\n"), std::string::npos) << cast.out;
  const Ran html = opelog({"export", dir.file(name), "--format", "html"});
  EXPECT_NE(html.out.find("<li><a href=\"#c2\">0:00:00</a> rm -rf "), std::string::npos);
}

TEST_F(Export, ASessionWithoutATerminalSaysWhatItWas) {
  format::SessionInfo info = format::testing::sample_info();
  info.terminal = false;
  info.rows = info.cols = 0;
  info.command = "scp -t /tmp";
  testing::make_recording(dir, "dave_20261122140509_192.0.2.7", info, {});
  const Ran ran = opelog({"export", "dave", "--directory", dir.path(), "--format", "asciicast3"});
  EXPECT_EQ(ran.status, 0);
  EXPECT_EQ(count(ran.out, "\n"), 2U) << ran.out;  // header and exit
  EXPECT_EQ(count(ran.err, "\n"), 1U) << ran.err;
}

}  // namespace
}  // namespace opelog::cli
