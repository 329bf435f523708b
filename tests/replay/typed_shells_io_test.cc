// Real bash, zsh and dash on a real pty, with the mistakes of a real operator: the list of commands must
// equal what was meant, to the letter.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "../core/scoped_dir.h"
#include "replay/screen.h"
#include "replay/transcript.h"
#include "replay/typed_lines.h"
#include "shell_io.h"

namespace opelog::replay {
namespace {

using testing::Shell;
using ::testing::Test;

constexpr std::string_view kLeft = "\x1b[D", kUp = "\x1b[A", kDown = "\x1b[B", kHome = "\x01",
                           kEndKey = "\x05";
constexpr const char* kEditOn = "\x1b[?2004h";
constexpr const char* kOver = "\x1b[?2004l";

std::string operator+(std::string_view a, std::string_view b) {
  return std::string(a).append(b);
}

// A screen, its watchers, and one shell on it.
class Typed {
 public:
  explicit Typed(int rows = 24, int cols = 80) : screen_(rows, cols), transcript_(screen_), typed_(screen_) {
    for (const char* name : {"alpha.txt", "alpine.txt", "beta file.txt"})
      std::ofstream(dir_.path(name)) << "one\ntwo\n";
  }
  void start(const std::vector<std::string>& argv, const std::vector<std::string>& environment,
             std::initializer_list<std::string_view> ready) {
    shell_ = std::make_unique<Shell>(screen_, argv, dir_.path(), environment);
    EXPECT_EQ(shell_->wait_for(ready), "");
  }
  void bash(std::vector<std::string> extra = {}) {
    extra.push_back("PS1=op:\\w$ ");
    extra.push_back("HISTFILE=/dev/null");
    over_ = kOver;
    prompt_ = "op:";
    start({"bash", "--norc", "--noprofile", "-i"}, extra, {"op:~$ "});
  }
  void zsh() {
    over_ = kOver;
    prompt_ = ready_ = kEditOn;
    start({"zsh", "-f", "-i"}, {"PS1=op:%~%# ", "RPROMPT=[%?]"}, {kEditOn});
  }
  void dash() {
    over_ = "\n";
    prompt_ = "op$ ";
    start({"dash", "-i"}, {"PS1=op$ "}, {"op$ "});
  }
  /// Types `keys` and Enter, waits for the next prompt.
  void enter(std::string_view keys, std::string_view command) {
    EXPECT_EQ(shell_->type(keys + "\r", {over_, prompt_}), "");
    if (!command.empty()) expected_.emplace_back(command);
  }
  void enter(std::string_view command) { enter(command, command); }
  /// Types a line that does not end the command.
  void part(std::string_view keys) { EXPECT_EQ(shell_->type(keys + "\r", {over_, "> ", ready_}), ""); }
  void keys(std::string_view keys, std::initializer_list<std::string_view> then) {
    EXPECT_EQ(shell_->type(keys, then), "");
  }
  void expect(std::string_view command) { expected_.emplace_back(command); }
  Shell& shell() { return *shell_; }
  std::vector<TypedLine> end() {
    if (shell_) {
      (void)shell_->type("exit\r", {"exit"});
      EXPECT_TRUE(shell_->finish());
      expected_.emplace_back("exit");
    }
    typed_.finish();
    screen_.finish();
    transcript_.finish();
    return typed_.take();
  }
  void check() {
    const std::vector<TypedLine> lines = end();
    EXPECT_EQ(lines.size(), expected_.size());
    for (std::size_t i = 0; i < std::min(lines.size(), expected_.size()); ++i) {
      EXPECT_EQ(lines[i].text, expected_[i]) << "line " << i << ", prompt '" << lines[i].prompt << "'";
      if (lines[i].text != expected_[i] && i + 1 < expected_.size() && lines[i].text == expected_[i + 1])
        break;
    }
    for (std::size_t i = 0; i < lines.size(); ++i) {
      EXPECT_LE(lines[i].ready_us, lines[i].entered_us);
      EXPECT_LT(lines[i].prompt_offset, lines[i].offset);
      if (i > 0) {
        EXPECT_LE(lines[i - 1].offset, lines[i].offset);
      }
    }
  }
  /// The same list, however the output was cut into reads.
  void check_cuts() {
    for (unsigned seed = 0; seed < 20; ++seed) {
      std::mt19937 random(seed);
      const std::string& bytes = shell_->output();
      Screen screen(screen_.rows(), screen_.cols());
      TypedLines typed(screen);
      for (std::size_t at = 0; at < bytes.size();) {
        const std::size_t n =
            std::min<std::size_t>(1 + random() % (seed % 2 == 0 ? 2000 : 20), bytes.size() - at);
        screen.feed(std::string_view(bytes).substr(at, n), static_cast<std::int64_t>(at), at);
        at += n;
      }
      typed.finish();
      const std::vector<TypedLine> lines = typed.take();
      EXPECT_EQ(lines.size(), expected_.size()) << "seed " << seed;
      for (std::size_t i = 0; i < std::min(lines.size(), expected_.size()); ++i)
        ASSERT_EQ(lines[i].text, expected_[i])
            << "seed " << seed << ", line " << i << ", prompt '" << lines[i].prompt << "'";
    }
  }
  std::vector<std::string> transcript() {
    std::vector<std::string> lines;
    for (const TranscriptEntry& entry : transcript_.take())
      lines.push_back(entry.kind == TranscriptEntry::Kind::kFullScreen ? "<full screen>" : entry.text);
    return lines;
  }

