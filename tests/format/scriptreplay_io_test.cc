// Against the real util-linux: what we write, scriptreplay shows byte for byte.
#include <gtest/gtest.h>

#include <random>

#include "format/recording_writer_io.h"
#include "support_io.h"

namespace opelog::format {
namespace {

using testing::kName;
using testing::options_for;
using testing::sample_info;
using testing::TempDir;

void expect_plays(const TempDir& dir, const std::string& shown) {
  const auto played = testing::replay(dir.file(kName));
  EXPECT_EQ(played.status, 0) << played.err;
  EXPECT_EQ(played.err, "");
  EXPECT_TRUE(played.out == shown) << played.out.size() << " bytes played, " << shown.size() << " shown";
  const auto told = testing::read_all(dir.file(kName));
  EXPECT_EQ(told.outcome, Outcome::kEnd) << told.problem;
  EXPECT_TRUE(told.output == shown);
}

TEST(Scriptreplay, PlaysNastyDataByteForByte) {
  std::mt19937 random(11);
  std::string noise(300 * 1024, '\0');
  for (char& c : noise) c = static_cast<char>(random());
  const std::vector<std::string> chunks = {std::string(1, '\0'),
                                           std::string(100000, '\0'),
                                           noise,
                                           "\n",
                                           "\r\n\r\n",
                                           "Script started on x\n",
                                           "\nScript done on x\n",
                                           "O 0.000001 5\n",
                                           "H 0.000000 OPELOG_END {}\n",
                                           "\x1b]52;c;x\x07\x1b[2J",
                                           "\xff\xfe\xc0\x80\xed\xa0\x80",
                                           "%n%s%d",
                                           " ",
                                           "~torn"};
  const TempDir dir;
  SessionInfo info = sample_info();
  info.command = "echo \"x\"\n\xff\x1b]0;t\x07 " + std::string(3000, 'c');
  info.term = "x\ny\" z";
  auto writer = RecordingWriter::create(options_for(dir), info, 0);
  ASSERT_TRUE(writer.ok());
  std::string shown;
  MonoUs now = 0;
  for (const std::string& chunk : chunks) {
    now += 11000;
    ASSERT_EQ(*(*writer)->output(chunk, now), chunk.size());
    shown += chunk;
    ASSERT_TRUE((*writer)->note("OPELOG_NOTE", chunk.substr(0, 5000), now).ok());
    ASSERT_TRUE((*writer)->gap({chunk.substr(0, 100), chunk.substr(0, 3000), 1}, now).ok());
    ASSERT_TRUE((*writer)->resized(1, 65535, now).ok());
  }
  ASSERT_TRUE((*writer)->end({}, now).ok());
  expect_plays(dir, shown);
}

TEST(Scriptreplay, PlaysTwentyThousandRandomRecordsByteForByte) {
  std::mt19937 random(20261122);
  const TempDir dir;
  WriterOptions options = options_for(dir);
  options.input = true;
  auto writer = RecordingWriter::create(options, sample_info(), 0);
  ASSERT_TRUE(writer.ok());
  std::string shown;
  MonoUs now = 0;
  for (int i = 0; i < 20000; ++i) {
    now += static_cast<MonoUs>(10000 + random() % (i % 1000 == 0 ? 5000000000U : 20000U));
    std::string chunk(1 + random() % 60, '\0');
    for (char& c : chunk) c = static_cast<char>(random());
    switch (random() % 8) {
      case 0:
        ASSERT_EQ(*(*writer)->input(chunk, now), chunk.size());
        break;
      case 1:
        ASSERT_TRUE((*writer)->resized(static_cast<int>(1 + random() % 500), 80, now).ok());
        break;
      case 2:
        ASSERT_TRUE((*writer)->note("OPELOG_NOTE", chunk, now).ok());
        break;
      default:
        ASSERT_EQ(*(*writer)->output(chunk, now), chunk.size());
        shown += chunk;
    }
  }
  ASSERT_TRUE((*writer)->end({}, now).ok());
  expect_plays(dir, shown);
}

TEST(Scriptreplay, PlaysTheInputToo) {
  const TempDir dir;
  WriterOptions options = options_for(dir);
  options.input = true;
  auto writer = RecordingWriter::create(options, sample_info(), 0);
  ASSERT_TRUE(writer.ok());
  (void)*(*writer)->output("out", 1000);
  (void)*(*writer)->input("typed", 2000);
  ASSERT_TRUE((*writer)->end({}, 3000).ok());
  auto played = testing::run({"scriptreplay", "-m", "0.001", "-d", "1000", "--log-in",
                              dir.file(std::string(kName) + ".in"), "--stream", "in", "--log-timing",
                              dir.file(std::string(kName) + ".time")});
  EXPECT_EQ(played.status, 0) << played.err;
  EXPECT_EQ(played.out, "typed\n");
}

TEST(Scriptreplay, SummarisesOurHeader) {
  const TempDir dir;
  auto writer = RecordingWriter::create(options_for(dir), sample_info(), 0);
  ASSERT_TRUE(writer.ok());
  EndInfo end;
  end.exit_code = 3;
  ASSERT_TRUE((*writer)->end(end, 1500000).ok());
  const auto summary =
      testing::run({"scriptreplay", "--summary", "--log-timing", dir.file(std::string(kName) + ".time")});
  EXPECT_EQ(summary.status, 0) << summary.err;
  for (const char* part : {"START_TIME:  2026-11-22 ", "TERM:  xterm-256color", "COLUMNS:  80",
                           "EXIT_CODE:  3", "DURATION:  1.500000"}) {
    EXPECT_NE(summary.out.find(part), std::string::npos) << part << " in\n" << summary.out;
  }
}

}  // namespace
}  // namespace opelog::format
