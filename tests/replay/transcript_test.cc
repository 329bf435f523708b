#include "replay/transcript.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace opelog::replay {
namespace {

std::vector<TranscriptEntry> transcript_of(const std::string& bytes, int rows = 4, int cols = 10,
                                           std::size_t step = 0) {
  Screen screen(rows, cols);
  Transcript transcript(screen);
  if (step == 0) step = bytes.size();
  for (std::size_t at = 0; at < bytes.size(); at += step)
    screen.feed(std::string_view(bytes).substr(at, step), static_cast<std::int64_t>(at), at);
  screen.finish();
  transcript.finish();
  return transcript.take();
}

std::vector<std::string> texts(const std::vector<TranscriptEntry>& entries) {
  std::vector<std::string> lines;
  for (const TranscriptEntry& entry : entries)
    lines.push_back(entry.kind == TranscriptEntry::Kind::kLine ? entry.text : "<full screen>");
  return lines;
}

using Lines = std::vector<std::string>;

TEST(Transcript, LinesAsTheyFinallyStood) {
  const struct {
    const char* what;
    std::string bytes;
    Lines lines;
  } cases[] = {
      {"plain", "one\r\n\r\ntwo\r\n", {"one", "", "two"}},
      {"wrapped rows are one line", "0123456789abcdefghijKL\r\nnext", {"0123456789abcdefghijKL", "next"}},
      {"a full row is not joined", "0123456789\r\nnext", {"0123456789", "next"}},
      {"a wrapped blank stays", "012345678 abc", {"012345678 abc"}},
      {"progress", "10 %\r50 %\r100 %\r\n", {"100 %"}},
      {"colours and titles", "\x1b]0;t\x07\x1b[31mred\x1b[0m", {"red"}},
      {"cleared lines were seen", "a\r\nb\x1b[H\x1b[2Jc", {"a", "b", "c"}},
      {"ESC [ J at the top clears too", "a\r\nb\x1b[H\x1b[Jc", {"a", "b", "c"}},
      {"a list erased below the cursor was a list", "a\r\nmenu\x1b[A\x1b[J", {"a"}},
      {"scrolled", "1\r\n2\r\n3\r\n4\r\n5\r\n6", {"1", "2", "3", "4", "5", "6"}},
      {"zsh's mark for a missing line feed",
       "foo\x1b[1m\x1b[7m%\x1b[27m\x1b[1m\x1b[0m         \r \r\r\x1b[Jp% x",
       {"foo", "p% x"}},
      {"a % of a program stays", "foo\x1b[7m%\x1b[0m\r\nx", {"foo%", "x"}},
      {"full screen", "a\r\n\x1b[?1049h\x1b[2;2Hvi\x1b[?1049lb", {"a", "<full screen>", "b"}},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(texts(transcript_of(c.bytes)), c.lines) << c.what;
    EXPECT_EQ(texts(transcript_of(c.bytes, 4, 10, 1)), c.lines) << c.what << ", byte by byte";
  }
}

TEST(Transcript, TellsWhenAndWhereALineWasWritten) {
  const auto entries = transcript_of("ab\r\n0123456789xy\r\n", 4, 10, 1);
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[0].begin_us, 0);
  EXPECT_EQ(entries[0].end_us, 1);
  EXPECT_EQ(entries[1].begin_offset, 4U);
  EXPECT_EQ(entries[1].end_offset, 15U);
}

TEST(Transcript, KeepsTheLastScreenOfAFullScreenProgram) {
  const auto entries =
      transcript_of("$ vi\r\n\x1b[?1049hfirst\x1b[H\x1b[2J\x1b[2;1Hlast\x1b[?1049l$ ", 4, 10, 1);
  ASSERT_EQ(entries.size(), 3U);
  EXPECT_EQ(entries[1].kind, TranscriptEntry::Kind::kFullScreen);
  EXPECT_EQ(entries[1].screen, (Lines{"", "last"}));
  EXPECT_LT(entries[1].begin_us, entries[1].end_us);
}

TEST(Transcript, TheLastScreenHasWhatScrolledOffJustBeforeItWasLeft) {
  const struct {
    const char* what;
    std::string bytes;
    Lines screen;
  } cases[] = {
      {"vim: a line feed on the bottom row", "top\r\n~\r\n~\r\nwritten\r\r\n", {"top", "~", "~", "written"}},
      {"all of it", "\r\n1\r\n2\r\n3\r\n\n\n\n\n\n", {"", "1", "2", "3"}},
      {"a pager has drawn its prompt since", "1\r\n2\r\n3\r\n4\r\n:\r\x1b[K", {"2", "3", "4"}},
      {"scrolled by a sequence, over more than there is", "1\r\n2\x1b[9S", {"1", "2"}},
      {"tmux: cleared", "# a\r\n\r\nb\x1b[H\x1b[2J", {"# a", "", "b"}},
      {"cleared from the top on, twice", "a\r\nb\x1b[H\x1b[J\x1b[2J", {"a", "b"}},
      {"cleared, and drawn anew", "a\r\nb\x1b[H\x1b[2Jc", {"c"}},
      {"within the lower rows: it has left no screen", "1\r\n2\r\n3\x1b[2;4r\x1b[4;1H\n", {"1", "3"}},
  };
  for (const auto& c : cases) {
    const std::string bytes = "\x1b[?1049h\x1b[H" + c.bytes + "\x1b[?1049l";
    for (const std::size_t step : {std::size_t{0}, std::size_t{1}}) {
      // Before it, a program that leaves rows of its own behind.
      const auto entries =
          transcript_of("\x1b[?1049h\x1b[Hother\r\n\n\n\n\n\x1b[?1049l" + bytes, 4, 10, step);
      ASSERT_EQ(entries.size(), 2U) << c.what;
      EXPECT_EQ(entries[1].screen, c.screen) << c.what;
    }
  }
}

TEST(Transcript, AFullScreenProgramThatNeverLeavesIsThere) {
  const auto entries = transcript_of("a\r\n\x1b[?1049hlast");
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[1].screen, (Lines{"", "last"}));
}

TEST(Transcript, ALineWithoutEndIsCutAndSaysSo) {
  const auto entries = transcript_of(std::string(300'000, 'x'), 4, 100);
  ASSERT_GT(entries.size(), 3U);
  std::size_t size = 0;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    EXPECT_EQ(entries[i].continues, i > 0);
    EXPECT_LE(entries[i].text.size(), kMaxLine + 100);
    size += entries[i].text.size();
  }
  EXPECT_EQ(size, 300'000U);
}

TEST(Transcript, GivesLinesAsTheyScrollOff) {
  Screen screen(3, 10);
  Transcript transcript(screen);
  for (int i = 0; i < 1000; ++i) {
    screen.feed("line\r\n", i, 0);
    EXPECT_LE(transcript.take().size(), 1U);
  }
}

TEST(Transcript, ManyFullScreenProgramsDoNotPileUp) {
  std::string bytes;
  for (int i = 0; i < 1000; ++i) bytes += "\x1b[?1049hx\x1b[?1049l";
  EXPECT_EQ(transcript_of(bytes).size(), 1000U);
}

}  // namespace
}  // namespace opelog::replay
