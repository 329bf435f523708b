#include "record/proc_text.h"

#include <gtest/gtest.h>

namespace opelog::record {
namespace {

std::string stat_line(const std::string& comm, const std::string& terminal = "34816") {
  return "1234 (" + comm + ") S 77 1234 1200 " + terminal +
         " 1240 4194560 1000 2000 0 0 5 6 7 8 20 0 1 0 987654 10000000 500 18446744073709551615 1 1 0\n";
}

TEST(ProcStatText, NamesWithBlanksParenthesesAndNewlinesDoNotShiftTheFields) {
  for (const std::string comm : {"sh", "a b", "x) S 1 1 1 (y", ")", "((", "", "a\nb", " ) R 0 ("}) {
    const auto stat = parse_proc_stat(stat_line(comm));
    ASSERT_TRUE(stat) << comm << ": " << stat.error().message;
    EXPECT_EQ(stat->pid, 1234) << comm;
    EXPECT_EQ(stat->comm, comm);
    EXPECT_EQ(stat->state, 'S') << comm;
    EXPECT_EQ(stat->parent, 77) << comm;
    EXPECT_EQ(stat->session, 1200) << comm;
    EXPECT_EQ(stat->terminal, 34816u) << comm;
    EXPECT_EQ(stat->started, 987654u) << comm;
  }
}

TEST(ProcStatText, ANegativeTerminalNumberIsTheDevicesBits) {
  const auto stat = parse_proc_stat(stat_line("x", "-2147448832"));
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->terminal, 0x80008800u);
}

TEST(ProcStatText, EveryTruncationIsAnErrorOrTheSameAnswer) {
  const auto whole = stat_line("na me");
  const auto fields_end = whole.find(" 987654");
  for (std::size_t length = 0; length <= fields_end; ++length) {
    EXPECT_FALSE(parse_proc_stat(std::string_view(whole).substr(0, length))) << length;
  }
}

TEST(ProcStatText, WhatIsNoStatIsRefused) {
  for (const std::string text : {"", "1234", "1234 (", "1234 )(", "x (sh) S 1 1 1 1", "(sh)", ") 1 ("}) {
    EXPECT_FALSE(parse_proc_stat(text)) << text;
  }
}

TEST(ProcStatusText, UidsAndTracerAreFoundByTheirLines) {
  const auto status =
      parse_proc_status("Name:\tUid: 0 0\\nUid:\nState:\tS\nTracerPid:\t42\nUid:\t1000\t0\t0\t0\nGid:\t1\n");
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(status->real_uid, 1000u);
  EXPECT_EQ(status->effective_uid, 0u);
  EXPECT_EQ(status->tracer, 42);
}

TEST(ProcStatusText, MissingOrBrokenLinesAreErrors) {
  for (const std::string text : {"", "Uid:\t1\t1\t1\t1\n", "TracerPid:\t0\n", "Uid:\tx\t1\nTracerPid:\t0\n",
                                 "Uid:\t1\nTracerPid:\t0\n", "Uid:\t99999999999\t1\nTracerPid:\t0\n",
                                 "Uid:\t1\t1\t1\t1\nTracerPid:\t\n", " Uid:\t1\t1\t1\t1\nTracerPid:\t0\n"}) {
    EXPECT_FALSE(parse_proc_status(text)) << text;
  }
}

TEST(ProcNumber, OnlyAWholeNumberIsTaken) {
  EXPECT_EQ(*parse_proc_number("4294967295"), 0xffffffffu);
  EXPECT_EQ(*parse_proc_number("1000\n"), 1000u);
  for (const std::string text : {"", "\n", "-1", "1 ", "0x10", "4294967296", "1\n\n"}) {
    EXPECT_FALSE(parse_proc_number(text)) << text;
  }
}

TEST(ExecutablePath, AReplacedProgramKeepsItsName) {
  EXPECT_EQ(executable_path("/usr/sbin/sshd (deleted)"), "/usr/sbin/sshd");
  EXPECT_EQ(executable_path("/usr/sbin/sshd"), "/usr/sbin/sshd");
  EXPECT_EQ(executable_path(" (deleted)"), " (deleted)");
  EXPECT_EQ(executable_path(""), "");
}

TEST(TerminalPath, KnowsTheKernelsDeviceNumbers) {
  const auto device = [](unsigned major, unsigned minor) {
    return (minor & 0xff) | (major << 8) | ((minor & ~0xffu) << 12);
  };
  EXPECT_EQ(terminal_path(device(136, 0)), "/dev/pts/0");
  EXPECT_EQ(terminal_path(device(136, 300)), "/dev/pts/300");
  EXPECT_EQ(terminal_path(device(136, 4095)), "/dev/pts/4095");
  EXPECT_EQ(terminal_path(device(137, 3)), "/dev/pts/259");
  EXPECT_EQ(terminal_path(device(4, 1)), "/dev/tty1");
  EXPECT_EQ(terminal_path(device(4, 64)), "/dev/ttyS0");
  EXPECT_EQ(terminal_path(device(5, 1)), "/dev/console");
  EXPECT_EQ(terminal_path(device(188, 0)), "");
  EXPECT_EQ(terminal_path(0), "");
}

}  // namespace
}  // namespace opelog::record
