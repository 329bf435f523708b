// Cases that real shells seldom show, written by hand; typed_shells_io_test.cc runs the shells.
#include "replay/typed_lines.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace opelog::replay {
namespace {

// Instead of a read: output is missing there.
const std::string kMissing = "missing";

// Each string is one read of the terminal, and a pause behind it.
std::vector<TypedLine> lines_of(const std::vector<std::string>& reads, int rows = 10, int cols = 40,
                                std::int64_t* last_prompt = nullptr) {
  Screen screen(rows, cols);
  TypedLines typed(screen);
  std::uint64_t offset = 0;
  std::int64_t at = 0;
  for (const std::string& read : reads) {
    if (read == kMissing) {
      typed.gap();
      screen.break_off();
      continue;
    }
    screen.feed(read, ++at, offset);
    offset += read.size();
  }
  typed.finish();
  screen.finish();
  if (last_prompt != nullptr) *last_prompt = typed.last_prompt_us();
  return typed.take();
}

std::vector<std::string> texts_of(const std::vector<std::string>& reads) {
  std::vector<std::string> texts;
  for (const TypedLine& line : lines_of(reads)) texts.push_back(line.text);
  return texts;
}

using Texts = std::vector<std::string>;
const std::string kReady = "\x1b[?2004h", kEnter = "\r\n\x1b[?2004l\r";

TEST(TypedLinesTable, Bash) {
  const struct {
    const char* what;
    std::vector<std::string> reads;
    Texts texts;
  } cases[] = {
      {"a command", {kReady + "$ ", "ls", kEnter + "out\r\n", kReady + "$ "}, {"ls"}},
      {"Enter alone", {kReady + "$ ", kEnter, kReady + "$ ", "ls", kEnter}, {"ls"}},
      {"Ctrl-C", {kReady + "$ ", "ls^C\x1b[?2004l\r\r\n", kReady + "$ "}, {}},
      {"Ctrl-C in a continuation",
       {kReady + "$ ", "cat <<E", kEnter, kReady + "> ", "x^C\x1b[?2004l\r\r\n"},
       {}},
      {"Ctrl-C at the next prompt, behind what printed nothing",
       {kReady + "$ ", "rm -f x", kEnter, kReady + "$ ", "^C\x1b[?2004l\r\r\n", kReady + "$ ", "cd y", kEnter,
        kReady + "$ ", "typed^C\x1b[?2004l\r\r\n", kReady + "$ "},
       {"rm -f x", "cd y"}},
      {"continuation",
       {kReady + "$ ", "a \\", kEnter, kReady + "> ", "b", kEnter, kReady + "$ "},
       {"a \\\nb"}},
      {"a prompt of two rows", {kReady + "me in ~\r\n$ ", "ls", kEnter, kReady + "me in ~\r\n$ "}, {"ls"}},
      {"a prompt in colour with a title", {kReady + "\x1b]0;t\x07\x1b[32mme\x1b[0m$ ", "ls", kEnter}, {"ls"}},
      {"everything in one read, at first sight", {kReady + "me:~$ ls -l" + kEnter}, {"ls -l"}},
      {"a question of a program of the shell",
       {kReady + "$ ", "read x", kEnter, "Name? ", "bob\r\n", kReady + "$ "},
       {"read x"}},
      {"full-screen programs send the switches too",
       {kReady + "$ ", "vi", kEnter, "\x1b[?1049h\x1b[?2004hsecret\r\n\x1b[?2004l\x1b[?1049l", kReady + "$ "},
       {"vi"}},
      {"Ctrl-L", {kReady + "$ ", "l", "\x1b[H\x1b[2J$ l", "s", kEnter}, {"ls"}},
      {"a list of completions", {kReady + "$ ", "cat a", "\r\naa  ab\r\n$ cat a", "b", kEnter}, {"cat ab"}},
      {"the switch never ends", {kReady + "$ ", "ls"}, {}},
      {"output that looks like the prompt, cut in two",
       {kReady + "$: ", "echo", kEnter + "$: x", "\r\n", kReady + "$: "},
       {"echo"}},
      {"a stray end", {"\x1b[?2004l", "\x1b[?2004l", kReady + "$ ", "ls", kEnter}, {"ls"}},
  };
  for (const auto& c : cases) EXPECT_EQ(texts_of(c.reads), c.texts) << c.what;
}

TEST(TypedLinesTable, NothingIsReadAcrossMissingOutput) {
  const std::string zsh = "$ \x1b[K" + kReady;
  // Behind the text of each: ! a part is missing, ? perhaps it did not run.
  const struct {
    const char* what;
    std::vector<std::string> reads;
    Texts texts;
  } cases[] = {
      {"in the text",
       {kReady + "$ ", "rm -r", kMissing, "f /x" + kEnter + "out\r\n", kReady + "$ ", "ls", kEnter},
       {"rm -r!?", "ls"}},
      {"in the text of zsh", {zsh, "rm -r", kMissing, "f /x" + kEnter, zsh, "ls", kEnter}, {"rm -r!?", "ls"}},
      {"behind the prompt", {kReady + "$ ", kMissing, "x" + kEnter, kReady + "$ ", "ls", kEnter}, {"ls"}},
      {"in the prompt", {kReady + "$", kMissing, " ls" + kEnter, kReady + "$ ", "id", kEnter}, {"id"}},
      {"before a line's continuation",
       {kReady + "$ ", "cat <<E", kEnter, kMissing, kReady + "> ", "x", kEnter, kReady + "> ", "E", kEnter,
        kReady + "$ "},
       {"cat <<E!", "x\nE!"}},
      {"in a line's continuation",
       {kReady + "$ ", "a \\", kEnter, kReady + "> ", "b", kMissing, "c" + kEnter, kReady + "$ ", "ls",
        kEnter},
       {"a \\\nb!?", "ls"}},
      {"in the output of a command",
       {kReady + "$ ", "seq 9", kEnter + "1\r\n2", kMissing, "8\r\n9\r\n", kReady + "$ ", "ls", kEnter},
       {"seq 9", "ls"}},
      {"behind it another's Ctrl-C",
       {kReady + "$ ", "make", kEnter, kMissing, kReady + "> ", "x^C\x1b[?2004l\r\r\n", kReady + "$ "},
       {"make"}},
      {"in the text behind a learned prompt",
       {"$ ", "ls", "\r\nout\r\n$ ", "rm -r", kMissing, "f\r\n$ ", "id", "\r\n"},
       {"ls", "rm -r!?", "id"}},
      {"in output that ends like no prompt", {"$ ", "ls", "\r\n12 %", kMissing, "x\r\n$ "}, {"ls"}},
      {"in a full-screen program",
       {kReady + "$ ", "vi", kEnter + "\x1b[?1049h", kMissing, "\x1b[?1049l" + kReady + "$ ", "ls", kEnter},
       {"vi", "ls"}},
  };
  for (const auto& c : cases) {
    Texts texts;
    for (const TypedLine& line : lines_of(c.reads))
      texts.push_back(line.text + (line.cut ? "!" : "") + (line.maybe_abandoned ? "?" : ""));
    EXPECT_EQ(texts, c.texts) << c.what;
  }
}

TEST(TypedLines, AStatusBehindMissingOutputIsPerhapsAnothers) {
  const std::string prompt = "\x1b]133;D;3\x07\x1b]133;A\x07$ \x1b]133;B\x07";
  const std::vector<std::string> before = {prompt, "ls", "\r\n\x1b]133;C\x07out\r\n"};
  auto reads = before;
  reads.push_back(prompt);
  ASSERT_EQ(lines_of(reads).size(), 1U);
  EXPECT_EQ(lines_of(reads)[0].status, 3);
  reads = before;
  reads.insert(reads.end(), {kMissing, prompt});
  ASSERT_EQ(lines_of(reads).size(), 1U);
  EXPECT_EQ(lines_of(reads)[0].status, -1);
}

TEST(TypedLinesTable, LearnedPrompt) {
  const struct {
    const char* what;
    std::vector<std::string> reads;
    Texts texts;
  } cases[] = {
      {"dash", {"$ ", "ls", "\r\n", "out\r\n$ ", "id", "\r\n"}, {"ls", "id"}},
      {"an odd prompt recurs", {"go: ", "a\r\n", "go: ", "b\r\n", "go: ", "c\r\n"}, {"a", "b", "c"}},
      {"the first word of an error recurs, shown before the others",
       {"$ ", "ls a\r\n", "ls: ", "no a\r\n", "$ ", "ls b\r\n", "ls: ", "no b\r\n", "$ ", "ls c\r\n",
        "ls: ", "no c\r\n", "$ "},
       {"ls a", "ls b", "ls c"}},
      {"the same answer again and again is no command",
       {"Go on? ", "y\r\n", "Go on? ", "y\r\n", "Go on? ", "y\r\n"},
       {}},
      {"output without a line feed before the prompt",
       {"$ ", "printf x\r\n", "x$ ", "id\r\n"},
       {"printf x", "id"}},
      {"a here-document", {"$ ", "cat <<E\r\n", "> ", "x\r\n", "> ", "E\r\n", "x\r\n$ "}, {"cat <<E\nx\nE"}},
      {"Ctrl-C", {"$ ", "ls", "^C\r\n$ ", "id\r\n"}, {"id"}},
      {"Ctrl-L", {"$ ", "ec", "\x1b[H\x1b[2J$ ec", "ho\r\n"}, {"echo"}},
      {"Ctrl-L behind output without a line feed",
       {"$ ", "id\r\n", "x$ ", "ec", "\x1b[H\x1b[2J$ ec", "ho\r\n"},
       {"id", "echo"}},
      {"a progress bar", {"$ ", "get\r\n", "# ", "\r## ", "\r### ", "\r\n$ "}, {"get"}},
  };
  for (const auto& c : cases) EXPECT_EQ(texts_of(c.reads), c.texts) << c.what;
}

TEST(TypedLinesTable, ZshsSignOfAScrolledTextMayBeTyped) {
  const std::string prompt = "% \x1b[K" + kReady, enter = "\x1b[?2004l\r\r\n";
  EXPECT_EQ(texts_of({prompt, ">....", enter, prompt, "ls", enter}), (Texts{">....", "ls"}));
}

TEST(TypedLinesTable, ZshTellsOfAJobBehindItsPrompt) {
  const std::string prompt = "me:~% \x1b[K", enter = "\x1b[?2004l\r\r\n";
  EXPECT_EQ(texts_of({prompt + kReady, "kill $!", enter, prompt + kReady,
                      "\r\r\n[1]  + terminated  sleep 30\r\n\x1b[J" + prompt, "wait", enter}),
            (Texts{"kill $!", "wait"}));
}

TEST(TypedLinesTable, ZshsScrolledTextIsJoinedThoughTheScreenWasNeverSeenJustFull) {
  const std::string text = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const auto lines = lines_of({"% \x1b[K" + kReady, text.substr(0, 40),
                               "\x1b[1;3H>....\x1b[K\r\n" + text.substr(18), "\x1b[?2004l\r\r\n"},
                              6, 10);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0].text, text);
  EXPECT_FALSE(lines[0].cut);
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
  const auto lines = lines_of({kReady + "$ ", "ls", kEnter + "out\r\n"});
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0].ready_us, 1);
  EXPECT_EQ(lines[0].entered_us, 3);
  EXPECT_EQ(lines[0].edited_us, 2);
  EXPECT_EQ(lines[0].prompt_offset, kReady.size() - 1);
  EXPECT_EQ(lines[0].offset, kReady.size() + 4 + kEnter.size() - 1);
  EXPECT_EQ(lines[0].prompt, "$ ");
}

