#include "replay/export_transcript.h"

#include <gtest/gtest.h>

#include "export_support.h"

namespace opelog::replay {
namespace {

using testing::export_all;
using testing::of_kind;
using testing::shown;
using Kind = ExportEvent::Kind;

TEST(ExportTranscript, LinesAsTheyStoodWithFullScreensAndGaps) {
  EXPECT_EQ(
      export_all(ExportFormat::kText,
                 {shown(0, "$ lx\bs\r\n\x1b[31mred\x1b[0m\r\n"), of_kind(Kind::kCommand, 500000, "ls"),
                  shown(1000000, "$ vi\r\n\x1b[?1049h\x1b[2J\x1b[Htext"), shown(61000000, "\x1b[?1049l"),
                  of_kind(Kind::kGap, 62000000, "not recorded: output\n"), shown(63000000, "$ end")})
          .main,
      "$ ls\nred\n$ vi\n[full screen, 0:00:01 to 0:01:01, as it stood last]\n| text\n"
      "[not recorded: output\\x0a]\n$ end\n");
}

TEST(ExportTranscript, APartHasItsLinesAndTheScreenIsDrawnFromTheBeginning) {
  ExportHeader header = testing::export_header();
  header.from_us = 10000000;
  TranscriptWriter writer;
  EXPECT_EQ(
      export_all(writer, header, {shown(0, "before\r\n\r\nword"), shown(10000000, "\rx\r\nin it\r\n")}).main,
      "in it\n");
}

TEST(ExportTranscript, ALineBeyondTheLimitStaysOneLine) {
  // Rows that wrap make one logical line.
  const std::string text =
      export_all(ExportFormat::kText, {shown(0, std::string(3 * kMaxLine, 'a') + "\r\nb")}).main;
  EXPECT_EQ(text, std::string(3 * kMaxLine, 'a') + "\nb\n");
}

TEST(ExportTranscript, ALineThatEndsAtTheLimitEndsThere) {
  const std::string line(820 * 80, 'a');  // the row with which it reaches kMaxLine is its last
  ASSERT_GE(line.size(), kMaxLine);
  EXPECT_EQ(export_all(ExportFormat::kText, {shown(0, line + "\r\nb")}).main, line + "\nb\n");
  EXPECT_EQ(export_all(ExportFormat::kText, {shown(0, line)}).main, line + "\n");
}

TEST(ExportTranscript, HostileBytesLeaveNoControl) {
  std::vector<ExportEvent> events;
  for (const auto& piece : testing::hostile_pieces()) events.push_back(shown(0, piece));
  const std::string text = export_all(ExportFormat::kText, events).main;
  for (const char c : text) EXPECT_TRUE(c == '\n' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7F));
  EXPECT_EQ(text.find("\xC2\x9B"), std::string::npos);
  EXPECT_NE(text.find("<U+202E>"), std::string::npos) << text;
}

}  // namespace
}  // namespace opelog::replay
