// Cases that real shells seldom show, written by hand; typed_shells_io_test.cc runs the shells.
#include "replay/typed_lines.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace opelog::replay {
namespace {

// Each string is one read of the terminal, and a pause behind it.
std::vector<TypedLine> lines_of(const std::vector<std::string>& reads, int rows = 10, int cols = 40) {
  Screen screen(rows, cols);
  TypedLines typed(screen);
  std::uint64_t offset = 0;
  std::int64_t at = 0;
  for (const std::string& read : reads) {
    screen.feed(read, ++at, offset);
    offset += read.size();
  }
  typed.finish();
  screen.finish();
  return typed.take();
}

std::vector<std::string> texts_of(const std::vector<std::string>& reads) {
  std::vector<std::string> texts;
  for (const TypedLine& line : lines_of(reads)) texts.push_back(line.text);
  return texts;
}

using Texts = std::vector<std::string>;
const std::string kBegin = "\x1b[?2004h", kEnd = "\r\n\x1b[?2004l\r";

TEST(TypedLinesTable, Bash) {
  const struct {
    const char* what;
    std::vector<std::string> reads;
    Texts texts;
  } cases[] = {
      {"a command", {kBegin + "$ ", "ls", kEnd + "out\r\n", kBegin + "$ "}, {"ls"}},
      {"Enter alone", {kBegin + "$ ", kEnd, kBegin + "$ ", "ls", kEnd}, {"ls"}},
      {"Ctrl-C", {kBegin + "$ ", "ls^C\x1b[?2004l\r\r\n", kBegin + "$ "}, {}},
      {"Ctrl-C in a continuation",
       {kBegin + "$ ", "cat <<E", kEnd, kBegin + "> ", "x^C\x1b[?2004l\r\r\n"},
       {}},
      {"continuation", {kBegin + "$ ", "a \\", kEnd, kBegin + "> ", "b", kEnd, kBegin + "$ "}, {"a \\\nb"}},
      {"a prompt of two rows", {kBegin + "me in ~\r\n$ ", "ls", kEnd, kBegin + "me in ~\r\n$ "}, {"ls"}},
      {"a prompt in colour with a title", {kBegin + "\x1b]0;t\x07\x1b[32mme\x1b[0m$ ", "ls", kEnd}, {"ls"}},
      {"everything in one read, at first sight", {kBegin + "me:~$ ls -l" + kEnd}, {"ls -l"}},
      {"a question of a program of the shell",
       {kBegin + "$ ", "read x", kEnd, "Name? ", "bob\r\n", kBegin + "$ "},
       {"read x"}},
      {"full-screen programs send the switches too",
       {kBegin + "$ ", "vi", kEnd, "\x1b[?1049h\x1b[?2004hsecret\r\n\x1b[?2004l\x1b[?1049l", kBegin + "$ "},
       {"vi"}},
      {"Ctrl-L", {kBegin + "$ ", "l", "\x1b[H\x1b[2J$ l", "s", kEnd}, {"ls"}},
      {"a list of completions", {kBegin + "$ ", "cat a", "\r\naa  ab\r\n$ cat a", "b", kEnd}, {"cat ab"}},
      {"the switch never ends", {kBegin + "$ ", "ls"}, {}},
      {"a stray end", {"\x1b[?2004l", "\x1b[?2004l", kBegin + "$ ", "ls", kEnd}, {"ls"}},
  };
  for (const auto& c : cases) EXPECT_EQ(texts_of(c.reads), c.texts) << c.what;
}

TEST(TypedLinesTable, LearnedPrompt) {
  const struct {
    const char* what;
    std::vector<std::string> reads;
    Texts texts;
  } cases[] = {
      {"dash", {"$ ", "ls", "\r\n", "out\r\n$ ", "id", "\r\n"}, {"ls", "id"}},
      {"an odd prompt recurs", {"go: ", "a\r\n", "go: ", "b\r\n", "go: ", "c\r\n"}, {"a", "b", "c"}},
      {"the same answer again and again is no command",
       {"Go on? ", "y\r\n", "Go on? ", "y\r\n", "Go on? ", "y\r\n"},
       {}},
      {"output without a line feed before the prompt",
       {"$ ", "printf x\r\n", "x$ ", "id\r\n"},
       {"printf x", "id"}},
      {"a here-document", {"$ ", "cat <<E\r\n", "> ", "x\r\n", "> ", "E\r\n", "x\r\n$ "}, {"cat <<E\nx\nE"}},
      {"Ctrl-C", {"$ ", "ls", "^C\r\n$ ", "id\r\n"}, {"id"}},
      {"a progress bar", {"$ ", "get\r\n", "# ", "\r## ", "\r### ", "\r\n$ "}, {"get"}},
  };
  for (const auto& c : cases) EXPECT_EQ(texts_of(c.reads), c.texts) << c.what;
}

TEST(TypedLinesTable, Marks) {
  const auto lines =
      lines_of({"\x1b]133;A\x07? \x1b]133;B\x07", "ls", "\r\n\x1b]133;C\x07out\r\n\x1b]133;D;3\x07",
                "\x1b]133;A\x07? \x1b]133;B\x07", "id\r\n\x1b]133;C\x07"});
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].text, "ls");
  EXPECT_EQ(lines[0].status, 3);
  EXPECT_EQ(lines[0].by, TypedBy::kMarks);
  EXPECT_EQ(lines[1].text, "id");
}

TEST(TypedLinesTable, TimesAndPlaces) {
  const auto lines = lines_of({kBegin + "$ ", "ls", kEnd + "out\r\n"});
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0].ready_us, 1);
  EXPECT_EQ(lines[0].entered_us, 3);
  EXPECT_EQ(lines[0].prompt_offset, kBegin.size() - 1);
  EXPECT_EQ(lines[0].offset, kBegin.size() + 4 + kEnd.size() - 1);
  EXPECT_EQ(lines[0].prompt, "$ ");
}

TEST(TypedLinesTable, WhatIsTooLongIsCutAndSaysSo) {
  Screen screen(5, 100);
  TypedLines typed(screen);
  screen.feed(kBegin + "$ ", 1, 0);
  for (std::size_t i = 0; i < 2 * kMaxEditCells; i += 1000) screen.feed(std::string(1000, 'x'), 2, 0);
  screen.feed(kEnd, 3, 0);
  typed.finish();
  const auto lines = typed.take();
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_TRUE(lines[0].cut);
  EXPECT_LE(lines[0].text.size(), kMaxEditCells + 1000);
}

}  // namespace
}  // namespace opelog::replay
