#include "replay/prompts.h"

#include <gtest/gtest.h>

namespace opelog::replay {
namespace {

TEST(Prompts, WhatTheTerminalWaitedBehindIsThePrompt) {
  const KnownPrompts none;
  EXPECT_EQ(none.best("me:~$ ls", "me:~$ "), "me:~$ ");
  EXPECT_EQ(none.best("Name? x", "Name? "), "Name? ");
}

TEST(Prompts, WithoutAPauseOneThatIsKnownDecides) {
  KnownPrompts prompts;
  prompts.confirm("me:~$ ");
  EXPECT_EQ(prompts.best("me:~$ echo $ x", ""), "me:~$ ");
  EXPECT_EQ(prompts.best("me:~$ ls -l", "me:~$ ls "), "me:~$ ");
  EXPECT_EQ(prompts.best("me:/usr$ ls -l", ""), "me:/usr$ ");
  EXPECT_EQ(prompts.best("me:/usr$ ls -l", "me:/u"), "me:/usr$ ");
}

TEST(Prompts, AreForgottenOldestFirst) {
  KnownPrompts prompts;
  for (std::size_t i = 0; i < 2 * kMaxPrompts; ++i) prompts.confirm("d" + std::to_string(i) + "$ ");
  EXPECT_FALSE(prompts.knows("d0$ "));
  EXPECT_TRUE(prompts.knows("d" + std::to_string(2 * kMaxPrompts - 1) + "$ "));
  EXPECT_EQ(prompts.first(), "d0$ ");
  prompts.confirm(std::string(kMaxPrompt + 1, 'x'));
  EXPECT_FALSE(prompts.knows(std::string(kMaxPrompt + 1, 'x')));
}

TEST(Prompts, TheirLooks) {
  for (const char* yes : {"> ", "heredoc> ", "for then> ", "quote> "})
    EXPECT_TRUE(is_continuation_prompt(yes)) << yes;
  for (const char* no : {">", "> x", "$ ", "A> ", "mysql$> ", ""})
    EXPECT_FALSE(is_continuation_prompt(no)) << no;
  EXPECT_TRUE(ends_like_prompt("$ ", false));
  EXPECT_TRUE(ends_like_prompt("root@h:/# ", false));
  EXPECT_FALSE(ends_like_prompt("50% ", false));
  EXPECT_TRUE(ends_like_prompt("h% ", true));
  EXPECT_FALSE(ends_like_prompt("##### ", true));
  EXPECT_FALSE(ends_like_prompt("$", true));
}

}  // namespace
}  // namespace opelog::replay