TEST(TypedLinesTable, TheLastPromptIsOneAtWhichNothingWasEntered) {
  const auto last_prompt = [](const std::vector<std::string>& reads) {
    std::int64_t at = 0;
    (void)lines_of(reads, 10, 40, &at);
    return at;
  };
  const std::string line = kReady + "$ ls", prompt = kReady + "$ ", control_d = "\r\n\x1b[?2004l\rlogout\r\n";
  EXPECT_EQ(last_prompt({line, kEnter + "out\r\n", prompt, control_d}), 3);
  EXPECT_EQ(last_prompt({line, kEnter, prompt, kEnter, prompt, control_d}), 5)
      << "`read -e`, or an empty Enter";
  EXPECT_EQ(last_prompt({line, kEnter, prompt, "exit", kEnter + "logout\r\n"}), kNoPrompt);
  EXPECT_EQ(last_prompt({line, kEnter + "out"}), kNoPrompt);
  EXPECT_EQ(last_prompt({"$ ", "ls", "\r\nout\r\n", "$ "}), 4) << "learned";
  EXPECT_EQ(last_prompt({"$ ", "ls", "\r\nwaits: "}), kNoPrompt) << "output";
  EXPECT_EQ(last_prompt({"nothing"}), kNoPrompt);
}

TEST(TypedLinesTable, WhatIsTooLongIsCutAndSaysSo) {
  Screen screen(5, 100);
  TypedLines typed(screen);
  screen.feed(kReady + "$ ", 1, 0);
  for (std::size_t i = 0; i < 2 * kMaxEditCells; i += 1000) screen.feed(std::string(1000, 'x'), 2, 0);
  screen.feed(kEnter, 3, 0);
  typed.finish();
  const auto lines = typed.take();
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_TRUE(lines[0].cut);
  EXPECT_LE(lines[0].text.size(), kMaxTyped + 1000);
}

}  // namespace
}  // namespace opelog::replay
