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
    EXPECT_TRUE(is_interactive_shell(argv, "")) << argv;
  for (const char* argv : {"bash x.sh", "sh -c ls", "bash -lc ls", "sh -e x", "ls", "vim", "", "bashful"})
    EXPECT_FALSE(is_interactive_shell(argv, "")) << argv;
  EXPECT_EQ(program_name("-bash -i"), "bash");
  EXPECT_EQ(program_name("/usr/bin/ls -l"), "ls");
  EXPECT_EQ(program_name("'/opt/a b/it'\\''s so' -l"), "it's so");
}

TEST(CommandWords, AShellIsOneByWhatRuns) {
  const std::pair<const char*, const char*> shells[] = {{"foo", "/usr/bin/zsh"},
                                                        {"'a -c b' -i", "/usr/bin/bash"},
                                                        {"sh", "/usr/bin/dash"},
                                                        {"-zsh", "/usr/bin/zsh-5.9"},
                                                        {"x", "/bin/ksh93"},
                                                        {"bash", "/usr/bin/bash (deleted)"},
                                                        {"sh", "/usr/bin/busybox"},
                                                        {"busybox ash", "/bin/busybox"},
                                                        {"busybox sh -i", ""},
                                                        {"-sh", "/usr/lib/initrd/busybox"},
                                                        {"a", "/usr/local/bin/bash-static"}};
  for (const auto& [argv, exe] : shells) EXPECT_TRUE(is_interactive_shell(argv, exe)) << argv << ' ' << exe;
  const std::pair<const char*, const char*> others[] = {
      {"bash", "/usr/bin/python3.11"},  {"-bash", "/home/a/x"},
      {"foo x.sh", "/usr/bin/zsh"},     {"foo -c x", "/usr/bin/bash"},
      {"vi", "/usr/bin/busybox"},       {"busybox", "/usr/bin/busybox"},
      {"busybox sh x", "/bin/busybox"}, {"sh -c ls", "/bin/busybox"},
      {"bash", "/usr/bin/bashful"},     {"bash", "/memfd:x"}};
  for (const auto& [argv, exe] : others) EXPECT_FALSE(is_interactive_shell(argv, exe)) << argv << ' ' << exe;
}

TEST(CommandWords, TellAnotherNameThanTheProgramsOwn) {
  EXPECT_EQ(other_name("foo -i", "/usr/bin/zsh"), "zsh");
  EXPECT_EQ(other_name("-bash", "/usr/bin/python3.11"), "python3.11");
  EXPECT_EQ(other_name("awk x", "/usr/bin/mawkish"), "mawkish");
  EXPECT_EQ(other_name("/tmp/ls", "/tmp/evil-ls"), "evil-ls");
  EXPECT_EQ(other_name("ls -l", "/tmp/ls"), "/tmp/ls");
  EXPECT_EQ(other_name("ls", "/dev/shm/x/ls (deleted)"), "/dev/shm/x/ls");
  EXPECT_EQ(other_name("/tmp/ls -l", "/tmp/ls"), "");
  EXPECT_EQ(other_name("ls-linux-gnu", "/usr/bin/ls"), "ls");
  EXPECT_EQ(other_name("cat", "/usr/bin/x-linux-y-scat"), "x-linux-y-scat");
  EXPECT_EQ(other_name("ls", "/usr/bin/lsof"), "lsof");
  EXPECT_EQ(other_name("", "/usr/bin/ls"), "ls");
  EXPECT_EQ(other_name("sh -c x", "/usr/bin/sleep"), "sleep");
  EXPECT_EQ(other_name("ls", "/usr/bin/busybox"), "busybox");
  for (const auto& [argv, exe] :
       std::vector<std::pair<const char*, const char*>>{{"-bash", "/usr/bin/bash"},
                                                        {"python3 x", "/usr/bin/python3.11"},
                                                        {"vim", "/usr/bin/vim.basic"},
                                                        {"/bin/sh x", "/usr/bin/dash"},
                                                        {"awk x", "/usr/bin/mawk"},
                                                        {"vi", "/usr/bin/vim.basic"},
                                                        {"gcc -c x", "/usr/bin/x86_64-linux-gnu-gcc-12"},
                                                        {"c++ x", "/usr/bin/x86_64-linux-gnu-g++-12"},
                                                        {"ls", ""},
                                                        {"busybox ls", "/usr/bin/busybox"},
                                                        {"'a b' c", "/opt/a b"}})
    EXPECT_EQ(other_name(argv, exe), "") << argv;
  EXPECT_EQ(renamed("/tmp/foo -i", "/usr/bin/zsh"), "foo is zsh");
  EXPECT_EQ(renamed("'' -i", "/usr/bin/zsh (deleted)"), "'' is zsh");
  EXPECT_EQ(renamed(std::string(500, 'x'), "/usr/bin/zsh").size(), 60 + 3 + std::string(" is zsh").size());
  EXPECT_EQ(renamed("-bash", "/usr/bin/bash"), "");
}

}  // namespace
}  // namespace opelog::replay
