#include "replay/command_words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace opelog::replay {
namespace {

using Strings = std::vector<std::string>;

TEST(CommandWords, FirstWordsOfEachSimpleCommand) {
  const struct {
    const char* text;
    Strings words;
  } cases[] = {
      {"", {}},
      {"ls", {"ls"}},
      {"  /bin/ls -l /tmp ", {"ls"}},
      {"ls | wc -l", {"ls", "wc"}},
      {"make && ./run; echo done", {"make", "run", "echo"}},
      {"A=1 B=2 env", {"env"}},
      {"A=1", {}},
      {"sleep 5 &", {"sleep"}},
      {"cmd >out 2>&1 <in", {"cmd"}},
      {">out cmd", {"cmd"}},
      {"> out cmd x", {"cmd"}},
      {"cmd &>all next", {"cmd"}},
      {"grep 'a | b' \"c; d\" e\\;f", {"grep"}},
      {"echo $(ls | wc) x", {"echo"}},
      {"if test -f x; then cat x; fi", {"test", "cat", "fi"}},
      {"for i in 1 2; do touch $i; done", {"touch", "done"}},
      {"while read x; do wc; done < f", {"read", "wc", "done"}},
      {"(cd /tmp; make)", {"cd", "make", ")"}},
      {"{ a; b; }", {"a", "b", "}"}},
      {"! grep x", {"grep"}},
      {"time make", {"make"}},
      {"cat <<E\nrm -rf x\nE", {"cat"}},
      {"cat <<<word; ls", {"cat", "ls"}},
      {"a\nb\n", {"a", "b"}},
      {"ls # | wc", {"ls"}},
      {"'unclosed", {"unclosed"}},
      {"echo $(((", {"echo"}},
  };
  for (const auto& c : cases) EXPECT_EQ(command_words(c.text), c.words) << c.text;
}

TEST(CommandWords, AreLimited) {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += "a;";
  EXPECT_LE(command_words(text).size(), 1001U);
}

TEST(CommandWords, TellAShellAtTheTerminalFromAScript) {
  for (const char* argv : {"-bash", "bash", "bash -i", "bash --norc --noprofile", "bash --rcfile x",
                           "/bin/zsh -f", "sh", "-zsh", "dash -o emacs"})
    EXPECT_TRUE(is_interactive_shell(argv)) << argv;
  for (const char* argv : {"bash x.sh", "sh -c ls", "bash -lc ls", "sh -e x", "ls", "vim", "", "bashful"})
    EXPECT_FALSE(is_interactive_shell(argv)) << argv;
  EXPECT_EQ(program_name("-bash -i"), "bash");
  EXPECT_EQ(program_name("/usr/bin/ls -l"), "ls");
}

}  // namespace
}  // namespace opelog::replay
