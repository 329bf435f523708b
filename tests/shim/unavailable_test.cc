// No daemon, or none that makes sense: the fallback file decides, and passing is never silent.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "sandbox.h"

namespace {

struct Outcome {
  int code;
  std::string out, err;
};

// Whether the probe ran as the shell.
bool ran(const Outcome& o) {
  return o.out.rfind("arg ", 0) == 0;
}
bool said(const Outcome& o, const char* text) {
  return o.err.find(text) != std::string::npos;
}

Outcome run_without_daemon(Start start, const std::function<void()>& meanwhile = {}) {
  Pipe out;
  Pipe err;
  if (start.arguments.empty()) start.arguments = {"-opelog-shell"};
  start.descriptors[1] = out.write_end.get();
  start.descriptors[2] = err.write_end.get();
  Child child(start);
  if (meanwhile) meanwhile();
  Outcome o;
  o.out = out.all();
  o.err = err.all();
  const int status = child.wait();
  o.code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  if (testing::Test::HasFailure()) ADD_FAILURE() << "the shim left with " << o.code << " and said: " << o.err;
  return o;
}

const char* const kProbeLine = "shell 54321 /mnt/opelog/probe\nshell 0 /mnt/opelog/probe\n";

TEST(Absent, ATargetIsRefusedWithAReason) {
  Sandbox sandbox;
  sandbox.write_fallback(std::string("absent refuse\n") + kProbeLine + "uid 54321 54321 refuse\n");
  const Outcome o = run_without_daemon({});
  EXPECT_FALSE(ran(o));
  EXPECT_EQ(o.code, OPELOG_EXIT_UNAVAILABLE);
  EXPECT_EQ(o.err,
            "opelog: session recording is not available; this login is refused (try again in a moment, or "
            "tell the administrator)\n");
}

TEST(Absent, WhoIsNoTargetPassesWithoutAWord) {
  Sandbox sandbox;
  sandbox.write_fallback(std::string("absent refuse\n") + kProbeLine + "uid 1000 1000 refuse\n");
  const Outcome o = run_without_daemon({});
  EXPECT_TRUE(ran(o));
  EXPECT_EQ(o.err, "");
  EXPECT_NE(o.out.find("gid 54321 54321 54321\n"), std::string::npos);
}

TEST(Absent, APolicyThatLetsTargetsPassIsSaidAloud) {
  Sandbox sandbox;
  sandbox.write_fallback(std::string("absent pass\n") + kProbeLine + "uid 54321 54321 refuse\n");
  const Outcome o = run_without_daemon({});
  EXPECT_TRUE(ran(o));
  EXPECT_TRUE(said(o, "NOT recorded"));
}

TEST(Absent, BreakGlassMembersPassAndAreTold) {
  Sandbox sandbox;
  sandbox.write_fallback(std::string("absent refuse\nbreakglass 60077\n") + kProbeLine +
                         "uid 0 4294967295 refuse\n");
  Start start;
  start.groups = {60077};
  const Outcome o = run_without_daemon(start);
  EXPECT_TRUE(ran(o));
  EXPECT_TRUE(said(o, "break-glass"));
  EXPECT_FALSE(ran(run_without_daemon({})));
}

// The group we run with by setgid says nothing about the person.
TEST(Absent, OurOwnGroupIsNoMembership) {
  Sandbox sandbox;
  sandbox.write_fallback("absent refuse\nbreakglass " + std::to_string(kOpelogGroup) + "\n" + kProbeLine +
                         "uid 0 4294967295 refuse\n");
  EXPECT_FALSE(ran(run_without_daemon({})));
  Start start;
  start.groups = {kOpelogGroup};
  EXPECT_TRUE(ran(run_without_daemon(start)));
}

TEST(Absent, AFileThatCannotBeTrustedRefusesAllButRoot) {
  const struct {
    const char* why;
    std::function<void(Sandbox&)> prepare;
  } rows[] = {
      {"missing", [](Sandbox&) {}},
      {"of the user", [](Sandbox& s) { s.write_fallback("absent pass\n", 0640, kUser); }},
      {"writable by the group", [](Sandbox& s) { s.write_fallback("absent pass\n", 0660); }},
      {"writable by all", [](Sandbox& s) { s.write_fallback("absent pass\n", 0642); }},
      {"malformed", [](Sandbox& s) { s.write_fallback("absent perhaps\n"); }},
      {"a link",
       [](Sandbox& s) {
         s.write_fallback("absent pass\n");
         ASSERT_EQ(::rename(kFallback, "/mnt/opelog/elsewhere"), 0);
         ASSERT_EQ(::symlink("/mnt/opelog/elsewhere", kFallback), 0);
       }},
      {"a FIFO", [](Sandbox&) { ASSERT_EQ(::mkfifo(kFallback, 0640), 0); }},
      {"too large",
       [](Sandbox& s) {
         s.write_fallback("absent pass\n");
         ASSERT_EQ(::truncate(kFallback, (1 << 20) + 1), 0);
       }},
  };
  for (const auto& row : rows) {
    Sandbox sandbox;
    row.prepare(sandbox);
    const Outcome user = run_without_daemon({});
    EXPECT_EQ(user.code, OPELOG_EXIT_UNAVAILABLE) << row.why;
    EXPECT_EQ(user.out, "") << row.why;
    Start root;
    root.uid = 0;
    root.gid = 0;
    root.arguments = {"opelog-shell", "-c", "echo root is in"};
    const Outcome o = run_without_daemon(root);
    EXPECT_EQ(o.out, "root is in\n") << row.why << o.err;
    EXPECT_TRUE(said(o, "NOT recorded")) << row.why;
  }
}

TEST(Absent, TheRealShellComesFromPasswdUnlessThatIsUs) {
  const struct {
    const char* shell;
    bool runs;
  } rows[] = {{"/mnt/opelog/probe", true},
              {"/mnt/opelog/opelog-shell", false},
              {"/mnt/opelog/alias", false},
              {"relative", false}};
  for (const auto& row : rows) {
    Sandbox sandbox;
    sandbox.write_fallback("absent refuse\n");
    ASSERT_EQ(::symlink(kShell, "/mnt/opelog/alias"), 0);
    write_text("/mnt/opelog/passwd",
               "root:x:0:0::/:/bin/sh\nsomebody:x:54321:54321::/:" + std::string(row.shell) + "\n", 0644);
    ASSERT_EQ(::mount("/mnt/opelog/passwd", "/etc/passwd", nullptr, MS_BIND, nullptr), 0);
    const Outcome o = run_without_daemon({});
    EXPECT_EQ(::umount2("/etc/passwd", MNT_DETACH), 0);
    EXPECT_EQ(ran(o), row.runs) << row.shell << o.err;
    EXPECT_TRUE(row.runs || o.code == OPELOG_EXIT_UNAVAILABLE) << row.shell;
  }
}

// The host's log reader may be stuck; a login must not wait for it.
TEST(Absent, ItIsLoggedButNobodyWaitsForTheLog) {
  Sandbox sandbox;
  sandbox.write_fallback(std::string("absent pass\n") + kProbeLine + "uid 54321 54321 refuse\n");
  ASSERT_EQ(::mount("opelog-test", "/dev", "tmpfs", 0, "mode=0755"), 0);
  ASSERT_EQ(::mknod("/dev/null", S_IFCHR | 0666, makedev(1, 3)), 0);
  Hold log(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, "/dev/log");
  ASSERT_EQ(::bind(log.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::chmod("/dev/log", 0666), 0);
  EXPECT_TRUE(ran(run_without_daemon({})));
  char line[512] = "";
  ASSERT_GT(::recv(log.get(), line, sizeof line - 1, MSG_DONTWAIT), 0);
  EXPECT_EQ(std::string(line).rfind("<36>", 0), 0U) << line;
  EXPECT_NE(std::string(line).find(": daemon not available: login of uid 54321 passes UNRECORDED"),
            std::string::npos)
      << line;
  Hold filler(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  while (::sendto(filler.get(), "x", 1, 0, reinterpret_cast<sockaddr*>(&address), sizeof address) == 1) {
  }
  EXPECT_TRUE(ran(run_without_daemon({})));
  EXPECT_EQ(::umount2("/dev", MNT_DETACH), 0);
}

TEST(Absent, ARecordingAtOnesOwnWishIsNotPretended) {
  Sandbox sandbox;
  sandbox.write_fallback("absent pass\n");
  Start start;
  start.arguments = {"opelog-shell", "--rec", "--", "echo", "ran"};
  const Outcome o = run_without_daemon(start);
  EXPECT_EQ(o.out, "");
  EXPECT_EQ(o.code, OPELOG_EXIT_UNAVAILABLE);
}

TEST(Absent, QueryAnswersByTheFallback) {
  const struct {
    const char* lines;
    int code;
    bool warned;
  } rows[] = {{"absent refuse\nuid 54321 54321 refuse\n", 0, false},
              {"absent refuse\n", 1, false},
              {"absent pass\nuid 54321 54321 refuse\n", 1, true},
              {"nonsense\n", 0, false}};
  for (const auto& row : rows) {
    Sandbox sandbox;
    sandbox.write_fallback(row.lines);
    Start start;
    start.arguments = {"opelog-shell", "--query"};
    const Outcome o = run_without_daemon(start);
    EXPECT_EQ(o.code, row.code) << row.lines;
    EXPECT_EQ(said(o, "NOT recorded"), row.warned) << row.lines;
  }
}

TEST(Garbage, AVerdictThatMakesNoSenseIsNoVerdict) {
  VerdictSpec good;
  const std::string pass = verdict(good);
  VerdictSpec terminal;
  terminal.action = OPELOG_RECORD_TERMINAL;
  Hold null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  const int n = null.get();
  std::string other_magic = pass;
  other_magic[0] = 'X';
  const struct {
    const char* why;
    std::string packet;
    std::vector<int> descriptors;
  } rows[] = {
      {"one byte", "x", {}},
      {"a packet longer than any", std::string(20000, 'x'), {}},
      {"cut", pass.substr(0, pass.size() - 1), {}},
      {"another protocol", other_magic, {}},
      {"PASS with a descriptor", pass, {n}},
      {"terminal without descriptors", verdict(terminal), {}},
      {"terminal with three", verdict(terminal), {n, n, n}},
      {"terminal with nine", verdict(terminal), {n, n, n, n, n, n, n, n, n}},
      {"terminal with sixteen", verdict(terminal), std::vector<int>(16, n)},
  };
  for (const auto& row : rows) {
    for (const bool lenient : {false, true}) {
      Sandbox sandbox;
      sandbox.listen();
      sandbox.write_fallback(std::string(lenient ? "absent pass\n" : "absent refuse\n") + kProbeLine +
                             "uid 54321 54321 refuse\n");
      const Outcome o = run_without_daemon({}, [&] {
        Talk talk = sandbox.accept();
        (void)talk.greeting();
        talk.send(row.packet, row.descriptors);
        EXPECT_EQ(talk.packet(), "") << "the shim hangs up";
      });
      EXPECT_EQ(ran(o), lenient) << row.why;
      EXPECT_TRUE(lenient || o.code == OPELOG_EXIT_UNAVAILABLE) << row.why;
      for (int fd = 3; fd < 24; ++fd)
        EXPECT_EQ(o.out.find("fd " + std::to_string(fd) + " "), std::string::npos)
            << row.why << ": a descriptor leaked";
    }
  }
}

// ---- A daemon that dies before it answers

const char* const kLenient = "absent pass\nuid 54321 54321 refuse\n";

bool sleeps(pid_t pid) {
  const long call = std::atol(read_text("/proc/" + std::to_string(pid) + "/syscall").c_str());
  return call == SYS_clock_nanosleep || call == SYS_nanosleep;
}

TEST(Restart, TheNextDaemonIsAskedAnewAndInFull) {
  for (const bool reads : {true, false}) {
    Sandbox sandbox;
    sandbox.listen();
    sandbox.write_fallback(std::string(kLenient) + kProbeLine);
    Pty pty;
    Start start;
    start.terminal = true;
    start.descriptors[0] = pty.slave.get();
    start.environment.push_back("TERM=xterm");
    termios before{};
    ASSERT_EQ(::tcgetattr(pty.slave.get(), &before), 0);
    const Outcome o = run_without_daemon(start, [&] {
      for (int i = 0; i < 3; ++i) {
        Talk dies = sandbox.accept();
        if (reads) (void)dies.greeting();
        termios raw = before;  // as a daemon that is killed with the terminal in its hands leaves it
        ::cfmakeraw(&raw);
        EXPECT_EQ(::tcsetattr(pty.slave.get(), TCSANOW, &raw), 0);
      }
      Talk talk = sandbox.accept();
      termios now{};
      EXPECT_EQ(::tcgetattr(pty.slave.get(), &now), 0);
      EXPECT_EQ(now.c_lflag, before.c_lflag);
      EXPECT_EQ(now.c_oflag, before.c_oflag);
      const Greeting greeting = talk.greeting();
      EXPECT_EQ(greeting.term, "xterm");
      EXPECT_EQ(greeting.head.terminals & 1U, 1U);
      struct stat sent {
      }, ours{};
      ASSERT_EQ(greeting.descriptors.size(), 1U);
      ASSERT_EQ(::fstat(greeting.descriptors[0].get(), &sent), 0);
      ASSERT_EQ(::fstat(pty.slave.get(), &ours), 0);
      EXPECT_EQ(sent.st_rdev, ours.st_rdev);
      VerdictSpec refuse;
      refuse.action = OPELOG_REFUSE;
      refuse.exit_code = 5;
      refuse.message = "from the next one";
      talk.send(verdict(refuse));
    });
    EXPECT_EQ(o.code, 5) << reads;
    EXPECT_TRUE(said(o, "from the next one")) << o.err;
  }
}

TEST(Restart, NobodyListensYet) {
  Sandbox sandbox;
  sandbox.listen();
  sandbox.write_fallback(std::string(kLenient) + kProbeLine);
  sandbox.stop_listening();
  Start start;
  start.arguments = {"-opelog-shell"};
  Child child(start);
  ASSERT_TRUE(eventually([&] { return sleeps(child.pid()); }));
  ASSERT_EQ(::unlink(kSocket), 0);
  sandbox.listen();
  Talk talk = sandbox.accept();
  (void)talk.greeting();
  VerdictSpec refuse;
  refuse.action = OPELOG_REFUSE;
  refuse.exit_code = 5;
  talk.send(verdict(refuse));
  const int status = child.wait();
  EXPECT_EQ(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 5);
}

TEST(Restart, WithoutASocketNobodyWaits) {
  Sandbox sandbox;
  sandbox.listen();
  sandbox.write_fallback(std::string("absent refuse\n") + kProbeLine + "uid 54321 54321 refuse\n");
  const Outcome o = run_without_daemon({}, [&] {
    Talk talk = sandbox.accept();
    (void)talk.greeting();
    ASSERT_EQ(::unlink(kSocket), 0);
    talk.close();
  });
  EXPECT_EQ(o.code, OPELOG_EXIT_UNAVAILABLE);
}

TEST(Restart, AVerdictThatMakesNoSenseIsNotAskedForAgain) {
  Sandbox sandbox;
  sandbox.listen();
  sandbox.write_fallback(std::string("absent refuse\n") + kProbeLine + "uid 54321 54321 refuse\n");
  const Outcome o = run_without_daemon({}, [&] {
    Talk talk = sandbox.accept();
    (void)talk.greeting();
    talk.send("x");
  });
  EXPECT_EQ(o.code, OPELOG_EXIT_UNAVAILABLE);
  EXPECT_FALSE(sandbox.somebody_waits());
}

// Within the time that a silent daemon has: the one test here that waits for it.
TEST(Restart, WhereNoneEverAnswersTheFallbackDecides) {
  Sandbox sandbox;
  sandbox.listen();
  sandbox.write_fallback(std::string("absent refuse\n") + kProbeLine + "uid 54321 54321 refuse\n");
  Start start;
  start.arguments = {"-opelog-shell"};
  Child child(start);
  int asked = 0;
  while (child.running()) {
    if (sandbox.somebody_waits()) {
      (void)sandbox.accept();
      ++asked;
    }
    ::usleep(1000);
  }
  const int status = child.wait();
  EXPECT_EQ(WIFEXITED(status) ? WEXITSTATUS(status) : -1, OPELOG_EXIT_UNAVAILABLE);
  EXPECT_GT(asked, 3);
  // Not in a loop that a daemon would feel.
  EXPECT_LT(asked, 200);
}

// Whoever starves his own shim of descriptors must not get the leniency meant for an absent daemon.
TEST(Starved, TheFallbacksLeniencyDoesNotCount) {
  for (const rlim_t descriptors : {3U, 4U, 5U, 6U, 13U}) {
    Sandbox sandbox;
    sandbox.listen();
    sandbox.write_fallback(std::string("absent pass\n") + kProbeLine + "uid 54321 54321 refuse\n");
    Start start;
    start.before_exec = [descriptors] {
      const rlimit limit{descriptors, descriptors};
      setrlimit(RLIMIT_NOFILE, &limit);
    };
    const Outcome o = run_without_daemon(start, [&] {
      if (descriptors == 3) return;  // not even a socket
      Talk talk = sandbox.accept();
      talk.record_streams(talk.greeting());
      EXPECT_EQ(talk.packet(), "");
    });
    EXPECT_FALSE(ran(o)) << descriptors;
    // With three a dynamic loader, where there is one, does not even get as far as our code.
    EXPECT_EQ(o.code, descriptors == 3 && SHIM_STATIC == 0 ? 127 : OPELOG_EXIT_UNAVAILABLE) << descriptors;
  }
}

TEST(Starved, WithoutProcessesNoShellRuns) {
  Sandbox sandbox;
  sandbox.listen();
  sandbox.write_fallback(std::string("absent pass\n") + kProbeLine);
  Start start;
  start.before_exec = [] {
    const rlimit limit{0, 0};
    setrlimit(RLIMIT_NPROC, &limit);
  };
  const Outcome o = run_without_daemon(start, [&] {
    Talk talk = sandbox.accept();
    talk.record_streams(talk.greeting());
    EXPECT_EQ(talk.packet(), "");
  });
  EXPECT_EQ(o.code, OPELOG_EXIT_UNAVAILABLE);
}

}  // namespace
