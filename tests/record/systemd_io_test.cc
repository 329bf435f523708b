#include "record/systemd_io.h"

#include <sys/un.h>

#include <cstddef>
#include <cstring>

#include "probe.h"

namespace opelog::record {
namespace {

using namespace test;

// What a manager that listens at NOTIFY_SOCKET is told by `work`, each message in brackets.
std::string told(const std::function<void()>& work) {
  const ScratchDirectory scratch;
  const auto path = scratch / "notify";
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  path.copy(name.sun_path, sizeof name.sun_path - 1);
  const Fd manager(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  EXPECT_EQ(::bind(manager.get(), reinterpret_cast<sockaddr*>(&name), sizeof name), 0);
  ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
  work();
  ::unsetenv("NOTIFY_SOCKET");
  std::string all;
  char buffer[4096];
  for (ssize_t n; (n = ::recv(manager.get(), buffer, sizeof buffer, 0)) >= 0;) {
    all += "[" + std::string(buffer, static_cast<std::size_t>(n)) + "]";
  }
  return all;
}

TEST(ServiceManager, IsToldInItsOwnWords) {
  EXPECT_EQ(told([] { notify_ready("3 sessions"); }), "[READY=1\nSTATUS=3 sessions]");
  EXPECT_EQ(told([] { notify_status("x"); }), "[STATUS=x]");
  EXPECT_EQ(told([] { notify_reloading(1234567); }), "[RELOADING=1\nMONOTONIC_USEC=1234567]");
  EXPECT_EQ(told([] { notify_stopping(), notify_watchdog(); }), "[STOPPING=1][WATCHDOG=1]");
}

// In a child: for good. Whom a message is from, and how many descriptors it has.
TEST(ServiceManager, HearsAChildOfItsMainProcessAsThatOne) {
  int pair[2];
  ASSERT_EQ(::pipe2(pair, O_CLOEXEC), 0);
  const Fd reading(pair[0]);
  Fd writing(pair[1]);
  const ScratchDirectory scratch;
  const auto path = scratch / "notify";
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  path.copy(name.sun_path, sizeof name.sun_path - 1);
  const Fd manager(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::bind(manager.get(), reinterpret_cast<sockaddr*>(&name), sizeof name), 0);
  const int yes = 1;
  ASSERT_EQ(::setsockopt(manager.get(), SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
    speak_for_parent();
    std::vector<Fd> fds;
    fds.push_back(std::move(writing));
    ::_exit(tell_manager("FDSTORE=1", fds) && tell_manager("X=1", {}) ? 0 : 1);
  }
  const Child ends(child);
  for (const int expected : {1, 0}) {
    char text[64];
    iovec bytes{text, sizeof text};
    alignas(cmsghdr) char control[256];
    msghdr message{};
    message.msg_iov = &bytes;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    ASSERT_GT(::recvmsg(manager.get(), &message, MSG_CMSG_CLOEXEC), 0);
    ucred sender{};
    std::vector<Fd> got;
    for (cmsghdr* one = CMSG_FIRSTHDR(&message); one != nullptr; one = CMSG_NXTHDR(&message, one)) {
      if (one->cmsg_type == SCM_CREDENTIALS) std::memcpy(&sender, CMSG_DATA(one), sizeof sender);
      if (one->cmsg_type != SCM_RIGHTS) continue;
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(one), sizeof fd);
      got.emplace_back(fd);
    }
    EXPECT_EQ(sender.pid, ::getpid());
    EXPECT_EQ(static_cast<int>(got.size()), expected);
  }
}

TEST(ServiceManager, AStatusCannotSmuggleInAnotherAssignment) {
  EXPECT_EQ(told([] { notify_status("a\nMAINPID=1"); }), "[STATUS=a\\x0aMAINPID=1]");
}

TEST(ServiceManager, OneThatDoesNotListenDelaysNothing) {
  // More than any queue of datagrams holds: whoever waited for room would wait for ever.
  const std::string heard = told([] {
    for (int i = 0; i < 5000; ++i) notify_watchdog();
  });
  EXPECT_EQ(heard.rfind("[WATCHDOG=1][WATCHDOG=1]", 0), 0u);
  EXPECT_LT(heard.size(), 5000 * sizeof "[WATCHDOG=1]");
}

TEST(ServiceManager, MayHaveAnAbstractName) {
  const std::string name = "opelogtest-notify-" + std::to_string(::getpid());
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  name.copy(address.sun_path + 1, sizeof address.sun_path - 2);
  const Fd manager(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  ASSERT_EQ(::bind(manager.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  ::setenv("NOTIFY_SOCKET", ("@" + name).c_str(), 1);
  notify_stopping();
  ::unsetenv("NOTIFY_SOCKET");
  char buffer[64];
  const ssize_t n = ::recv(manager.get(), buffer, sizeof buffer, 0);
  ASSERT_GT(n, 0);
  EXPECT_EQ(std::string(buffer, static_cast<std::size_t>(n)), "STOPPING=1");
}

TEST(ServiceManager, WithoutOneNothingHappens) {
  ::unsetenv("NOTIFY_SOCKET");
  ::unsetenv("LISTEN_FDS");
  ::unsetenv("WATCHDOG_USEC");
  notify_ready("x");
  const auto passed = take_passed_fds();
  ASSERT_TRUE(passed);
  EXPECT_TRUE(passed->empty());
  EXPECT_FALSE(watchdog_interval_ms());
}

TEST(ServiceManager, TheWatchdogIsFedTwiceAsOftenAsItMust) {
  ::setenv("WATCHDOG_USEC", "30000000", 1);
  EXPECT_EQ(watchdog_interval_ms(), 15000u);
  ::setenv("WATCHDOG_PID", "1", 1);
  EXPECT_FALSE(watchdog_interval_ms()) << "meant for another process";
  ::unsetenv("WATCHDOG_USEC");
  ::unsetenv("WATCHDOG_PID");
}

// Runs `work` in a child that was started as systemd would, with these sockets from descriptor 3 on.
std::string activated(const std::vector<Fd>& sockets, const char* names,
                      const std::function<std::string()>& work) {
  return in_child([&] {
    std::vector<int> copies;
    for (const auto& socket : sockets) copies.push_back(::fcntl(socket.get(), F_DUPFD, 100));
    // in_child's pipe may have one of these numbers: it is put back before the answer goes through it.
    const auto pid = std::to_string(::getpid());
    std::vector<int> saved;
    for (std::size_t i = 0; i < copies.size(); ++i) {
      saved.push_back(::fcntl(3 + static_cast<int>(i), F_DUPFD_CLOEXEC, 200));
      ::dup2(copies[i], 3 + static_cast<int>(i));
      ::close(copies[i]);
    }
    ::setenv("LISTEN_PID", pid.c_str(), 1);
    ::setenv("LISTEN_FDS", std::to_string(sockets.size()).c_str(), 1);
    ::setenv("LISTEN_FDNAMES", names, 1);
    const auto said = work();
    for (std::size_t i = 0; i < saved.size(); ++i) {
      if (saved[i] >= 0) ::dup2(saved[i], 3 + static_cast<int>(i));
    }
    return said;
  });
}

class SocketActivation : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"login", "control"})
      sockets_.push_back(std::move(listen_seqpacket({scratch_ / name})).value());
  }
  ScratchDirectory scratch_;
  std::vector<Fd> sockets_;
};

TEST_F(SocketActivation, SocketsAreTakenByNameOnceAndCloseOnExec) {
  const auto said = activated(sockets_, "login:control", []() -> std::string {
    auto passed = take_passed_fds();
    if (!passed) return passed.error().message;
    auto control = take_listener(*passed, "control");
    auto login = take_listener(*passed, "login");
    auto other = take_listener(*passed, "other");
    if (!control || !login || !other) return "a socket was refused";
    if ((::fcntl(control->get(), F_GETFD) & FD_CLOEXEC) == 0) return "inherited by children";
    if (::getenv("LISTEN_FDS") != nullptr) return "the environment still speaks of them";
    return std::to_string(login->get()) + " " + std::to_string(control->get()) + " " +
           std::to_string(other->get()) + " " + std::to_string(passed->size());
  });
  EXPECT_EQ(said, "3 4 -1 0");
}

TEST_F(SocketActivation, TwoOfOneNameAreRefused) {
  const auto said = activated(sockets_, "login:login", []() -> std::string {
    auto passed = take_passed_fds();
    return passed ? code_name(take_listener(*passed, "login").error().code) : "not taken";
  });
  EXPECT_EQ(said, "invalid");
}

TEST_F(SocketActivation, WhatIsNotAListeningSeqpacketSocketIsRefused) {
  std::vector<Fd> wrong;
  wrong.emplace_back(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  wrong.emplace_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const auto said = activated(wrong, "login:control", []() -> std::string {
    auto passed = take_passed_fds();
    if (!passed) return "not taken";
    return std::string(code_name(take_listener(*passed, "login").error().code)) + " " +
           code_name(take_listener(*passed, "control").error().code);
  });
  EXPECT_EQ(said, "invalid invalid");
}

}  // namespace
}  // namespace opelog::record