 private:
  ScopedDir dir_;
  Screen screen_;
  Transcript transcript_;
  TypedLines typed_;
  std::unique_ptr<Shell> shell_;
  std::vector<std::string> expected_;
  std::string_view over_, prompt_;
  std::string_view ready_;  ///< what comes behind a continuation prompt
};

std::string digits(std::size_t n) {
  std::string text;
  for (std::size_t i = 0; text.size() < n; ++i) text += std::to_string(i) + "_";
  text.resize(n);
  return text;
}

std::string japanese(int n) {
  std::string text;
  for (int i = 0; i < n; ++i) text += "日本語";
  return text;
}

// What bash and zsh have in common.
void common_session(Typed& t) {
  t.enter("echo hello");
  t.enter("echo helo" + kLeft + "l", "echo hello");
  t.enter("ecko\x7f\x7fho typo", "echo typo");
  t.enter(" back" + kHome + "echo", "echo back");
  t.enter("printf 'no line feed'");
  t.enter("export OPELOG_TEST=1");
  t.enter("cd /usr");
  t.enter("cd");
  t.enter("", "");
  t.enter("   ", "");
  t.enter("echo one two three\x17\x17six", "echo one six");
  t.enter(
      "wrong\x15"
      "echo right",
      "echo right");
  t.enter("echo cut here" + std::string(5, '\x02') +
              "\x0b"
              "there",
          "echo cutthere");
  t.enter(std::string(kUp), "echo cutthere");
  t.enter(kUp + kUp + kDown + kEndKey + "!", "echo cutthere!");
  t.enter("\x12right", "echo right");
  t.enter("cat alpi\t", "cat alpine.txt");
  t.enter("echo x > out.txt");
  t.enter("cat < out.txt | tr x y && echo done; false || true");
  t.enter("for i in 1 2 3; do echo $i; done");
  t.enter("sleep 0 & wait");
  t.enter("echo " + japanese(2));
  t.enter("echo " + japanese(20));
  t.enter("echo a" + japanese(20));
  t.enter("echo " + japanese(20) + std::string(6, '\x7f') + "x", "echo " + japanese(18) + "x");
  t.enter("echo " + digits(60));
  for (std::size_t n = 60; n < 72; ++n) t.enter("echo " + digits(n));
  t.enter("echo " + digits(200));
  t.enter("cho " + digits(150) + kHome + "e" + kEndKey + "Z", "echo " + digits(150) + "Z");
  t.enter("echo " + digits(150) + kHome +
              "\x0b"
              "echo short",
          "echo short");
  t.enter("clear");
  t.enter("echo after clear");
  t.enter("ech\x0co cleared", "echo cleared");
  t.part("cat <<END");
  t.part("first line");
  t.part("  second lime\x7f\x7fne");
  t.enter("END", "cat <<END\nfirst line\n  second line\nEND");
  t.part("for x in a b");
  t.part("do");
  t.part("echo $x");
  t.enter("done", "for x in a b\ndo\necho $x\ndone");
  t.enter("seq 1 100");
  t.enter("ls nothing-there");
  t.enter("echo 'a  b'   c");
}

TEST(TypedShells, BashWithMistakesHistoryAndCompletion) {
  Typed t;
  t.bash();
  common_session(t);
  t.keys("abandoned", {"abandoned"});
  t.keys("\x03", {"^C", kEditOn});
  t.enter("", "");  // bash may wait for a key before it shows the prompt
  t.part("cat <<END");
  t.part("lost");
  t.keys("\x03", {"^C", kEditOn});
  t.enter("", "");
  t.keys("cat al", {"cat al"});
  t.keys("\t\t\t", {"alpine.txt", "op:~$ ", "cat alp"});  // a list, and the line once more below it
  t.enter("ha.txt", "cat alpha.txt");
  t.keys("echo un\x12nothing-like-it", {"failed"});
  t.enter(
      "\x07"
      "finished",
      "echo unfinished");
  t.keys("read -p 'Name? ' name; echo\r", {kOver, "Name? "});
  t.expect("read -p 'Name? ' name; echo");
  t.keys("bob\r", {"op:~$ "});
  t.check();
  t.check_cuts();
}

TEST(TypedShells, ZshWithItsRightPromptAndEndMark) {
  if (!testing::has_program("zsh")) GTEST_SKIP() << "no zsh";
  Typed t;
  t.zsh();
  common_session(t);
  t.keys("cat al\t\t\t", {"alpine.txt"});
  t.enter(
      "\x15"
      "cat alpha.txt",
      "cat alpha.txt");
  t.enter("false");
  t.check();
  t.check_cuts();
  const std::vector<std::string> lines = t.transcript();
  EXPECT_THAT(lines, ::testing::Contains("no line feed"));
}

TEST(TypedShells, ZshLineThatWasLeftIsMarked) {
  if (!testing::has_program("zsh")) GTEST_SKIP() << "no zsh";
  Typed t;
  t.zsh();
  t.enter("echo one");
  t.keys("not run", {"un"});
  t.keys("\x07", {kOver, kEditOn});  // Ctrl-G looks the same, and is no signal, which could come too early
  t.enter("echo two");
  const std::vector<TypedLine> lines = t.end();
  ASSERT_EQ(lines.size(), 4U);
  EXPECT_FALSE(lines[0].maybe_abandoned);
  EXPECT_EQ(lines[1].text, "not run");
  EXPECT_TRUE(lines[1].maybe_abandoned);
  EXPECT_FALSE(lines[2].maybe_abandoned);
}

TEST(TypedShells, DashByItsPrompt) {
  Typed t;
  t.dash();
  t.enter("echo hello");
  t.enter("ecko\x7f\x7fho typo", "echo typo");
  t.enter(
      "wrong\x15"
      "echo right",
      "echo right");
  t.enter("echo one two\x17three", "echo one three");
  t.enter("", "");
  t.enter("printf 'no line feed'");
  t.enter("cd /usr");
  t.enter("echo " + digits(200));
  t.enter("echo " + japanese(3));
  t.enter("seq 1 60");
  t.keys("abandoned\x03", {"^C", "op$ "});
  t.part("cat <<END");
  t.part("first");
  t.enter("END", "cat <<END\nfirst\nEND");
  t.enter("for i in 1 2; do echo $i; done");
  t.enter("ls nothing-there");
  t.check();
}

TEST(TypedShells, BashTypedAheadWithoutAPause) {
  Typed t;
  t.bash();
  t.enter("echo known");
  t.keys("sleep 0.3\recho ahead\recho twice\r", {kOver, kOver, kOver, "op:~$ "});
  t.expect("sleep 0.3");
  t.expect("echo ahead");
  t.expect("echo twice");
  t.enter("cd /usr");
  t.check();
}

TEST(TypedShells, BashWithBracketedPasteOffIsReadByItsPrompt) {
  Typed t;
  t.start({"bash", "--norc", "--noprofile", "-i"}, {"PS1=op:\\w$ ", "TERM=dumb", "HISTFILE=/dev/null"},
          {"op:~$ "});
  t.keys("echo helo\x02l\r", {"\nhello", "op:~$ "});
  t.expect("echo hello");
  t.keys("cat al\t\t\t", {"alpine.txt", "op:~$ ", "cat al"});
  t.keys("ha.txt\r", {"two", "op:~$ "});
  t.expect("cat alpha.txt");
  t.keys("cd /usr\r", {"\n", "op:/usr$ "});
  t.expect("cd /usr");
  t.check();
}

TEST(TypedShells, NestedShellsAndFullScreenPrograms) {
  Typed t;
  t.bash();
  t.enter("echo outer");
  t.keys("PS1='in$ ' dash\r", {kOver, "in$ "});
  t.expect("PS1='in$ ' dash");
  t.keys("echo inner\r", {"\ninner", "in$ "});
  t.expect("echo inner");
  t.keys("exit\r", {"op:~$ "});
  t.expect("exit");
  if (testing::has_program("vim")) {
    t.keys("vim -u NONE -n alpha.txt\r", {"\x1b[?1049h", "two"});
    t.expect("vim -u NONE -n alpha.txt");
    t.keys("ihidden words\x1b:q!\r", {"\x1b[?1049l", "op:~$ "});
  }
  if (testing::has_program("less")) {
    t.keys("seq 1 500 | less\r", {"\x1b[?1049h", "23"});
    t.expect("seq 1 500 | less");
    t.keys("q", {"\x1b[?1049l", "op:~$ "});
  }
  t.enter("echo back");
  t.check();
  if (testing::has_program("vim")) {
    const std::vector<std::string> lines = t.transcript();
    const auto vim = std::find(lines.begin(), lines.end(), "op:~$ vim -u NONE -n alpha.txt");
    ASSERT_NE(vim, lines.end());
    EXPECT_EQ(*(vim + 1), "<full screen>");
  }
}

TEST(TypedShells, SixKibibytesScrollTheScreen) {
  for (const bool zsh : {false, true}) {
    if (zsh && !testing::has_program("zsh")) continue;
    Typed t;
    zsh ? t.zsh() : t.bash();
    t.enter("echo short");
    const std::string command = "echo " + digits(6000) + " | wc -c";
    for (std::size_t at = 0; at < command.size(); at += 500)
      t.keys(command.substr(at, 500), {command.substr(std::min(command.size(), at + 500) - 3, 3)});
    t.enter("", command);
    t.enter("echo after");
    t.check();
  }
}

TEST(TypedShells, ZshShowsNotAllOfALineThatWasPasted) {
  if (!testing::has_program("zsh")) GTEST_SKIP() << "no zsh";
  Typed t(10, 40);
  t.zsh();
  t.enter("echo short");
  t.keys("\x1b[200~echo " + digits(900) + "\x1b[201~", {">...."});
  t.enter("", "");
  t.enter("echo after");
  const std::vector<TypedLine> lines = t.end();
  ASSERT_EQ(lines.size(), 4U);
  EXPECT_TRUE(lines[1].cut);
  EXPECT_EQ(lines[1].text, digits(900).substr(900 - lines[1].text.size()));
  EXPECT_FALSE(lines[2].cut);
}

TEST(TypedShells, MarksOfTheShellDecideWhereTheyAreSent) {
  Typed t;
  t.bash();
  t.keys(
      "PROMPT_COMMAND='printf \"\\e]133;D;%s\\a\" $?' PS0='\\e]133;C\\a' "
      "PS1='\\[\\e]133;A\\a\\]odd prompt: \\[\\e]133;B\\a\\]'\r",
      {kOver, kEditOn, "odd prompt: ", "B"});
  const auto enter = [&](const std::string& keys, const char* command) {
    t.keys(keys + "\r", {kOver, kEditOn, "odd prompt: ", "133;B"});
    t.expect(command);
  };
  enter("echo odd prompt: x", "echo odd prompt: x");
  enter("cat al\t\t\tha.txt", "cat alpha.txt");
  enter("(exit 7)", "(exit 7)");
  const std::vector<TypedLine> lines = t.end();
  std::string all;
  for (const TypedLine& line : lines) all += line.text + " | " + line.prompt + "\n";
  ASSERT_EQ(lines.size(), 5U) << all;
  EXPECT_EQ(lines[1].text, "echo odd prompt: x");
  EXPECT_EQ(lines[1].by, TypedBy::kMarks);
  EXPECT_EQ(lines[1].status, 0);
  EXPECT_EQ(lines[2].text, "cat alpha.txt");
  EXPECT_EQ(lines[3].text, "(exit 7)");
  EXPECT_EQ(lines[3].status, 7);
}

}  // namespace
}  // namespace opelog::replay
