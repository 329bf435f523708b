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

ExportEvent output_gap(std::int64_t at_us, std::string text) {
  ExportEvent event = of_kind(Kind::kGap, at_us, std::move(text));
  event.of_output = true;
  return event;
}

TEST(ExportTranscript, AGapOfOutputEndsTheLineAndStandsAtItsPlace) {
  const struct {
    const char* what;
    std::string before, after, text;
  } cases[] = {
      {"in a line", "1\r\n2\r\n16", "38\r\n1639\r\n", "1\n2\n16\n[gap]\n38\n1639\n"},
      {"what was drawn is not drawn over", "10 %\r", "90 %\r\n$ ", "10 %\n[gap]\n90 %\n$\n"},
      {"between lines", "1\r\n", "9\r\n", "1\n[gap]\n9\n"},
      {"in a line that wraps", std::string(100, 'a'), "b\r\n", std::string(100, 'a') + "\n[gap]\nb\n"},
      {"above other rows", "menu\r\nmenu\r\nlast\x1b[H", "x", "menu\nmenu\nlast\n[gap]\nx\n"},
      {"on the last row", "\x1b[24;1Hlast", "x", "\n\nlast\n[gap]\nx\n"},
      {"below a scroll region", "\x1b[1;5r\x1b[24;1Hlast", "\rx", ""},
      {"in a sequence, and in a title", "a\x1b[3", "1m\r\nb\x1b]0;", "a\n[gap]\n1m\nb\n"},
      {"in a title", "a\x1b]0;", "b\r\n", "a\n[gap]\nb\n"},
      {"in a full-screen program", "$ vi\r\n\x1b[?1049h\x1b[Hx", "y\x1b[?1049l$ ",
       "$ vi\n[gap]\n[full screen, 0:00:01 to 0:00:03, as it stood last]\n| xy\n$\n"},
      {"at the end", "1", "", "1\n[gap]\n"},
  };
  for (const auto& c : cases) {
    const std::string text =
        export_all(ExportFormat::kText,
                   {shown(1000000, c.before), output_gap(2000000, "gap"), shown(3000000, c.after)})
            .main;
    if (!c.text.empty())
      EXPECT_EQ(text, c.text) << c.what;
    else
      EXPECT_NE(text.find("[gap]\n"), std::string::npos) << c.what;
  }
}

TEST(ExportTranscript, AGapOfSomethingElseLeavesTheLineWhole) {
  const std::string line(100, 'a');
  EXPECT_EQ(export_all(ExportFormat::kText,
                       {shown(0, line), of_kind(Kind::kGap, 1, "12 events"), shown(2, line + "\r\nnext\r\n")})
                .main,
            line + line + "\n[12 events]\nnext\n");
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
