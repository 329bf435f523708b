// PASS and REFUSE: the login goes on as if opelog were not there, or it does not go on.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <sstream>

#include "sandbox.h"

namespace {

using List = std::vector<std::string>;

std::string run(Start start) {
  Pipe out;
  start.descriptors[1] = out.write_end.get();
  Child child(start);
  std::string text = out.all();
  EXPECT_EQ(child.wait(), 0) << text;
  return text;
}

std::string run_passed(Sandbox& sandbox, Start start, const VerdictSpec& spec = {}) {
  Pipe out;
  start.descriptors[1] = out.write_end.get();
  Child child(start);
  Talk talk = sandbox.accept();
  (void)talk.greeting();
  talk.send(verdict(spec));
  std::string text = out.all();
  EXPECT_EQ(child.wait(), 0) << text;
  EXPECT_EQ(talk.packet(), "") << "PASS ends the talk";
  return text;
}

// Pipes have other inodes in two runs; everything else must be equal.
std::string without_stdout(const std::string& text) {
  std::istringstream in(text);
  std::string result;
  for (std::string line; std::getline(in, line);)
    if (line.rfind("fd 1 ", 0) != 0) result += line + "\n";
  return result;
}

Start odd_start() {
  Start start;
  start.environment = {"PATH=/usr/bin:/bin",
                       "TMPDIR=/x",
                       "LD_LIBRARY_PATH=/nowhere",
                       "LD_DEBUG=none-such",
                       "MALLOC_CHECK_=0",
                       "GLIBC_TUNABLES=glibc.malloc.check=0",
                       "LOCPATH=/y",
                       "A=1",
                       "A=2",
                       "",
                       "no-equals",
                       "OPELOG_SESSION=mine",
                       "OPELOG_HOOK=1",
                       "LC_ALL=xx_XX",
                       "TERM=a\nb",
                       "SSH_CONNECTION=../../x",
                       "NLSPATH=/z",
                       "TZDIR=/t"};
  start.groups = {60001, 60002};
  start.before_exec = [] {
    ::signal(SIGCHLD, SIG_IGN);
    ::signal(SIGHUP, SIG_IGN);
    ::signal(SIGUSR1, SIG_IGN);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigaddset(&set, SIGWINCH);
    sigprocmask(SIG_SETMASK, &set, nullptr);
    const std::uint64_t of_libcs =
        7ULL << 31U;  // 32 to 34: a libc hides them from its callers, but they can be blocked
    ::syscall(SYS_rt_sigprocmask, SIG_BLOCK, &of_libcs, nullptr, sizeof of_libcs);
    rlimit limit{100, 200};
    setrlimit(RLIMIT_NOFILE, &limit);
    limit = {0, 0};
    setrlimit(RLIMIT_CORE, &limit);
    (void)!::nice(3);
    ::dup2(::open("/dev/zero", O_RDONLY), 9);
    ::close(3);
  };
  return start;
}

TEST(Pass, TheRealShellFindsEverythingAsWithoutOpelog) {
  Sandbox sandbox;
  sandbox.listen();
  Start direct = odd_start();
  direct.program = kProbe;
  direct.arguments = {"-probe"};
  Start shim = odd_start();
  shim.arguments = {"-opelog-shell"};
  const std::string expected = without_stdout(run(direct));
  ASSERT_NE(expected.find("env TMPDIR=/x\n"), std::string::npos);
  ASSERT_NE(expected.find("fd 9 "), std::string::npos);
  EXPECT_EQ(without_stdout(run_passed(sandbox, shim)), expected);
}

TEST(Pass, DefaultDispositionsStayDefault) {
  Sandbox sandbox;
  sandbox.listen();
  Start shim;
  shim.arguments = {"-opelog-shell"};
  EXPECT_EQ(run_passed(sandbox, shim).find("signal "), std::string::npos);
}

TEST(Pass, CommandsAndTheirArgumentsArriveUnchanged) {
  Sandbox sandbox;
  sandbox.listen();
  const List tables[] = {
      {"opelog-shell", "-c", "scp -t ."},
      {"opelog-shell", "-c", "a 'b' \"c\" $d `e` \\ \n\xff;*"},
      {"opelog-shell", "-c", ""},
      {"opelog-shell", "-c", "cmd", "zero", "", "two words"},
      {"-su", "-c", "cmd"},
      {"opelog-shell", "-lc", "cmd"},
      {"opelog-shell", "-l", "-c", "cmd"},
      {"opelog-shell", "-c", std::string(120 * 1024, 'x')},
      {"opelog-shell", "-c", std::string(OPELOG_MAX_COMMAND - 1, 'y')},
  };
  for (const List& arguments : tables) {
    Start direct;
    direct.program = kProbe;
    direct.arguments = arguments;
    direct.arguments[0] = arguments[0][0] == '-' ? "-probe" : "probe";
    Start shim;
    shim.arguments = arguments;
    EXPECT_TRUE(without_stdout(run_passed(sandbox, shim)) == without_stdout(run(direct)))
        << arguments[1] << " " << arguments[2].substr(0, 80);
  }
}

TEST(Pass, TheDaemonIsToldTheCommand) {
  Sandbox sandbox;
  sandbox.listen();
  const std::string command = std::string(120 * 1024, 'x') + " 'q'";
  Start start;
  start.arguments = {"opelog-shell", "-c", command, "zero", "one two"};
  start.environment = {"TERM=xterm", "SSH_CONNECTION=1.2.3.4 5 6.7.8.9 22", "SSH_ORIGINAL_COMMAND=orig"};
  Child child(start);
  Talk talk = sandbox.accept();
  const Greeting greeting = talk.greeting();
  EXPECT_EQ(greeting.head.how, static_cast<std::uint32_t>(OPELOG_HOW_COMMAND));
  EXPECT_TRUE(greeting.command == command + " zero 'one two'");
  EXPECT_EQ(greeting.original, "orig");
  EXPECT_EQ(greeting.term, "xterm");
  EXPECT_EQ(greeting.claim, "1.2.3.4 5 6.7.8.9 22");
  EXPECT_TRUE(greeting.descriptors.empty()) << "a descriptor of the user's went to the daemon";
  EXPECT_EQ(greeting.pid, child.pid());
}

TEST(Pass, ForceRunsTheOriginalCommandOrALoginShell) {
  Sandbox sandbox;
  sandbox.listen();
  Start start;
  start.arguments = {"opelog-shell", "--force"};
  EXPECT_NE(run_passed(sandbox, start).find("arg 6 -probe\nenv "), std::string::npos);
  start.environment = {"SSH_ORIGINAL_COMMAND=ls -l"};
  EXPECT_EQ(run_passed(sandbox, start)
                .rfind("arg 5 probe\narg 2 -c\narg 5 ls -l\nenv SSH_ORIGINAL_COMMAND=ls -l\n", 0),
            0U);
}

TEST(Pass, AShellVariableThatLeadsBackToUsIsReplaced) {
  Sandbox sandbox;
  sandbox.listen();
  ASSERT_EQ(::link(kShell, "/mnt/opelog/other-name"), 0);
  for (const std::string& value : {std::string(kShell), std::string("/mnt/opelog/other-name")}) {
    Start start;
    start.arguments = {"-opelog-shell"};
    start.environment = {"X=1", "SHELL=" + value, "Y=2"};
    EXPECT_NE(run_passed(sandbox, start).find("env X=1\nenv SHELL=/mnt/opelog/probe\nenv Y=2\n"),
              std::string::npos);
  }
  Start start;
  start.arguments = {"-opelog-shell"};
  start.environment = {"SHELL=/bin/zsh"};
  EXPECT_NE(run_passed(sandbox, start).find("env SHELL=/bin/zsh\n"), std::string::npos);
}

TEST(Pass, ExitStatusAndSignalAreTheShellsOwn) {
  Sandbox sandbox;
  sandbox.listen();
  for (const auto& [value, check] : std::vector<std::pair<std::string, std::function<bool(int)>>>{
           {"0", [](int s) { return WIFEXITED(s) && WEXITSTATUS(s) == 0; }},
           {"37", [](int s) { return WIFEXITED(s) && WEXITSTATUS(s) == 37; }},
           {"s9", [](int s) { return WIFSIGNALED(s) && WTERMSIG(s) == 9; }},
           {"s15", [](int s) { return WIFSIGNALED(s) && WTERMSIG(s) == 15; }}}) {
    Start start;
    start.arguments = {"-opelog-shell"};
    start.environment = {"PROBE_EXIT=" + value};
    Child child(start);
    Talk talk = sandbox.accept();
    (void)talk.greeting();
    talk.send(verdict({}));
    EXPECT_TRUE(check(child.wait())) << value;
  }
}

TEST(Pass, AMissingShellIsSaidAndExits127) {
  Sandbox sandbox;
  sandbox.listen();
  Pipe err;
  Start start;
  start.arguments = {"-opelog-shell"};
  start.descriptors[2] = err.write_end.get();
  Child child(start);
  Talk talk = sandbox.accept();
  (void)talk.greeting();
  VerdictSpec spec;
  spec.shell = "/mnt/none";
  talk.send(verdict(spec));
  EXPECT_EQ(err.all(), "opelog: /mnt/none: No such file or directory\n");
  EXPECT_EQ(WEXITSTATUS(child.wait()), OPELOG_EXIT_NOT_FOUND);
}

TEST(Pass, TheShimAsItsOwnRealShellIsRefused) {
  Sandbox sandbox;
  sandbox.listen();
  Start start;
  start.arguments = {"-opelog-shell"};
  Child child(start);
  Talk talk = sandbox.accept();
  (void)talk.greeting();
  VerdictSpec spec;
  spec.shell = kShell;
  talk.send(verdict(spec));
  EXPECT_EQ(WEXITSTATUS(child.wait()), OPELOG_EXIT_EXEC);
}

TEST(Refuse, TheReasonIsShownSafelyAndTheCodeIsTheDaemons) {
  Sandbox sandbox;
  sandbox.listen();
  Pipe out;
  Pipe err;
  Start start;
  start.arguments = {"-opelog-shell"};
  start.descriptors[1] = out.write_end.get();
  start.descriptors[2] = err.write_end.get();
  Child child(start);
  Talk talk = sandbox.accept();
  (void)talk.greeting();
  VerdictSpec spec;
  spec.action = OPELOG_REFUSE;
  spec.exit_code = 42;
  spec.message = "no\x1b]0;title\x07 way";
  spec.shell = "";
  talk.send(verdict(spec));
  EXPECT_EQ(err.all(), "no?]0;title? way\n");
  EXPECT_EQ(out.all(), "");
  EXPECT_EQ(WEXITSTATUS(child.wait()), 42);
}

TEST(Refuse, WithoutACodeItIs77) {
  Sandbox sandbox;
  sandbox.listen();
  Start start;
  start.arguments = {"-opelog-shell"};
  Child child(start);
  Talk talk = sandbox.accept();
  (void)talk.greeting();
  VerdictSpec spec;
  spec.action = OPELOG_REFUSE;
  talk.send(verdict(spec));
  EXPECT_EQ(WEXITSTATUS(child.wait()), OPELOG_EXIT_REFUSED);
}

// A daemon that has too many logins waiting says so without reading; the shim must hear it, not fall back.
TEST(Refuse, IsHeardEvenFromADaemonThatDoesNotRead) {
  Sandbox sandbox;
  sandbox.listen();
  sandbox.write_fallback("absent pass\nuid 0 4294967295 refuse\n");
  for (int i = 0; i < 20; ++i) {
    Start start;
    start.arguments = {"-opelog-shell"};
    Child child(start);
    Talk talk = sandbox.accept();
    VerdictSpec spec;
    spec.action = OPELOG_REFUSE;
    talk.send(verdict(spec));
    talk.close();
    EXPECT_EQ(WEXITSTATUS(child.wait()), OPELOG_EXIT_REFUSED);
  }
}

TEST(Query, AnswersByItsExitStatusAndRunsNothing) {
  Sandbox sandbox;
  sandbox.listen();
  for (const unsigned recorded : {0U, 1U}) {
    Start start;
    start.arguments = {"opelog-shell", "--query"};
    Child child(start);
    Talk talk = sandbox.accept();
    const Greeting greeting = talk.greeting();
    EXPECT_EQ(greeting.head.how, static_cast<std::uint32_t>(OPELOG_HOW_QUERY));
    EXPECT_TRUE(greeting.descriptors.empty());
    VerdictSpec spec;
    spec.recorded = recorded;
    talk.send(verdict(spec));
    EXPECT_EQ(WEXITSTATUS(child.wait()), recorded == 1 ? 0 : 1);
  }
}

TEST(Usage, IsSaidWithoutAskingAnybody) {
  Sandbox sandbox;
  sandbox.listen();
  Start start;
  start.arguments = {"opelog-shell", "-x"};
  EXPECT_EQ(WEXITSTATUS(Child(start).wait()), OPELOG_EXIT_USAGE);
  start.arguments = {"opelog-shell", "--help"};
  EXPECT_EQ(run(start).rfind("usage: opelog-shell", 0), 0U);
  start.arguments = {"opelog-shell", "--version"};
  EXPECT_EQ(run(start), "opelog-shell " OPELOG_VERSION "\n");
  EXPECT_FALSE(sandbox.somebody_waits());
}

}  // namespace
