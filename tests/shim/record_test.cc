// Recorded sessions: the child on what the daemon gave, the waiter beside it, and every way they can part.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <cstring>
#include <optional>

#include "sandbox.h"

namespace {

// A terminal session as the daemon makes it: the outer terminal revoked and given anew, an inner one.
struct TerminalSession {
  explicit TerminalSession(Sandbox& sandbox, const std::string& command,
                           VerdictSpec spec = terminal_verdict(),
                           std::vector<std::string> environment = {"PATH=/usr/bin:/bin"})
      : child([&] {
          Start start;
          start.arguments = {"opelog-shell", "-c", command};
          start.environment = std::move(environment);
          for (int& fd : start.descriptors) fd = outer.slave.get();
          start.terminal = true;
          start.before_exec = [] { ::dup2(0, 9); };  // something the caller left open
          return start;
        }()),
        talk(sandbox.accept()) {
    greeting = talk.greeting();
    Hold before(::open(outer.path.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC));
    ::ioctl(before.get(), TIOCVHANGUP);  // kills every descriptor of it, ours too
    outer.slave = Hold(::open(outer.path.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC));
    talk.send(verdict(spec), {inner.slave.get(), outer.slave.get()});
  }
  static VerdictSpec terminal_verdict() {
    VerdictSpec spec;
    spec.action = OPELOG_RECORD_TERMINAL;
    spec.shell = "/bin/sh";
    return spec;
  }
  Pty outer, inner;
  Child child;
  Talk talk;
  Greeting greeting;
};

struct StreamSession {
  explicit StreamSession(Sandbox& sandbox, const std::string& command)
      : child([&] {
          Start start;
          start.arguments = {"opelog-shell", "-c", command};
          start.descriptors[0] = in.read_end.get();
          start.descriptors[1] = out.write_end.get();
          start.descriptors[2] = err.write_end.get();
          return start;
        }()),
        talk(sandbox.accept()) {
    ::signal(SIGPIPE, SIG_IGN);  // of a reader that should be there
    in.read_end.close();
    out.write_end.close();
    err.write_end.close();
    VerdictSpec spec;
    spec.shell = "/bin/sh";
    talk.record_streams(talk.greeting(), spec);
  }
  Pipe in, out, err;
  Child child;
  Talk talk;
};

TEST(Terminal, TheShellRunsOnTheInnerTerminalAsItsControllingOne) {
  Sandbox sandbox;
  sandbox.listen();
  TerminalSession s(sandbox,
                    "tty; test -c /dev/tty && echo ctty >/dev/tty; id -g; echo $OPELOG_SESSION; kill -0 -$$ "
                    "&& echo leader");
  EXPECT_EQ(s.greeting.head.rows, 24);
  EXPECT_EQ(s.greeting.head.cols, 80);
  EXPECT_EQ(read_until(s.inner.master.get(), "leader\r\n"),
            s.inner.path + "\r\nctty\r\n54321\r\ns1\r\nleader\r\n");
  s.talk.started();
  const opelog_ended ended = s.talk.ended();
  EXPECT_EQ(ended.exited, 1);
  EXPECT_EQ(ended.status, 0);
  s.talk.done();
  EXPECT_EQ(s.child.wait(), 0);
}

TEST(Terminal, StartedNamesAChildOfTheShim) {
  Sandbox sandbox;
  sandbox.listen();
  TerminalSession s(sandbox, "echo $$; read x");
  const opelog_started started = s.talk.started();
  EXPECT_EQ(read_until(s.inner.master.get(), "\n"), std::to_string(started.pid) + "\r\n");
  const std::string stat = read_text("/proc/" + std::to_string(started.pid) + "/stat");
  const auto state = stat.rfind(") ");
  ASSERT_NE(state, std::string::npos);
  const std::string parent = std::to_string(s.child.pid()) + " ";
  EXPECT_EQ(stat.substr(state + 4, parent.size()), parent) << stat;
}

TEST(Terminal, TheNoticeComesFirstAndThroughTheRecord) {
  Sandbox sandbox;
  sandbox.listen();
  VerdictSpec spec = TerminalSession::terminal_verdict();
  spec.message = "recorded\x1b[2J";
  TerminalSession s(sandbox, "echo shell", spec);
  EXPECT_EQ(read_until(s.inner.master.get(), "shell\r\n"), "recorded?[2J\r\nshell\r\n");
}

TEST(Terminal, OnlyTheDescriptorsOfTheMaskAreReplaced) {
  Sandbox sandbox;
  sandbox.listen();
  Pty outer;
  Pty inner;
  Pipe err;
  Start start;
  start.arguments = {"opelog-shell", "-c", "echo out; echo err >&2"};
  start.descriptors[0] = start.descriptors[1] = outer.slave.get();
  start.descriptors[2] = err.write_end.get();
  start.terminal = true;
  Child child(start);
  Talk talk = sandbox.accept();
  (void)talk.greeting();
  VerdictSpec spec = TerminalSession::terminal_verdict();
  spec.replace = 3;  // what the shim said of its terminals
  talk.send(verdict(spec), {inner.slave.get(), outer.slave.get()});
  EXPECT_EQ(read_until(inner.master.get(), "out\r\n"), "out\r\n");
  talk.started();
  talk.ended();
  talk.done();
  EXPECT_EQ(child.wait(), 0);
  EXPECT_EQ(err.all(), "err\n");
}

TEST(Terminal, AnotherWindowSizeIsToldThoughTheOldTerminalWasRevoked) {
  Sandbox sandbox;
  sandbox.listen();
  TerminalSession s(sandbox, "echo up; read x");
  s.talk.started();
  (void)read_until(s.inner.master.get(), "up");
  // The waiter is there as soon as it has taken the shim's place; a change before waits for it, blocked.
  for (const unsigned short rows : {static_cast<unsigned short>(40), static_cast<unsigned short>(41)}) {
    const winsize size{rows, 100, 0, 0};
    ASSERT_EQ(::ioctl(s.outer.master.get(), TIOCSWINSZ, &size), 0);
    s.talk.resized();
  }
}

std::string settings_of(int fd) {
  termios t{};
  EXPECT_EQ(::tcgetattr(fd, &t), 0);
  std::string text = std::to_string(t.c_iflag) + " " + std::to_string(t.c_oflag) + " " +
                     std::to_string(t.c_cflag) + " " + std::to_string(t.c_lflag);
  for (const cc_t c : t.c_cc) text += " " + std::to_string(int{c});
  return text;
}

// Every byte there is; what a terminal that is not raw would change, answer or swallow is among them.
std::string every_byte() {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  return bytes + "end";
}

// opelog rec: the terminal stays the caller's. Nothing of it comes to the daemon, which has a socket instead.
struct OwnTerminal {
  explicit OwnTerminal(Sandbox& sandbox, const std::string& command,
                       const std::function<void(OwnTerminal&, Start&)>& before = nullptr) {
    termios own{};  // not what every terminal begins with
    EXPECT_EQ(::tcgetattr(outer.slave.get(), &own), 0);
    own.c_cc[VERASE] = 8;
    own.c_oflag |= OFILL;
    EXPECT_EQ(::tcsetattr(outer.slave.get(), TCSANOW, &own), 0);
    settings = settings_of(outer.slave.get());
    Start start;
    start.arguments = {"opelog-shell", "--rec", "--", "sh", "-c", command, "a b", "c'd"};
    for (int& fd : start.descriptors) fd = outer.slave.get();
    start.terminal = true;
    if (before) before(*this, start);
    child.emplace(start);
    talk.emplace(sandbox.accept());
    greeting = talk->greeting();
    int pair[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    outside = Hold(pair[0]);
    const Hold theirs(pair[1]);
    VerdictSpec spec = TerminalSession::terminal_verdict();
    spec.replace = greeting.head.terminals;
    talk->send(verdict(spec), {inner.slave.get(), theirs.get()});
    shell = talk->started().pid;
  }
  // The waiter is there, and with it all that the shim did before.
  opelog_resized at_work() { return talk->resized(); }
  [[nodiscard]] std::string settings_now() const { return settings_of(outer.slave.get()); }
  // As much as socket, waiter and terminal take while nobody reads there.
  void fill() {
    const std::string much(65536, 'x');
    int quiet = 0;
    EXPECT_TRUE(eventually([&] {
      const bool taken = ::send(outside.get(), much.data(), much.size(), MSG_DONTWAIT | MSG_NOSIGNAL) > 0;
      quiet = taken ? 0 : quiet + 1;
      return quiet > 200;
    }));
  }
  Pty outer, inner;
  std::string settings;
  std::optional<Child> child;
  std::optional<Talk> talk;
  Greeting greeting;
  Hold outside{-1};
  pid_t shell = 0;
};

TEST(OwnTerminal, NeverComesToTheDaemonAndIsRawMeanwhile) {
  Sandbox sandbox;
  sandbox.listen();
  OwnTerminal s(sandbox, "echo \"$0|$1\"; echo $(ls /proc/self/fd); read x; exit 3");
  EXPECT_EQ(s.greeting.head.terminals, 7);
  EXPECT_TRUE(s.greeting.descriptors.empty());
  EXPECT_EQ(s.greeting.command,
            "sh -c 'echo \"$0|$1\"; echo $(ls /proc/self/fd); read x; exit 3' 'a b' 'c'\\''d'");
  EXPECT_EQ(read_until(s.inner.master.get(), "3\r\n"), "a b|c'd\r\n0 1 2 3\r\n")
      << "the shell has neither the socket nor the terminal; 3 is that of ls";
  const opelog_resized first = s.at_work();
  EXPECT_EQ(first.rows, 24);
  EXPECT_EQ(first.cols, 80);
  EXPECT_EQ(settings_of(s.inner.slave.get()), s.settings) << "inside it is as outside";
  EXPECT_NE(s.settings_now(), s.settings);
  EXPECT_EQ(::fcntl(s.outer.slave.get(), F_GETFL) & O_NONBLOCK, 0)
      << "that would be on the caller's shell, too";

  const std::string all = every_byte();
  ASSERT_EQ(::write(s.outer.master.get(), all.data(), all.size()), static_cast<ssize_t>(all.size()));
  EXPECT_EQ(read_until(s.outside.get(), "end"), all) << "what is typed";
  ASSERT_EQ(::send(s.outside.get(), all.data(), all.size(), MSG_NOSIGNAL), static_cast<ssize_t>(all.size()));
  EXPECT_EQ(read_until(s.outer.master.get(), "end"), all) << "what is shown, and nothing echoed";

  ASSERT_EQ(::write(s.inner.master.get(), "\n", 1), 1);
  EXPECT_EQ(s.talk->ended().status, 3);
  ASSERT_EQ(::send(s.outside.get(), "last", 4, MSG_NOSIGNAL), 4);
  ASSERT_EQ(::shutdown(s.outside.get(), SHUT_WR), 0);
  EXPECT_EQ(read_until(s.outside.get(), "never"), "") << "its end: all is shown";
  EXPECT_EQ(read_until(s.outer.master.get(), "last"), "last");
  EXPECT_NE(s.settings_now(), s.settings) << "the daemon has not yet said that this is all";
  s.talk->done();
  EXPECT_EQ(WEXITSTATUS(s.child->wait()), 3);
  EXPECT_EQ(s.settings_now(), s.settings);
}

// What is typed ahead must come to the shell's terminal, not be kept and echoed by this one.
TEST(OwnTerminal, IsRawBeforeThereIsAShell) {
  Sandbox sandbox;
  sandbox.listen();
  const OwnTerminal s(sandbox, "read x");
  termios now{};
  ASSERT_EQ(::tcgetattr(s.outer.slave.get(), &now), 0);
  EXPECT_EQ(now.c_lflag & (ICANON | ECHO | ISIG), 0U);
}

TEST(OwnTerminal, RunsAScriptThatNamesNoInterpreter) {
  Sandbox sandbox;
  sandbox.listen();
  write_text("/mnt/opelog/plain", "echo \"says $1\"; read x\n", 0755);
  OwnTerminal s(sandbox, "", [](OwnTerminal&, Start& start) {
    start.arguments = {"opelog-shell", "--rec", "--", "/mnt/opelog/plain", "a word"};
  });
  EXPECT_EQ(read_until(s.inner.master.get(), "word\r\n"), "says a word\r\n");
}

// As execvp(3): the place where it was found, not what lies here under its name; behind places with none, and
// with one that may not be executed.
TEST(OwnTerminal, FindsAProgramByPath) {
  Sandbox sandbox;
  sandbox.listen();
  for (const char* place : {"/mnt/opelog/a", "/mnt/opelog/b", "/mnt/opelog/here"})
    ASSERT_EQ(::mkdir(place, 0755), 0);
  write_text("/mnt/opelog/here/tool", "echo wrong\n", 0755);
  write_text("/mnt/opelog/a/tool", "echo wrong\n", 0644);
  write_text("/mnt/opelog/b/tool", "echo \"$0 says $1\"; read x\n", 0755);
  OwnTerminal s(sandbox, "", [](OwnTerminal&, Start& start) {
    start.arguments = {"opelog-shell", "--rec", "--", "tool", "a word"};
    start.environment = {"PATH=/nowhere:/mnt/opelog/a:/mnt/opelog/b:/bin"};
    start.before_exec = [] { (void)!::chdir("/mnt/opelog/here"); };
  });
  EXPECT_EQ(read_until(s.inner.master.get(), "word\r\n"), "/mnt/opelog/b/tool says a word\r\n");
}

TEST(OwnTerminal, ItsSizeIsToldWithEachChange) {
  Sandbox sandbox;
  sandbox.listen();
  OwnTerminal s(sandbox, "read x");
  s.at_work();
  const winsize size{40, 100, 800, 600};
  ASSERT_EQ(::ioctl(s.outer.master.get(), TIOCSWINSZ, &size), 0);
  const opelog_resized told = s.talk->resized();
  EXPECT_EQ(told.rows, 40);
  EXPECT_EQ(told.cols, 100);
  EXPECT_EQ(told.width, 800);
  EXPECT_EQ(told.height, 600);
}

TEST(OwnTerminal, IsGivenBackWithAWordWhenTheDaemonVanishes) {
  Sandbox sandbox;
  sandbox.listen();
  OwnTerminal s(sandbox, "read x");
  s.at_work();
  ASSERT_EQ(::send(s.outside.get(), "shown\r\n", 7, MSG_NOSIGNAL), 7);
  s.outside.close();
  s.talk->close();
  const std::string shown = read_until(s.outer.master.get(), "ends");
  EXPECT_EQ(shown.substr(0, 7), "shown\r\n");
  EXPECT_NE(shown.find("opelog: the recorder is gone; this session ends"), std::string::npos) << shown;
  EXPECT_EQ(WEXITSTATUS(s.child->wait()), OPELOG_EXIT_UNAVAILABLE);
  EXPECT_EQ(s.settings_now(), s.settings);
  EXPECT_TRUE(eventually([&] { return !process_exists(s.shell); }));
}

// Killed by an administrator, or the daemon stops: what it says of that is shown, and nothing else.
TEST(OwnTerminal, IsGivenBackWhenTheDaemonEndsTheSession) {
  Sandbox sandbox;
  sandbox.listen();
  OwnTerminal s(sandbox, "read x");
  s.at_work();
  ASSERT_EQ(::send(s.outside.get(), "because", 7, MSG_NOSIGNAL), 7);
  s.outside.close();
  s.talk->done();
  EXPECT_EQ(WEXITSTATUS(s.child->wait()), OPELOG_EXIT_UNAVAILABLE);
  EXPECT_EQ(s.settings_now(), s.settings);
  ASSERT_EQ(::write(s.outer.slave.get(), "mark", 4), 4);
  EXPECT_EQ(read_until(s.outer.master.get(), "mark"), "becausemark");
}

TEST(OwnTerminal, ItsHangUpIsTheEndOfTheSocket) {
  Sandbox sandbox;
  sandbox.listen();
  OwnTerminal s(sandbox, "read x");
  s.at_work();
  s.outer.slave.close();
  s.outer.master.close();
  EXPECT_EQ(read_until(s.outside.get(), "never"), "");
  pollfd entry{s.outside.get(), 0, 0};
  EXPECT_TRUE(eventually([&] { return ::poll(&entry, 1, 0) == 1 && (entry.revents & POLLHUP) != 0; }));
  EXPECT_TRUE(s.child->running()) << "the daemon decides what follows";
  ASSERT_EQ(::kill(s.shell, SIGKILL), 0);
  EXPECT_EQ(s.talk->ended().status, SIGKILL);
  s.talk->done();
  EXPECT_EQ(WTERMSIG(s.child->wait()), SIGKILL);
}

TEST(OwnTerminal, OneThatTakesNothingMoreDoesNotKeepTheWaiter) {
  Sandbox sandbox;
  sandbox.listen();
  for (const bool gone : {false, true}) {
    for (const bool accessible : {true, false}) {  // its node, as it is not after su
      OwnTerminal s(sandbox, "read x; exit 5", [&](OwnTerminal& own, Start&) {
        ASSERT_EQ(::fchown(own.outer.slave.get(), accessible ? kUser : 0, kUserGroup), 0);
      });
      s.at_work();
      s.fill();
      ASSERT_EQ(::write(s.inner.master.get(), "\n", 1), 1);
      EXPECT_EQ(s.talk->ended().status, 5);
      if (gone) {
        s.outer.slave.close();
        s.outer.master.close();
        char byte;
        EXPECT_TRUE(eventually([&] {
          const ssize_t n = ::recv(s.outside.get(), &byte, 1, MSG_DONTWAIT);
          return n == 0 || (n < 0 && errno == ECONNRESET);
        })) << "with what was sent unread";
      }
      s.outside.close();
      s.talk->done();
      EXPECT_EQ(WEXITSTATUS(s.child->wait()), 5) << gone << accessible;
      if (gone) continue;
      EXPECT_EQ(s.settings_now(), s.settings) << "though it was not all shown";
    }
  }
}

// Neither by its path nor as the controlling one: the caller's own description serves, and blocks as it did.
TEST(OwnTerminal, ThatCannotBeOpenedAnewIsCopiedAsItIs) {
  Sandbox sandbox;
  sandbox.listen();
  OwnTerminal s(sandbox, "read x; exit 6", [](OwnTerminal& own, Start& start) {
    ASSERT_EQ(::fchown(own.outer.slave.get(), 0, 0), 0);
    start.terminal = false;
  });
  s.at_work();
  const std::string all = every_byte();
  ASSERT_EQ(::write(s.outer.master.get(), all.data(), all.size()), static_cast<ssize_t>(all.size()));
  EXPECT_EQ(read_until(s.outside.get(), "end"), all);
  ASSERT_EQ(::send(s.outside.get(), all.data(), all.size(), MSG_NOSIGNAL), static_cast<ssize_t>(all.size()));
  EXPECT_EQ(read_until(s.outer.master.get(), "end"), all);
  EXPECT_EQ(::fcntl(s.outer.slave.get(), F_GETFL) & O_NONBLOCK, 0);
  ASSERT_EQ(::write(s.inner.master.get(), "\n", 1), 1);
  EXPECT_EQ(s.talk->ended().status, 6);
  s.outside.close();
  s.talk->done();
  EXPECT_EQ(WEXITSTATUS(s.child->wait()), 6);
  EXPECT_EQ(s.settings_now(), s.settings);
}

// As a background job: nothing is read until the terminal is ours, and the session goes on.
TEST(OwnTerminal, ThatAnotherProcessGroupHasIsNotRead) {
  Sandbox sandbox;
  sandbox.listen();
  Pipe hand_over;
  OwnTerminal s(sandbox, "read x; exit 7", [&](OwnTerminal&, Start& start) {
    start.descriptors[2] = hand_over.read_end.get();
    start.before_exec = [] {
      const pid_t ours = ::getpgrp();
      const pid_t other = ::fork();
      if (other == 0) {
        ::setpgid(0, 0);
        char byte;
        (void)!::read(2, &byte, 1);
        ::tcsetpgrp(0, ours);
        ::_exit(0);
      }
      ::setpgid(other, other);
      ::tcsetpgrp(0, other);
    };
  });
  s.at_work();
  ASSERT_EQ(::write(s.outer.master.get(), "typed", 5), 5);
  ASSERT_EQ(::send(s.outside.get(), "shown", 5, MSG_NOSIGNAL), 5);
  EXPECT_EQ(read_until(s.outer.master.get(), "shown"), "shown");
  ASSERT_EQ(::write(hand_over.write_end.get(), "x", 1), 1);
  EXPECT_EQ(read_until(s.outside.get(), "typed"), "typed");
  ASSERT_EQ(::write(s.inner.master.get(), "\n", 1), 1);
  EXPECT_EQ(s.talk->ended().status, 7);
  s.outside.close();
  s.talk->done();
  EXPECT_EQ(WEXITSTATUS(s.child->wait()), 7);
}

TEST(OwnTerminal, IsAsBeforeWhereTheWaiterCannotRun) {
  Sandbox sandbox;
  sandbox.listen();
  write_text(kWaiter, "", 0755);
  OwnTerminal s(sandbox, "trap '' HUP TERM; exec sleep 1000");
  EXPECT_EQ(WEXITSTATUS(s.child->wait()), OPELOG_EXIT_UNAVAILABLE);
  EXPECT_EQ(s.settings_now(), s.settings);
  EXPECT_FALSE(process_exists(s.shell));
}

TEST(Streams, AreTheOnesTheDaemonGaveAndStayApart) {
  Sandbox sandbox;
  sandbox.listen();
  StreamSession s(sandbox, "cat; echo e >&2; id -g; exit 37");
  ASSERT_EQ(::write(s.in.write_end.get(), "in\n", 3), 3);
  s.in.write_end.close();
  EXPECT_EQ(s.out.all(), "in\n54321\n");
  EXPECT_EQ(s.err.all(), "e\n");
  s.talk.started();
  const opelog_ended ended = s.talk.ended();
  EXPECT_EQ(ended.exited, 1);
  EXPECT_EQ(ended.status, 37);
  s.talk.done();
  EXPECT_EQ(WEXITSTATUS(s.child.wait()), 37);
}

TEST(Streams, LargeInputAndOutputPassWhileBothSidesAreSlow) {
  Sandbox sandbox;
  sandbox.listen();
  StreamSession s(sandbox, "cat; echo end >&2");
  s.talk.started();
  ::fcntl(s.in.write_end.get(), F_SETFL, O_NONBLOCK);
  std::string sent, got;
  for (std::size_t i = 0; sent.size() < 3000000; ++i) sent += std::to_string(i * 7919) + '\n';
  std::size_t at = 0;
  ASSERT_TRUE(eventually([&] {
    if (at < sent.size()) {
      const ssize_t n = ::write(s.in.write_end.get(), sent.data() + at, sent.size() - at);
      if (n > 0) at += static_cast<std::size_t>(n);
      if (at == sent.size()) s.in.write_end.close();
    }
    char buffer[30000];
    pollfd entry{s.out.read_end.get(), POLLIN, 0};
    if (::poll(&entry, 1, 0) > 0) {
      const ssize_t n = ::read(s.out.read_end.get(), buffer, sizeof buffer);
      if (n == 0) return true;
      if (n > 0) got.append(buffer, static_cast<std::size_t>(n));
    }
    return false;
  }));
  EXPECT_TRUE(got == sent) << got.size() << " of " << sent.size();
  EXPECT_EQ(s.err.all(), "end\n");
  s.talk.ended();
  s.talk.done();
  EXPECT_EQ(s.child.wait(), 0);
}

// What comes by a socket that is input and output at once, as from a super-server.
TEST(Streams, OneSocketForBothDirectionsStaysOne) {
  Sandbox sandbox;
  sandbox.listen();
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
  Hold ours(pair[0]), theirs(pair[1]);
  Start start;
  start.arguments = {"opelog-shell", "-c", "test /proc/self/fd/0 -ef /proc/self/fd/1 && cat; echo bye >&2"};
  for (int& fd : start.descriptors) fd = theirs.get();
  Child child(start);
  theirs.close();
  Talk talk = sandbox.accept();
  const Greeting greeting = talk.greeting();
  EXPECT_EQ(greeting.head.streams[0], OPELOG_STREAM_SOCKET);
  EXPECT_EQ(greeting.head.streams[1], OPELOG_STREAM_AS_0);
  EXPECT_EQ(greeting.head.streams[2], OPELOG_STREAM_AS_0);
  VerdictSpec spec;
  spec.shell = "/bin/sh";
  talk.record_streams(greeting, spec);
  talk.started();
  ASSERT_EQ(::write(ours.get(), "both ways", 9), 9);
  ::shutdown(ours.get(), SHUT_WR);  // the output outlives the input
  EXPECT_EQ(read_until(ours.get(), "bye\n"), "both waysbye\n");
  talk.ended();
  talk.done();
  EXPECT_EQ(child.wait(), 0);
}

// A command whose input, output and errors are one socket; `theirs` stays open here, as another process of
// the user's would hold it, until it is closed.
struct SocketSession {
  explicit SocketSession(Sandbox& sandbox, const std::string& command) {
    int pair[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    ours = Hold(pair[0]);
    theirs = Hold(pair[1]);
    Start start;
    start.arguments = {"opelog-shell", "-c", command};
    for (int& fd : start.descriptors) fd = theirs.get();
    child.emplace(start);
    talk.emplace(sandbox.accept());
    VerdictSpec spec;
    spec.shell = "/bin/sh";
    talk->record_streams(talk->greeting(), spec);
    talk->started();
  }
  Hold ours{-1}, theirs{-1};
  std::optional<Child> child;
  std::optional<Talk> talk;
};

TEST(Streams, ASocketThatOthersHoldGoesOnAfterTheEnd) {
  Sandbox sandbox;
  sandbox.listen();
  SocketSession s(sandbox, "echo hi");
  EXPECT_EQ(s.talk->ended().status, 0);
  s.talk->done();
  EXPECT_EQ(s.child->wait(), 0);
  EXPECT_EQ(read_until(s.ours.get(), "hi\n"), "hi\n");
  ASSERT_EQ(::send(s.theirs.get(), "later\n", 6, MSG_NOSIGNAL), 6) << "shut down for its other holders";
  EXPECT_EQ(read_until(s.ours.get(), "later\n"), "later\n");
  ASSERT_EQ(::send(s.ours.get(), "back\n", 5, MSG_NOSIGNAL), 5);
  EXPECT_EQ(read_until(s.theirs.get(), "back\n"), "back\n");
}

TEST(Streams, ASocketThatTheCommandClosesIsClosedThoughTheCommandGoesOn) {
  Sandbox sandbox;
  sandbox.listen();
  SocketSession s(sandbox, "echo hi; exec <&- >&- 2>&-; exec sleep 1000");
  s.theirs.close();
  EXPECT_EQ(read_until(s.ours.get(), "hi\n"), "hi\n");
  pollfd entry{s.ours.get(), 0, 0};  // its hang-up: nobody holds the other end any more
  EXPECT_TRUE(eventually([&] { return ::poll(&entry, 1, 0) == 1 && (entry.revents & POLLHUP) != 0; }));
  EXPECT_TRUE(s.child->running());
}

TEST(Streams, ASocketThatTheCommandShutsDownIsShutDownAndStillRead) {
  Sandbox sandbox;
  sandbox.listen();
  SocketSession s(
      sandbox,
      "exec perl -e 'syswrite STDOUT, q(out); shutdown STDOUT, 1; sysread STDIN, $b, 9; exit length $b'");
  EXPECT_EQ(read_until(s.ours.get(), "out"), "out");
  char rest;
  pollfd entry{s.ours.get(), POLLIN, 0};
  ASSERT_TRUE(eventually([&] { return ::poll(&entry, 1, 0) == 1; }));
  EXPECT_EQ(::recv(s.ours.get(), &rest, 1, MSG_DONTWAIT), 0)
      << "the end of its output, which others hold still";
  ASSERT_EQ(::send(s.ours.get(), "four", 4, MSG_NOSIGNAL), 4);
  EXPECT_EQ(s.talk->ended().status, 4);
  s.talk->done();
  EXPECT_EQ(WEXITSTATUS(s.child->wait()), 4);
}

// Under plain sshd too the login ends with its command and the stream with the last who holds it.
TEST(Streams, ABackgroundProcessKeepsThemAfterTheEnd) {
  Sandbox sandbox;
  sandbox.listen();
  StreamSession s(sandbox, "(read x; echo late $x) & exit 7");
  s.talk.started();
  EXPECT_EQ(s.talk.ended().status, 7);
  s.talk.done();
  EXPECT_EQ(WEXITSTATUS(s.child.wait()), 7);
  ASSERT_EQ(::write(s.in.write_end.get(), "word\n", 5), 5);
  // `read x` of a background process has /dev/null as input in a shell without job control.
  EXPECT_EQ(s.out.all(), "late\n");
}

TEST(Streams, ASlowReaderGetsEverythingThoughTheWaiterHasLeft) {
  Sandbox sandbox;
  sandbox.listen();
  StreamSession s(sandbox, "head -c 150000 /dev/zero | tr '\\0' x");
  s.talk.started();
  s.talk.ended();
  s.talk.done();
  EXPECT_EQ(s.child.wait(), 0) << "although nobody has read yet";
  EXPECT_EQ(s.out.all(), std::string(150000, 'x'));
}

TEST(Streams, AReaderThatLeavesIsNoticedByTheCommand) {
  Sandbox sandbox;
  sandbox.listen();
  StreamSession s(sandbox, "trap 'exit 9' PIPE; while echo y; do :; done 2>/dev/null; exit 8");
  s.talk.started();
  EXPECT_NE(read_until(s.out.read_end.get(), "y\n"), "");
  s.out.read_end.close();
  const opelog_ended ended = s.talk.ended();
  EXPECT_TRUE(ended.exited == 1 && (ended.status == 8 || ended.status == 9)) << ended.status;
  s.talk.done();
  s.child.wait();
}

TEST(Streams, FilesAndDevicesStayAsTheyWere) {
  Sandbox sandbox;
  sandbox.listen();
  const std::string path = std::string(kHome) + "/out";
  write_text(path, "before\n", 0666);
  Hold file(::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  Start start;
  start.arguments = {"opelog-shell", "-c", "echo after; test /proc/self/fd/0 -ef /dev/null && echo null"};
  start.descriptors[1] = file.get();
  Child child(start);
  Talk talk = sandbox.accept();
  const Greeting greeting = talk.greeting();
  EXPECT_EQ(greeting.head.streams[0], OPELOG_STREAM_KEPT_DEVICE);
  EXPECT_EQ(greeting.head.streams[1], OPELOG_STREAM_KEPT_FILE);
  EXPECT_EQ(greeting.head.streams[2], OPELOG_STREAM_KEPT_DEVICE);
  VerdictSpec spec;
  spec.shell = "/bin/sh";
  talk.record_streams(greeting, spec);
  talk.started();
  talk.ended();
  talk.done();
  EXPECT_EQ(child.wait(), 0);
  EXPECT_EQ(read_text(path), "before\nafter\nnull\n");
}

// What is left to the shell, and said to be so, for the record.
TEST(Streams, EachKindOfDescriptorIsSaidForWhatItIs) {
  Sandbox sandbox;
  sandbox.listen();
  Pty pty;
  Pipe pipe;
  int datagrams[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, datagrams), 0);
  const Hold datagram(datagrams[0]), other_end(datagrams[1]);
  const Hold reading(::open(pty.path.c_str(), O_RDONLY | O_NOCTTY | O_CLOEXEC));
  const Hold file(::open("/etc/hosts", O_RDONLY | O_CLOEXEC));
  const Hold directory(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const Hold path(::open("/etc/hosts", O_PATH | O_CLOEXEC));
  const int tty = pty.slave.get();
  constexpr std::uint8_t terminal = OPELOG_STREAM_KEPT_TERMINAL, device = OPELOG_STREAM_KEPT_DEVICE,
                         other = OPELOG_STREAM_KEPT_OTHER;
  const struct {
    const char* what;
    int descriptors[3];
    std::uint8_t terminals, streams[3];
  } rows[] = {
      {"no input, terminals as outputs", {-1, tty, tty}, 0, {device, terminal, terminal}},
      {"a terminal that can only be read",
       {reading.get(), pipe.write_end.get(), -1},
       0,
       {terminal, OPELOG_STREAM_PIPE, device}},
      {"datagrams and a pipe the wrong way round",
       {datagram.get(), datagram.get(), pipe.read_end.get()},
       0,
       {other, other, other}},
      {"files",
       {file.get(), directory.get(), path.get()},
       0,
       {OPELOG_STREAM_KEPT_FILE, other, OPELOG_STREAM_KEPT_FILE}},
      {"a terminal alone", {tty, tty, tty}, 7, {OPELOG_STREAM_NONE, OPELOG_STREAM_NONE, OPELOG_STREAM_NONE}},
      {"something beside the terminal",
       {tty, pipe.write_end.get(), -1},
       1,
       {OPELOG_STREAM_NONE, other, device}},
      {"its master beside it",
       {tty, pty.master.get(), tty},
       5,
       {OPELOG_STREAM_NONE, terminal, OPELOG_STREAM_NONE}},
  };
  for (const auto& row : rows) {
    Start start;
    start.arguments = {"opelog-shell"};
    for (int fd = 0; fd < 3; ++fd) start.descriptors[fd] = row.descriptors[fd];
    const Child child(start);
    Talk talk = sandbox.accept();
    const Greeting greeting = talk.greeting();
    EXPECT_EQ(greeting.head.terminals, row.terminals) << row.what;
    for (int fd = 0; fd < 3; ++fd)
      EXPECT_EQ(greeting.head.streams[fd], row.streams[fd]) << row.what << " " << fd;
    VerdictSpec spec;
    spec.action = OPELOG_REFUSE;
    talk.send(verdict(spec));
  }
}

TEST(Streams, SignalsAndDispositionsAreWhatTheShimWasGiven) {
  Sandbox sandbox;
  sandbox.listen();
  Pipe out;
  Start start;
  start.arguments = {"-opelog-shell"};
  start.descriptors[1] = out.write_end.get();
  start.before_exec = [] {
    ::signal(SIGCHLD, SIG_IGN);
    ::signal(SIGINT, SIG_IGN);
  };
  Child child(start);
  Talk talk = sandbox.accept();
  talk.record_streams(talk.greeting());
  talk.started();
  const std::string text = out.all();
  EXPECT_NE(text.find("signal 2 ignored\nsignal 17 ignored\nlimit"), std::string::npos) << text;
  EXPECT_EQ(text.find("fd 3 "), std::string::npos) << text;
  EXPECT_EQ(talk.ended().exited, 1) << "although SIGCHLD was ignored";
  talk.done();
  EXPECT_EQ(child.wait(), 0);
}

TEST(Waiter, LeavesWithTheShellsCodeOrSignal) {
  Sandbox sandbox;
  sandbox.listen();
  const struct {
    const char* command;
    int exited, status;
  } rows[] = {{"exit 0", 1, 0},     {"exit 37", 1, 37},       {"exit 255", 1, 255},
              {"kill -9 $$", 0, 9}, {"kill -TERM $$", 0, 15}, {"kill -HUP $$", 0, 1}};
  for (const auto& row : rows) {
    StreamSession s(sandbox, row.command);
    s.talk.started();
    const opelog_ended ended = s.talk.ended();
    EXPECT_EQ(ended.exited, row.exited) << row.command;
    EXPECT_EQ(ended.status, row.status) << row.command;
    s.talk.done();
    const int status = s.child.wait();
    if (row.exited == 1) {
      EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == row.status) << row.command;
    } else {
      EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == row.status && !WCOREDUMP(status)) << row.command;
    }
  }
}

// sshd cuts off output that is still on its way when its child has gone.
TEST(Waiter, DoesNotLeaveBeforeDone) {
  Sandbox sandbox;
  sandbox.listen();
  StreamSession s(sandbox, "exit 5");
  s.talk.started();
  s.talk.ended();
  // It has nothing else to do now: wait until it sleeps, which it would not if it were on its way out.
  const std::string stat = "/proc/" + std::to_string(s.child.pid()) + "/stat";
  EXPECT_TRUE(eventually([&] { return read_text(stat).find(") S ") != std::string::npos; }));
  EXPECT_TRUE(s.child.running());
  s.talk.done();
  EXPECT_EQ(WEXITSTATUS(s.child.wait()), 5);
}

TEST(Waiter, LeavesWithTheStatusWhenTheDaemonVanishesAfterTheEnd) {
  Sandbox sandbox;
  sandbox.listen();
  StreamSession s(sandbox, "exit 5");
  s.talk.started();
  s.talk.ended();
  s.talk.close();
  EXPECT_EQ(WEXITSTATUS(s.child.wait()), 5);
}

// The inner terminal hangs up with the daemon: a shell that dies of it may be gone before the connection is
// looked at.
TEST(Waiter, SaysThatTheDaemonVanishedAlsoIfTheShellEndedFirst) {
  Sandbox sandbox;
  sandbox.listen();
  TerminalSession s(sandbox, "exit 5");
  s.talk.started();
  s.talk.ended();
  s.talk.close();
  EXPECT_NE(read_until(s.outer.master.get(), "ends").find("opelog: the recorder is gone; this session ends"),
            std::string::npos);
  EXPECT_EQ(WEXITSTATUS(s.child.wait()), 5);
}

TEST(Waiter, ABrokenConnectionEndsTheSessionAndSaysSo) {
  Sandbox sandbox;
  sandbox.listen();
  TerminalSession s(sandbox, "echo up; read x");
  const pid_t shell = s.talk.started().pid;
  (void)read_until(s.inner.master.get(), "up");
  s.talk.close();
  EXPECT_NE(read_until(s.outer.master.get(), "ends").find("opelog: the recorder is gone; this session ends"),
            std::string::npos);
  EXPECT_EQ(WEXITSTATUS(s.child.wait()), OPELOG_EXIT_UNAVAILABLE);
  EXPECT_TRUE(eventually([&] { return !process_exists(shell); }));
}

TEST(Waiter, AShellThatIgnoresTheHangUpIsKilled) {
  Sandbox sandbox;
  sandbox.listen();
  for (const bool terminal : {true, false}) {
    const std::string command = "trap '' HUP TERM; echo up; while :; do read x </dev/null; sleep 0.1; done";
    std::unique_ptr<TerminalSession> t;
    std::unique_ptr<StreamSession> s;
    if (terminal)
      t = std::make_unique<TerminalSession>(sandbox, command);
    else
      s = std::make_unique<StreamSession>(sandbox, command);
    Talk& talk = terminal ? t->talk : s->talk;
    const pid_t shell = talk.started().pid;
    EXPECT_NE(read_until(terminal ? t->inner.master.get() : s->out.read_end.get(), "up"), "");
    talk.close();
    EXPECT_EQ(WEXITSTATUS((terminal ? t->child : s->child).wait()), OPELOG_EXIT_UNAVAILABLE);
    EXPECT_TRUE(eventually([&] { return !process_exists(shell); }));
  }
}

// The daemon has said why itself.
TEST(Waiter, AnEarlyDoneEndsTheSessionQuietly) {
  Sandbox sandbox;
  sandbox.listen();
  TerminalSession s(sandbox, "echo up; read x");
  const pid_t shell = s.talk.started().pid;
  (void)read_until(s.inner.master.get(), "up");
  s.talk.done();
  EXPECT_EQ(WEXITSTATUS(s.child.wait()), OPELOG_EXIT_UNAVAILABLE);
  EXPECT_TRUE(eventually([&] { return !process_exists(shell); }));
  ASSERT_EQ(::write(s.outer.slave.get(), "mark", 4), 4);
  EXPECT_EQ(read_until(s.outer.master.get(), "mark"), "mark");
}

TEST(Waiter, ItsDeathIsTheShells) {
  Sandbox sandbox;
  sandbox.listen();
  StreamSession s(sandbox, "trap '' HUP; echo up; while :; do read x </dev/null; sleep 0.1; done");
  const pid_t shell = s.talk.started().pid;
  EXPECT_EQ(read_until(s.out.read_end.get(), "up"), "up\n");
  ASSERT_EQ(::kill(s.child.pid(), SIGKILL), 0);
  EXPECT_EQ(s.talk.packet(), "") << "the daemon sees the end";
  EXPECT_TRUE(eventually([&] { return !process_exists(shell); }));
}

// sshd and `kill 0` signal the process group of a command, in which the waiter is.
TEST(Waiter, WhatIsSentToTheGroupIsForTheShell) {
  Sandbox sandbox;
  sandbox.listen();
  for (const char* name : {"TERM", "USR1", "USR2", "ALRM", "IO", "RTMIN"}) {
    StreamSession s(sandbox,
                    std::string("trap 'echo caught' ") + name + "; kill -" + name + " 0; echo alive; exit 6");
    s.talk.started();
    EXPECT_EQ(s.talk.ended().status, 6) << name;
    s.talk.done();
    EXPECT_EQ(WEXITSTATUS(s.child.wait()), 6) << name;
    EXPECT_EQ(s.out.all(), "caught\nalive\n") << name;
  }
  StreamSession killed(sandbox, "kill -TERM 0; echo not reached");
  killed.talk.started();
  const opelog_ended ended = killed.talk.ended();
  EXPECT_TRUE(ended.exited == 0 && ended.status == SIGTERM);
  killed.talk.done();
  EXPECT_EQ(WTERMSIG(killed.child.wait()), SIGTERM);
}

// By the user, who may: prlimit(2) on his own processes.
TEST(Waiter, ALimitThatItCannotPollUnderEndsTheSession) {
  Sandbox sandbox;
  sandbox.listen();
  StreamSession s(sandbox, "echo up; read x");
  const pid_t shell = s.talk.started().pid;
  EXPECT_EQ(read_until(s.out.read_end.get(), "up"), "up\n");
  const pid_t waiter = s.child.pid();
  ASSERT_TRUE(eventually(
      [&] { return read_text("/proc/" + std::to_string(waiter) + "/comm") == "opelog-waiter\n"; }));
  const pid_t user = ::fork();
  if (user == 0) {
    const rlimit limit{3, 3};
    ::_exit(::setresgid(kUserGroup, kUserGroup, kUserGroup) == 0 && ::setresuid(kUser, kUser, kUser) == 0 &&
                    ::prlimit(waiter, RLIMIT_NOFILE, &limit, nullptr) == 0
                ? 0
                : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(user, &status, 0), user);
  ASSERT_EQ(status, 0) << "the user may not do so any more: the test shows nothing";
  ASSERT_EQ(::kill(s.child.pid(), SIGWINCH), 0);  // it looks up
  EXPECT_EQ(WEXITSTATUS(s.child.wait()), OPELOG_EXIT_UNAVAILABLE);
  EXPECT_TRUE(eventually([&] { return !process_exists(shell); }));
}

TEST(Streams, NothingIsHeldForAReaderWhoHasLeftAndASilentWriter) {
  Sandbox sandbox;
  sandbox.listen();
  // The silent writer waits for somebody to open the other end, which the end of the test does.
  static const char* const kSilence = "/mnt/opelog/silence";
  ASSERT_EQ(::mkfifo(kSilence, 0666), 0);
  ASSERT_EQ(::chmod(kSilence, 0666), 0);
  struct EndOfSilence {
    ~EndOfSilence() { Hold end(::open(kSilence, O_WRONLY | O_NONBLOCK | O_CLOEXEC)); }
  } end_of_silence;
  StreamSession s(sandbox, "exec 2>&-; (exec <&-; read x < /mnt/opelog/silence) & exit 4");
  s.talk.started();
  s.talk.ended();
  s.talk.done();
  EXPECT_EQ(WEXITSTATUS(s.child.wait()), 4);
  // What goes on copying has the waiter's other end of our input: it is gone when that is closed.
  ::fcntl(s.in.write_end.get(), F_SETFL, O_NONBLOCK);
  s.out.read_end.close();
  s.err.read_end.close();
  EXPECT_TRUE(eventually([&] { return ::write(s.in.write_end.get(), "x", 1) < 0 && errno == EPIPE; }));
}

TEST(Waiter, TheKeyboardsSignalsDoNotTouchIt) {
  Sandbox sandbox;
  sandbox.listen();
  TerminalSession s(sandbox, "echo up; read x; exit 3");
  s.talk.started();
  (void)read_until(s.inner.master.get(), "up");
  for (const int number : {SIGINT, SIGQUIT, SIGHUP, SIGTSTP, SIGTTIN, SIGTTOU, SIGPIPE, SIGTERM, SIGUSR1})
    ASSERT_EQ(::kill(s.child.pid(), number), 0);
  ASSERT_EQ(::write(s.inner.master.get(), "\n", 1), 1);
  EXPECT_EQ(s.talk.ended().status, 3);
  s.talk.done();
  EXPECT_EQ(WEXITSTATUS(s.child.wait()), 3);
}

TEST(Waiter, ManyWindowSizesMergeWhileNobodyListens) {
  Sandbox sandbox;
  sandbox.listen();
  TerminalSession s(sandbox, "echo up; read x; exit 4");
  s.talk.started();
  (void)read_until(s.inner.master.get(), "up");
  for (int i = 0; i < 100000 && s.child.running(); ++i) ::kill(s.child.pid(), SIGWINCH);
  ASSERT_EQ(::write(s.inner.master.get(), "\n", 1), 1);
  opelog_frame head{};
  do {
    const std::string packet = s.talk.packet();
    ASSERT_EQ(packet.size(), sizeof(opelog_ended));
    std::memcpy(&head, packet.data(), sizeof head);
  } while (head.type == OPELOG_RESIZED);
  EXPECT_EQ(head.type, static_cast<std::uint32_t>(OPELOG_ENDED));
  s.talk.done();
  EXPECT_EQ(WEXITSTATUS(s.child.wait()), 4);
}

TEST(Waiter, WithoutItNoShellIsStarted) {
  Sandbox sandbox;
  sandbox.listen();
  ASSERT_EQ(::unlink(kWaiter), 0);
  StreamSession s(sandbox, "trap '' HUP TERM; exec sleep 1000");
  EXPECT_EQ(s.talk.packet(), "");
  EXPECT_EQ(WEXITSTATUS(s.child.wait()), OPELOG_EXIT_UNAVAILABLE);
}

TEST(Waiter, WhereItCannotRunTheShellIsKilled) {
  Sandbox sandbox;
  sandbox.listen();
  write_text(kWaiter, "", 0755);
  StreamSession s(sandbox, "trap '' HUP TERM; exec sleep 1000");
  const pid_t shell = s.talk.started().pid;
  EXPECT_EQ(WEXITSTATUS(s.child.wait()), OPELOG_EXIT_UNAVAILABLE);
  EXPECT_FALSE(process_exists(shell));
  EXPECT_EQ(s.talk.packet(), "");
}

TEST(Waiter, HoldsNothingButTheConnectionAndTheTerminal) {
  Sandbox sandbox;
  sandbox.listen();
  TerminalSession s(sandbox, "echo up; read x");
  s.talk.started();
  (void)read_until(s.inner.master.get(), "up");
  const std::string at = "/proc/" + std::to_string(s.child.pid()) + "/fd/";
  EXPECT_TRUE(eventually([&] { return ::access((at + "4").c_str(), F_OK) == 0; })) << "the signalfd";
  char link[256];
  for (int fd = 0; fd < 3; ++fd) {
    const ssize_t n = ::readlink((at + std::to_string(fd)).c_str(), link, sizeof link);
    const std::string held(link, n > 0 ? static_cast<std::size_t>(n) : 0);
    EXPECT_EQ(held, fd == 0 ? s.outer.path : std::string("/dev/null"));
  }
  for (int fd = 5; fd < 64; ++fd) EXPECT_NE(::access((at + std::to_string(fd)).c_str(), F_OK), 0) << fd;
}

}  // namespace
