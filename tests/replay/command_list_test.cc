#include "replay/command_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "replay/command_words.h"

namespace opelog::replay {
namespace {

constexpr std::int64_t kSecond = 1'000'000;

TypedLine typed_at(std::int64_t seconds, const char* text) {
  TypedLine line;
  line.text = text;
  line.ready_us = seconds * kSecond - kSecond / 2;
  line.entered_us = seconds * kSecond;
  line.edited_us = line.entered_us - kClockSlackUs / 2;
  line.offset = static_cast<std::uint64_t>(seconds) * 100;
  return line;
}

ExecEvent exec_at(std::int64_t us, std::int64_t pid, std::int64_t ppid, const char* argv, int exit_code = 0,
                  std::int64_t takes_us = 1000) {
  ExecEvent event;
  event.at_us = us;
  event.end_us = takes_us < 0 ? -1 : us + takes_us;
  event.pid = pid;
  event.ppid = ppid;
  event.uid = 1000;
  event.argv = argv;
  event.exe = "/usr/bin/" + program_name(argv);
  event.cwd = "/home";
  event.exit_code = takes_us < 0 ? -1 : exit_code;
  return event;
}

const ExecEvent kLoginShell = exec_at(1, 10, 1, "-bash", 0, -1);

TEST(CommandList, ALineAndItsProcessAreOneCommand) {
  const auto commands = join_commands({typed_at(1, "ls -l"), typed_at(2, "cd /tmp")},
                                      {kLoginShell, exec_at(kSecond + 500, 11, 10, "ls --color -l", 2)});
  ASSERT_EQ(commands.size(), 3U);
  EXPECT_EQ(commands[0].text, "-bash");
  EXPECT_TRUE(commands[0].helper);
  EXPECT_EQ(commands[1].text, "ls -l");
  EXPECT_EQ(commands[1].known, KnownBy::kBoth);
  EXPECT_EQ(commands[1].status, 2);
  EXPECT_EQ(commands[1].cwd, "/home");
  EXPECT_EQ(commands[1].uid, 1000U);
  EXPECT_EQ(commands[1].begin_us, kSecond);
  EXPECT_EQ(commands[1].end_us, kSecond + 1500);
  EXPECT_EQ(commands[2].known, KnownBy::kScreen);
  EXPECT_FALSE(commands[2].status);
}

ExecEvent called(ExecEvent event, const char* exe) {
  event.exe = exe;
  return event;
}

TEST(CommandList, ALineSaysWhichOfItsOwnProcessesAreSomethingElse) {
  const std::int64_t at = kSecond + 500;
  const auto commands = join_commands(
      {typed_at(1, "./foo x | bar; ./foo y"), typed_at(3, "ls")},
      {kLoginShell, called(exec_at(at, 11, 10, "./foo x"), "/usr/bin/zsh"),
       called(exec_at(at, 12, 10, "bar"), "/usr/bin/rm"),
       called(exec_at(at, 13, 10, "./foo y"), "/usr/bin/zsh"),
       called(exec_at(at + 1, 14, 13, "inner"), "/usr/bin/nc"), exec_at(3 * kSecond + 500, 15, 10, "ls")});
  ASSERT_EQ(commands.size(), 3U);
  EXPECT_EQ(commands[1].renamed, "foo is zsh, bar is rm");
  EXPECT_EQ(commands[2].renamed, "");
  std::vector<ExecEvent> many{kLoginShell};
  for (int i = 0; i < 9; ++i)
    many.push_back(called(exec_at(at, 20 + i, 10, ("p" + std::to_string(i)).c_str()), "/usr/bin/zsh"));
  EXPECT_EQ(join_commands({typed_at(1, "all")}, many)[1].renamed,
            "p0 is zsh, p1 is zsh, p2 is zsh, p3 is zsh, ...");
  EXPECT_EQ(mark_of("a is b", true), "a is b; foreign mounts");
  EXPECT_EQ(mark_of("", true), "foreign mounts");
}

ExecEvent before_at(std::int64_t before_us, std::int64_t pid, std::int64_t ppid, const char* argv) {
  ExecEvent event = exec_at(0, pid, ppid, argv, 0, 0);
  event.before_us = before_us;
  return event;
}

TEST(CommandList, WhatCameBeforeTheRecordingExplainsNothingInIt) {
  // The hook's shell became the shim, whose child is the session's shell.
  const std::vector<ExecEvent> events{before_at(900, 5, 1, "bash -c 'exec opelog-shell --force'"),
                                      before_at(700, 6, 5, "marker"), exec_at(10, 10, 5, "bash -c ls", 2),
                                      exec_at(20, 11, 10, "ls", 2)};
  const auto commands = join_commands({}, events);
  ASSERT_EQ(commands.size(), 2U);
  EXPECT_TRUE(commands[0].helper);
  EXPECT_EQ(commands[0].before_us, 900);
  EXPECT_EQ(commands[0].execs, (std::vector<std::size_t>{0, 1}));
  EXPECT_EQ(commands[1].text, "bash -c ls");
  EXPECT_EQ(commands[1].number, 1U);
  EXPECT_EQ(commands[1].status, 2);
  EXPECT_EQ(commands[1].execs, (std::vector<std::size_t>{2, 3}));
}

TEST(CommandList, WhatCameBeforeTheRecordingIsNoTypedLines) {
  // A profile hook: the login shell reads lines, had it gone on.
  TypedLine early = typed_at(1, "marker");
  early.ready_us = early.entered_us = 0;
  const auto commands = join_commands({early}, {before_at(900, 5, 1, "-bash"), before_at(700, 6, 5, "marker"),
                                                exec_at(10, 10, 5, "-bash", 0, -1)});
  ASSERT_EQ(commands.size(), 3U);
  EXPECT_EQ(commands[0].text, "-bash");
  EXPECT_EQ(commands[1].before_us, 700);
  EXPECT_TRUE(commands[1].helper);
  EXPECT_EQ(commands[2].execs, std::vector<std::size_t>{2});
}

TEST(CommandList, AShellIsOneByWhatRunsAndNotByItsName) {
  ExecEvent hidden = exec_at(kSecond + 500, 11, 10, "foo", 0, -1);
  hidden.exe = "/usr/bin/zsh";
  ExecEvent named = exec_at(kSecond + 500, 11, 10, "bash", 0, -1);
  named.exe = "/usr/bin/python3.11";
  const std::vector<TypedLine> lines{typed_at(1, "x"), typed_at(3, "id")};
  for (const ExecEvent& inner : {hidden, named}) {
    const auto commands =
        join_commands(lines, {kLoginShell, inner, exec_at(3 * kSecond + 500, 12, 11, "id", 0)});
    ASSERT_EQ(commands.size(), 3U);
    const bool shell = inner.argv == "foo";
    EXPECT_EQ(commands[2].known, shell ? KnownBy::kBoth : KnownBy::kScreen) << inner.argv;
    EXPECT_EQ(commands[1].execs.size(), shell ? 1U : 2U) << inner.argv;
  }
}

TEST(CommandList, AnExecSeenShortlyBeforeTheEchoOfEnterBelongsToIt) {
  const auto commands = join_commands({typed_at(1, "true; true"), typed_at(2, "ls")},
                                      {exec_at(2 * kSecond - 5000, 11, 10, "ls")});
  ASSERT_EQ(commands.size(), 2U);
  EXPECT_EQ(commands[0].known, KnownBy::kScreen);
  EXPECT_EQ(commands[1].known, KnownBy::kBoth);
}

TEST(CommandList, OnABusyHostTheEchoOfEnterIsLater) {
  std::vector<TypedLine> lines{typed_at(1, "true"), typed_at(2, "ls | cat")};
  lines[1].edited_us = 2 * kSecond - 150'000;
  const std::vector<ExecEvent> events{exec_at(2 * kSecond - 160'000, 11, 10, "ls", 1),  // a completion's
                                      exec_at(2 * kSecond - 140'000, 12, 10, "ls", 2),
                                      exec_at(2 * kSecond - 120'000, 13, 10, "cat")};
  const auto commands = join_commands(lines, events);
  ASSERT_EQ(commands.size(), 3U);
  EXPECT_TRUE(commands[1].helper);
  EXPECT_EQ(commands[2].text, "ls | cat");
  EXPECT_EQ(commands[2].execs.size(), 2U);
  EXPECT_EQ(commands[2].status, 0);
  // No host is so late: what ran long before was nobody's line.
  lines[1].edited_us = lines[1].ready_us;
  lines[1].entered_us = lines[1].edited_us + 2 * kSecond;
  EXPECT_EQ(join_commands(lines, events)[1].execs.size(), 1U);
}

TEST(CommandList, WhatRunsAtThePromptIsAHelper) {
  const auto commands = join_commands(
      {typed_at(1, "ls"), typed_at(2, "git status")},
      {exec_at(kSecond + 1, 11, 10, "ls"), exec_at(kSecond * 2 - kSecond / 4, 12, 10, "git --list-cmds=main"),
       exec_at(2 * kSecond + 1, 13, 10, "git status")});
  ASSERT_EQ(commands.size(), 3U);
  EXPECT_EQ(commands[1].text, "git --list-cmds=main");
  EXPECT_EQ(commands[1].known, KnownBy::kExec);
  EXPECT_TRUE(commands[1].helper);
  EXPECT_EQ(commands[2].execs.size(), 1U);
}

TEST(CommandList, APipelinesStatusIsItsLastCommands) {
  const std::int64_t t = kSecond;
  const auto status = [&](const char* text, const std::vector<ExecEvent>& events) {
    return join_commands({typed_at(1, text), typed_at(5, "true")}, events).front().status;
  };
  EXPECT_EQ(status("cat x | wc", {exec_at(t + 2, 12, 10, "wc", 0), exec_at(t + 3, 11, 10, "cat x", 1)}), 0);
  EXPECT_EQ(status("make && ls", {exec_at(t + 2, 12, 10, "make", 2)}), 2);
  EXPECT_EQ(status("ls; cd x", {exec_at(t + 2, 12, 10, "ls", 2)}), std::nullopt);
  EXPECT_EQ(status("ll", {exec_at(t + 2, 12, 10, "ls -l", 2)}), 2);
  EXPECT_EQ(status("for i in 1 2; do test.sh $i; done",
                   {exec_at(t + 2, 12, 10, "test.sh 1", 1), exec_at(t + 9, 13, 10, "test.sh 2", 4)}),
            4);
}

TEST(CommandList, ASignalIsAStatusAsTheShellSaysIt) {
  ExecEvent killed = exec_at(kSecond + 1, 11, 10, "sleep 100", -1);
  killed.signal = 9;
  const auto commands = join_commands({typed_at(1, "sleep 100")}, {killed});
  EXPECT_EQ(commands[0].status, 137);
  EXPECT_EQ(commands[0].signal, 9);
}

TEST(CommandList, AMarkIsBelievedOnlyWhereTheKernelDoesNotKnow) {
  TypedLine line = typed_at(1, "ls; (exit 3)");
  line.status = 3;
  EXPECT_EQ(join_commands({line}, {exec_at(kSecond + 1, 11, 10, "ls", 0)})[0].status, 3);
  TypedLine forged = typed_at(1, "sh -c 'printf \"\\033]133;D;0\\007\"; exit 5'");
  forged.status = 0;
  EXPECT_EQ(join_commands({forged}, {exec_at(kSecond + 1, 11, 10, "sh -c ...", 5)})[0].status, 5);
}

TEST(CommandList, AScriptsProcessesBelongToItsLineAlsoInTheBackground) {
  std::vector<ExecEvent> events{kLoginShell, exec_at(kSecond + 1, 11, 10, "bash ./job.sh", 0, 50 * kSecond)};
  for (int i = 0; i < 200; ++i) events.push_back(exec_at(kSecond + 10 + i * 100'000, 100 + i, 11, "date"));
  events.push_back(exec_at(5 * kSecond + 1, 12, 10, "ls"));
  const auto commands = join_commands({typed_at(1, "./job.sh &"), typed_at(5, "ls")}, events);
  ASSERT_EQ(commands.size(), 3U);
  EXPECT_EQ(commands[1].execs.size(), 201U);
  EXPECT_EQ(commands[2].execs.size(), 1U);
}

TEST(CommandList, AJobMayBeginBehindTheNextPrompt) {
  TypedLine next = typed_at(5, "wait"), last = typed_at(9, "ls");
  next.ready_us = kSecond + 1000;
  const auto of_first = [&](const char* line, const ExecEvent& event) {
    return join_commands({typed_at(1, line), next, last}, {kLoginShell, event})[1];
  };
  EXPECT_EQ(of_first("sleep 3 &", exec_at(kSecond + 2000, 11, 10, "sleep 3", 2)).status, 2);
  EXPECT_EQ(of_first("ll &", exec_at(kSecond + 2000, 11, 10, "ls -l", 2)).status, 2);
  EXPECT_EQ(of_first("./job.sh &", exec_at(3 * kSecond, 11, 10, "/bin/sh ./job.sh", 2)).status, 2);
  EXPECT_EQ(of_first("ll &", exec_at(3 * kSecond, 11, 10, "git branch", 2)).known, KnownBy::kScreen);
  EXPECT_EQ(of_first("echo 'a & b'", exec_at(kSecond + 2000, 11, 10, "git branch")).known, KnownBy::kScreen);
}

TEST(CommandList, WhatAShellRunsWhenItIsLeftAtItsPromptIsNoLines) {
  const std::vector<TypedLine> lines{typed_at(1, "ls"), typed_at(2, "echo hi")};
  const std::vector<ExecEvent> events{kLoginShell, exec_at(kSecond + 1, 11, 10, "ls"),
                                      exec_at(5 * kSecond, 12, 10, "/usr/bin/clear_console -q", 1)};
  const auto commands = join_commands(lines, events, 3 * kSecond);
  ASSERT_EQ(commands.size(), 4U);
  EXPECT_EQ(commands[2].text, "echo hi");
  EXPECT_EQ(commands[2].known, KnownBy::kScreen);
  EXPECT_EQ(commands[2].exe, "");
  EXPECT_EQ(commands[2].end_us, 3 * kSecond);
  EXPECT_TRUE(commands[3].helper);
  EXPECT_EQ(join_commands(lines, events)[2].known, KnownBy::kBoth)
      << "no prompt behind the last line: `exit`";
  // It can draw a prompt itself, and does not hide behind it what it names.
  const auto drawn = join_commands({typed_at(1, "read -e x; exec ./evil")},
                                   {kLoginShell, exec_at(5 * kSecond, 12, 10, "./evil")}, 3 * kSecond);
  ASSERT_EQ(drawn.size(), 2U);
  EXPECT_EQ(drawn[1].known, KnownBy::kBoth);
}

TEST(CommandList, AJobThatBeginsLateIsNotTheNextLines) {
  std::vector<TypedLine> lines{typed_at(1, "sleep 1 &"), typed_at(2, "jobs")};
  lines[1].ready_us = lines[1].edited_us = 2 * kSecond - 90'000;
  const auto commands = join_commands(lines, {exec_at(2 * kSecond - 60'000, 11, 10, "sleep 1")});
  ASSERT_EQ(commands.size(), 2U);
  EXPECT_EQ(commands[0].execs.size(), 1U);
  EXPECT_TRUE(commands[1].execs.empty());
}

TEST(CommandList, ALoopInTheBackgroundIsKnownByItsUnknownParent) {
  const auto commands = join_commands(
      {typed_at(1, "while sleep 1; do date; done &"), typed_at(5, "ls")},
      {kLoginShell, exec_at(kSecond + 1, 12, 11, "sleep 1"), exec_at(2 * kSecond, 13, 11, "date"),
       exec_at(5 * kSecond + 1, 14, 11, "sleep 1"), exec_at(5 * kSecond + 2, 15, 10, "ls")});
  ASSERT_EQ(commands.size(), 3U);
  EXPECT_EQ(commands[1].execs.size(), 3U);
  EXPECT_EQ(commands[2].execs.size(), 1U);
}

TEST(CommandList, LinesTypedIntoANestedShellAreTheirOwn) {
  const auto commands =
      join_commands({typed_at(1, "sudo -i"), typed_at(3, "id"), typed_at(5, "exit"), typed_at(6, "ls")},
                    {kLoginShell, exec_at(kSecond + 1, 11, 10, "sudo -i", 0, 5 * kSecond),
                     exec_at(kSecond + 9, 12, 11, "-bash", 0, 5 * kSecond),
                     exec_at(3 * kSecond + 1, 13, 12, "id"), exec_at(6 * kSecond + 1, 14, 10, "ls")});
  ASSERT_EQ(commands.size(), 5U);
  EXPECT_EQ(commands[1].execs.size(), 2U);
  EXPECT_EQ(commands[1].status, 0);
  EXPECT_EQ(commands[2].text, "id");
  EXPECT_EQ(commands[2].known, KnownBy::kBoth);
  EXPECT_EQ(commands[3].known, KnownBy::kScreen);
  EXPECT_EQ(commands[4].execs.size(), 1U);
}

TEST(CommandList, AProgramThatExecutesAnotherIsOneProcess) {
  const auto commands = join_commands({typed_at(1, "env ls")}, {exec_at(kSecond + 1, 11, 10, "env ls", 3),
                                                                exec_at(kSecond + 2, 11, 10, "ls", 3)});
  ASSERT_EQ(commands.size(), 1U);
  EXPECT_EQ(commands[0].execs.size(), 2U);
  EXPECT_EQ(commands[0].status, 3);
}

TEST(CommandList, WithoutATerminalEachProcessOfTheShellIsACommand) {
  const auto commands =
      join_commands({}, {exec_at(1, 10, 1, "bash -c make x", 2, kSecond), exec_at(5, 11, 10, "make x", 2)});
  ASSERT_EQ(commands.size(), 1U);
  EXPECT_EQ(commands[0].text, "bash -c make x");
  EXPECT_EQ(commands[0].known, KnownBy::kExec);
  EXPECT_FALSE(commands[0].helper);
  EXPECT_EQ(commands[0].status, 2);
  EXPECT_EQ(commands[0].execs.size(), 2U);
}

TEST(CommandList, AForgedPromptHidesNotTheCommandOfTheSession) {
  const auto commands =
      join_commands({typed_at(1, "forged")},
                    {exec_at(1, 10, 1, "bash -c make", 2, 2 * kSecond), exec_at(5, 11, 10, "make", 2)});
  ASSERT_EQ(commands.size(), 2U);
  EXPECT_EQ(commands[0].text, "bash -c make");
  EXPECT_FALSE(commands[0].helper);
  EXPECT_EQ(commands[0].status, 2);
  EXPECT_EQ(commands[0].execs.size(), 2U);
}

// Functions and the builtins of a module ran although nothing shows it.
TEST(CommandList, ALineThatControlCMayHaveLeftIsListedAsUncertain) {
  TypedLine module = typed_at(1, "zmodload zsh/files; rm -rf x"), function = typed_at(2, "wipe"),
            touch = typed_at(3, "touch x");
  module.maybe_abandoned = function.maybe_abandoned = touch.maybe_abandoned = true;
  const auto commands =
      join_commands({module, function, touch}, {exec_at(3 * kSecond + 1, 11, 10, "touch x")});
  ASSERT_EQ(commands.size(), 3U);
  EXPECT_EQ(commands[0].text, "zmodload zsh/files; rm -rf x");
  EXPECT_TRUE(commands[0].uncertain);
  EXPECT_EQ(commands[1].text, "wipe");
  EXPECT_TRUE(commands[1].uncertain);
  EXPECT_EQ(commands[1].number, 2U);
  EXPECT_EQ(commands[2].text, "touch x");
  EXPECT_FALSE(commands[2].uncertain);
  EXPECT_STREQ(known_by_text(commands[2].known), "both");
}

}  // namespace
}  // namespace opelog::replay
