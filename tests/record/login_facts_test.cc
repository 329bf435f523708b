#include "record/login_facts.h"

#include <gtest/gtest.h>

namespace opelog::record {
namespace {

constexpr const char* kSshd = "/usr/sbin/sshd";

// A login of alice whose ancestors, nearest first, have these pids and run these programs.
LoginLookup found_above(const std::vector<std::pair<std::int64_t, std::string>>& ancestors) {
  LoginLookup found;
  found.peer.pid = 4711;
  found.peer.uid = 1000;
  found.peer.gid = 64999;  // the shim's group, not hers
  found.shim_path = "/usr/bin/opelog-shell";
  found.process.loginuid = 1000;
  found.process.audit_session = 42;
  found.process.shim = {true, "a reason"};
  for (const auto& [pid, exe] : ancestors) {
    found.process.ancestry.push_back({pid, 0, exe});
    found.process.ancestor_exes.push_back(exe);
  }
  found.client = {"192.0.2.7", 50022, Address{1, 2, 3}, true};
  found.account = {1000, 1001, "alice", "/home/alice", "/bin/zsh", {"alice", "ops"}};
  return found;
}

Hello hello_of(std::uint32_t how, unsigned terminals) {
  Hello hello;
  hello.how = how;
  hello.terminals = terminals;
  return hello;
}

TEST(LoginFacts, InitIsWhereverPidOneStandsAboveTheLogin) {
  struct Row {
    const char* what;
    std::vector<std::pair<std::int64_t, std::string>> ancestors;
    int init_at;
  };
  const Row table[] = {
      {"nothing is known", {}, -1},
      {"started by init", {{1, "/sbin/init"}}, 0},
      {"a shell between", {{700, "/bin/sh"}, {1, "/sbin/init"}}, 1},
      {"sshd", {{900, kSshd}, {800, kSshd}, {1, "/usr/lib/systemd/systemd"}}, 2},
      {"cut off below init", {{900, kSshd}, {800, kSshd}}, -1},
      {"a program that is called so is not it", {{10, "/sbin/init"}}, -1},
  };
  for (const Row& row : table) {
    const auto facts = admission_facts(found_above(row.ancestors), hello_of(OPELOG_HOW_LOGIN, 7));
    EXPECT_EQ(facts.login.init_at, row.init_at) << row.what;
  }
}

TEST(LoginFacts, AQuestionCountsAsALoginAtATerminal) {
  struct Row {
    std::uint32_t how;
    unsigned terminals;
    bool terminal;
  };
  const Row table[] = {
      {OPELOG_HOW_LOGIN, 7, true},   {OPELOG_HOW_LOGIN, 1, true},    {OPELOG_HOW_LOGIN, 0, false},
      {OPELOG_HOW_COMMAND, 5, true}, {OPELOG_HOW_COMMAND, 0, false}, {OPELOG_HOW_FORCE, 0, false},
      {OPELOG_HOW_HOOK, 0, false},   {OPELOG_HOW_REC, 0, false},     {OPELOG_HOW_QUERY, 0, true},
  };
  for (const Row& row : table) {
    const auto facts = admission_facts(found_above({}), hello_of(row.how, row.terminals));
    EXPECT_EQ(facts.how, static_cast<opelog_how>(row.how));
    EXPECT_EQ(facts.login.terminal, row.terminal) << how_word(row.how) << " " << row.terminals;
  }
}

TEST(LoginFacts, ThePolicyDecidesByWhatTheKernelAndTheNameServiceSay) {
  const auto facts = admission_facts(found_above({{900, kSshd}}), hello_of(OPELOG_HOW_LOGIN, 7));
  EXPECT_EQ(facts.login.uid, 1000u);
  EXPECT_EQ(facts.login.user, "alice");
  EXPECT_EQ(facts.login.groups, (std::vector<std::string>{"alice", "ops"}));
  EXPECT_EQ(facts.login.ancestor_exes, std::vector<std::string>{kSshd});
  EXPECT_EQ(facts.login.client, (Address{1, 2, 3}));
  EXPECT_TRUE(facts.shim_proven);
  EXPECT_EQ(facts.shim_reason, "a reason");
  EXPECT_EQ(facts.passwd_shell, "/bin/zsh");
  EXPECT_EQ(facts.shim_path, "/usr/bin/opelog-shell");
  EXPECT_FALSE(facts.enrolled_shell);
}

TEST(LoginFacts, BesideATerminalIsWhatSshdStartsWithoutOneWhileThereIsOne) {
  struct Row {
    const char* what;
    std::vector<std::pair<std::int64_t, std::string>> ancestors;
    const char* tty;
    unsigned terminals;
    bool beside;
  };
  const Row table[] = {
      {"sshd directly above", {{900, kSshd}}, "/dev/pts/3", 0, true},
      {"the sh between that sshd starts for rc", {{901, "/bin/sh"}, {900, kSshd}}, "/dev/pts/3", 0, true},
      {"sshd as it is called from 9.8 on", {{900, "/usr/lib/openssh/sshd-session"}}, "/dev/pts/3", 0, true},
      {"two between: a program of the user's, in a session or not",
       {{902, "/usr/bin/make"}, {901, "/bin/sh"}, {900, kSshd}},
       "/dev/pts/3",
       0,
       false},
      {"the login itself, with the terminal", {{900, kSshd}}, "/dev/pts/3", 7, false},
      {"with the terminal as its input alone", {{900, kSshd}}, "/dev/pts/3", 1, false},
      {"a command: no terminal anywhere", {{900, kSshd}}, "", 0, false},
      {"not below sshd", {{901, "/bin/sh"}, {800, "/usr/bin/su"}}, "/dev/pts/3", 0, false},
      {"nothing is known of what is above", {}, "/dev/pts/3", 0, false},
  };
  for (const Row& row : table) {
    auto found = found_above(row.ancestors);
    found.process.tty = row.tty;
    EXPECT_EQ(beside_a_terminal(found, hello_of(OPELOG_HOW_COMMAND, row.terminals)), row.beside) << row.what;
  }
}

TEST(LoginFacts, TheHeaderSaysWhoFromWhereAndHow) {
  auto hello = hello_of(OPELOG_HOW_FORCE, 0);
  hello.command = hello.original = "ls";
  const auto info =
      session_info(found_above({{900, kSshd}, {1, "/sbin/init"}}), hello, {"web1", "hid", "bid"});
  EXPECT_EQ(info.host + " " + info.host_id + " " + info.boot_id, "web1 hid bid");
  EXPECT_EQ(info.user, "alice");
  EXPECT_EQ(info.uid, 1000u);
  EXPECT_EQ(info.gid, 1001u);  // the account's: the socket's is the shim's group
  EXPECT_EQ(info.loginuid, 1000u);
  EXPECT_EQ(info.audit_session, 42u);
  EXPECT_EQ(info.shim_pid, 4711);
  EXPECT_EQ(info.client, "192.0.2.7");
  EXPECT_EQ(info.client_port, 50022);
  EXPECT_TRUE(info.client_claimed);
  ASSERT_EQ(info.ancestry.size(), 2u);
  EXPECT_EQ(info.ancestry[0].exe, kSshd);
  EXPECT_EQ(info.how, "force");
  EXPECT_EQ(info.command, "ls");
  EXPECT_EQ(info.original, "ls");
}

// One that is taken is named when it is opened.
TEST(LoginFacts, ATerminalThatStaysTheUsersIsNamedByTheKernel) {
  auto found = found_above({});
  found.process.tty = "/dev/pts/3";
  EXPECT_EQ(session_info(found, hello_of(OPELOG_HOW_REC, 5), {}).tty, "/dev/pts/3");
  EXPECT_EQ(session_info(found, hello_of(OPELOG_HOW_REC, 0), {}).tty, "");
  EXPECT_EQ(session_info(found, hello_of(OPELOG_HOW_LOGIN, 7), {}).tty, "");
}

TEST(LoginFacts, WhatIsLeftToTheShellIsInTheHeaderAndTerminalsAmongTheOutputsAreNamed) {
  using format::Kept;
  struct Row {
    std::array<std::uint8_t, 3> streams;
    std::array<Kept, 3> kept;
    const char* terminals;
  };
  const Row table[] = {
      {{OPELOG_STREAM_SOCKET, OPELOG_STREAM_AS_0, OPELOG_STREAM_PIPE}, {}, ""},
      {{OPELOG_STREAM_PIPE, OPELOG_STREAM_PIPE, OPELOG_STREAM_AS_1}, {}, ""},
      {{OPELOG_STREAM_NONE, OPELOG_STREAM_NONE, OPELOG_STREAM_NONE}, {}, ""},
      {{OPELOG_STREAM_KEPT_FILE, OPELOG_STREAM_KEPT_DEVICE, OPELOG_STREAM_KEPT_OTHER},
       {Kept::kFile, Kept::kDevice, Kept::kOther},
       ""},
      {{OPELOG_STREAM_KEPT_TERMINAL, OPELOG_STREAM_PIPE, OPELOG_STREAM_PIPE}, {Kept::kTerminal}, ""},
      {{OPELOG_STREAM_KEPT_DEVICE, OPELOG_STREAM_KEPT_TERMINAL, OPELOG_STREAM_KEPT_TERMINAL},
       {Kept::kDevice, Kept::kTerminal, Kept::kTerminal},
       "stdout and stderr"},
      {{OPELOG_STREAM_NONE, OPELOG_STREAM_NONE, OPELOG_STREAM_KEPT_TERMINAL},
       {Kept::kNot, Kept::kNot, Kept::kTerminal},
       "stderr"},
  };
  for (const Row& row : table) {
    auto hello = hello_of(OPELOG_HOW_COMMAND, 0);
    hello.streams = row.streams;
    const auto info = session_info(found_above({}), hello, {});
    EXPECT_EQ(info.kept, row.kept) << row.terminals;
    EXPECT_EQ(unrecorded_terminals(info), row.terminals);
  }
}

TEST(LoginFacts, EachWayToStartHasTheWordOfTheFormat) {
  const std::pair<std::uint32_t, const char*> table[] = {
      {OPELOG_HOW_LOGIN, "login"}, {OPELOG_HOW_COMMAND, "command"}, {OPELOG_HOW_FORCE, "force"},
      {OPELOG_HOW_HOOK, "hook"},   {OPELOG_HOW_REC, "rec"},         {OPELOG_HOW_QUERY, "query"}};
  for (const auto& [how, word] : table) EXPECT_STREQ(how_word(how), word);
}

}  // namespace
}  // namespace opelog::record
