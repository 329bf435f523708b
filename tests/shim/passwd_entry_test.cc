#include <gtest/gtest.h>

#include <string>
#include <string_view>

extern "C" {
#include "shim/passwd_entry.h"
}

namespace {

using namespace std::string_view_literals;

/// The shell, or "-" where there is no entry.
std::string shell(std::string_view line, uint32_t uid = 5001) {
  static char out[OPELOG_MAX_PATH + 1];
  return opelog_shell_of_entry(line.data(), line.size(), uid, out) ? out : "-";
}

TEST(PasswdEntry, GivesTheShell) {
  EXPECT_EQ(shell("kim:x:5001:100:Kim,,,:/home/kim:/bin/zsh\n"), "/bin/zsh");
  EXPECT_EQ(shell(":::::/home/kim:/bin/zsh\n"), "-");
  EXPECT_EQ(shell("root:x:0:0:root:/root:/bin/bash\n", 0), "/bin/bash");
  EXPECT_EQ(shell("max:x:4294967294:0:::/bin/x\n", 4294967294u), "/bin/x");
}

TEST(PasswdEntry, AnEmptyFieldMeansSh) {
  EXPECT_EQ(shell("kim:x:5001:100::/home/kim:\n"), "/bin/sh");
}

TEST(PasswdEntry, OfSomebodyElseIsNone) {
  EXPECT_EQ(shell("kim:x:500:100::/home/kim:/bin/zsh\n"), "-");
  EXPECT_EQ(shell("kim:x:50010:100::/home/kim:/bin/zsh\n"), "-");
  EXPECT_EQ(shell("kim:x:05001:100::/home/kim:/bin/zsh\n"), "-");
  EXPECT_EQ(shell("5001:x:5002:5001::5001:/bin/zsh\n"), "-");
}

TEST(PasswdEntry, WhatIsNotOneWholeLineIsNone) {
  EXPECT_EQ(shell(""), "-");
  EXPECT_EQ(shell("\n"), "-");
  EXPECT_EQ(shell("kim:x:5001:100::/home/kim:/bin/zs"), "-");  // of a getent that died
  EXPECT_EQ(shell("kim:x:5001:100::/home/kim\n"), "-");
  EXPECT_EQ(shell("kim:x:5001:100::/home/kim:/bin/zsh\nkim:x:5001:100::/home/kim:/bin/sh\n"), "-");
  EXPECT_EQ(shell("kim:x:5001:100::/home/kim:/bin/zsh\0\n"sv), "-");
}

TEST(PasswdEntry, AShellIsAnAbsolutePathThatFits) {
  const std::string start = "kim:x:5001:100::/home/kim:";
  EXPECT_EQ(shell(start + "zsh\n"), "-");
  const std::string longest = "/" + std::string(OPELOG_MAX_PATH - 1, 'x');
  EXPECT_EQ(shell(start + longest + "\n"), longest);
  EXPECT_EQ(shell(start + longest + "x\n"), "-");
}

}  // namespace
