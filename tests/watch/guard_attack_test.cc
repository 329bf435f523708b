// What an unprivileged user tries in a directory open to all, carried out as that user.
#include <linux/fs.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include "guard_fixture.h"

namespace opelog::watch {
namespace {

TEST_F(GuardTest, OwnerCannotTruncateOverwriteRemoveRenameOrLinkAFlaggedFile) {
  start(0);
  ASSERT_EQ(as_stranger([&] {
              const int fd = ::open(in("mine").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
              return fd >= 0 && ::write(fd, "evidence", 8) == 8 ? 0 : 1;
            }),
            0);
  ASSERT_TRUE(until([&] { return flagged("mine"); }));
  EXPECT_EQ(as_stranger([&] {
              const std::string path = in("mine");
              if (::truncate(path.c_str(), 0) == 0) return 1;
              if (::open(path.c_str(), O_WRONLY) >= 0) return 2;
              if (::open(path.c_str(), O_WRONLY | O_APPEND | O_TRUNC) >= 0) return 3;
              if (::unlink(path.c_str()) == 0) return 4;
              if (::rename(path.c_str(), in("other").c_str()) == 0) return 5;
              if (::link(path.c_str(), in("other").c_str()) == 0) return 6;
              if (::chmod(path.c_str(), 0777) == 0) return 7;
              const int fd = ::open(path.c_str(), O_WRONLY | O_APPEND);
              if (fd < 0 || ::write(fd, "+", 1) != 1) return 8;  // appending is what stays
              if (::ftruncate(fd, 0) == 0) return 9;
              return 0;
            }),
            0);
  EXPECT_EQ(std::filesystem::file_size(in("mine")), 9U);
}

TEST_F(GuardTest, SymlinkIsStatedAndItsTargetNeverTouched) {
  const std::string secret = temp_.path() + "/shadow";
  write(secret, "root:secret");
  start(0);
  ASSERT_EQ(as_stranger([&] { return ::symlink(secret.c_str(), in("link.log").c_str()); }), 0);
  ASSERT_TRUE(until([&] { return fact("guard-skipped", "link.log") != nullptr; })) << all_facts();
  EXPECT_EQ(field(*fact("guard-skipped", "link.log"), "kind"), "symlink");
  EXPECT_EQ(field(*fact("guard-skipped", "link.log"), "uid"), std::to_string(kStranger));
  settle();
  EXPECT_FALSE(flagged_path(secret));
}

TEST_F(GuardTest, FifoSocketDeviceAndDirectoryAreStatedAndNeverOpened) {
  start(0);
  ASSERT_EQ(::mknod(in("device").c_str(), S_IFCHR | 0666, makedev(1, 3)), 0);
  EXPECT_EQ(as_stranger([&] {
              if (::mkfifo(in("fifo").c_str(), 0666) != 0 || ::mkdir(in("dir").c_str(), 0777) != 0) return 1;
              const int s = ::socket(AF_UNIX, SOCK_STREAM, 0);
              sockaddr_un address{};
              address.sun_family = AF_UNIX;
              in("socket").copy(address.sun_path, sizeof address.sun_path - 1);
              if (::bind(s, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return 2;
              // A guard that opened the FIFO for reading would let this open succeed.
              const MonoUs end = mono_now() + 200 * kUsPerMs;
              while (mono_now() < end) {
                if (::open(in("fifo").c_str(), O_WRONLY | O_NONBLOCK) >= 0) return 3;
              }
              return 0;
            }),
            0);
  for (const char* name : {"fifo", "socket", "device"}) {
    EXPECT_TRUE(until([&] { return fact("guard-skipped", name) != nullptr; })) << name << "\n" << all_facts();
  }
  ASSERT_TRUE(until([&] { return fact("guard-skipped", "dir") != nullptr; }));
  EXPECT_EQ(field(*fact("guard-skipped", "dir"), "kind"), "directory");
  EXPECT_EQ(guard_->status().flagged_total, 0U);
}

TEST_F(GuardTest, HardLinkIsNeverFlaggedUntilItIsTheOnlyName) {
  const std::string home = temp_.path() + "/home", secret = temp_.path() + "/secret";
  ASSERT_EQ(::mkdir(home.c_str(), 0755), 0);
  ASSERT_EQ(::chown(home.c_str(), kStranger, kStranger), 0);
  write(secret, "of root");
  start({{directory(), 0}}, 200);
  ASSERT_EQ(::link(secret.c_str(), in("planted").c_str()), 0);  // as where fs.protected_hardlinks is off
  ASSERT_EQ(as_stranger([&] {
              const int fd = ::open((home + "/own").c_str(), O_WRONLY | O_CREAT, 0644);
              return fd >= 0 && ::write(fd, "x", 1) == 1
                         ? ::link((home + "/own").c_str(), in("linked").c_str())
                         : 1;
            }),
            0);
  ASSERT_TRUE(until([&] { return fact("guard-skipped", "planted") && fact("guard-skipped", "linked"); }));
  EXPECT_EQ(field(*fact("guard-skipped", "linked"), "kind"), "hard-link");
  settle();
  EXPECT_FALSE(flagged_path(secret));
  EXPECT_FALSE(flagged("linked"));
  ASSERT_EQ(::unlink((home + "/own").c_str()), 0);
  ASSERT_TRUE(until([&] { return flagged("linked"); }))
      << "the sweep sees that it is an ordinary file by now";
  EXPECT_FALSE(flagged_path(secret));
}

TEST_F(GuardTest, WaitingFileThatGetsASecondLinkIsLeftAlone) {
  start(200);
  ASSERT_EQ(as_stranger([&] {
              const int fd = ::open(in("a").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
              return fd >= 0 ? ::link(in("a").c_str(), in("b").c_str()) : 1;
            }),
            0);
  ASSERT_TRUE(until([&] { return count("guard-skipped") >= 1; })) << all_facts();
  settle();
  EXPECT_FALSE(flagged("a"));
  EXPECT_FALSE(flagged("b"));
}

TEST_F(GuardTest, NameExchangedInARaceNeverLeadsToTheTarget) {
  const std::string secret = temp_.path() + "/shadow";
  write(secret, "root:secret");
  start(0);
  EXPECT_EQ(as_stranger([&] {
              const std::string link = in("link"), name = in("name");
              if (::symlink(secret.c_str(), link.c_str()) != 0) return 1;
              for (int i = 0; i < 3000; ++i) {
                const int fd =
                    ::open((name + std::to_string(i)).c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
                if (fd >= 0) ::close(fd);
                (void)::syscall(SYS_renameat2, AT_FDCWD, link.c_str(), AT_FDCWD,
                                (name + std::to_string(i)).c_str(), RENAME_EXCHANGE);
                if (i % 3 == 0) ::unlink(link.c_str());
                (void)!::symlink(secret.c_str(), link.c_str());
              }
              return 0;
            }),
            0);
  settle();
  EXPECT_FALSE(flagged_path(secret));
}

TEST_F(GuardTest, LeaseDelaysTheFlagButDoesNotPreventIt) {
  start(60000);
  const int delayed = as_stranger([&] {
    ::signal(SIGIO, SIG_IGN);
    const int fd = ::open(in("leased").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    if (fd < 0 || ::fcntl(fd, F_SETLEASE, F_WRLCK) != 0) return 1;
    if (::write(fd, "x", 1) != 1) return 2;
    const MonoUs end = mono_now() + 300 * kUsPerMs;
    while (mono_now() < end) ::poll(nullptr, 0, 10);
    return flagged("leased") ? 3 : 0;
  });
  EXPECT_EQ(delayed, 0);
  EXPECT_NE(fact("guard-failed", "leased"), nullptr) << all_facts();
  ASSERT_TRUE(until([&] { return flagged("leased"); })) << all_facts();
}

TEST_F(GuardTest, FloodOfFifosDoesNotFloodTheLog) {
  start(0);
  ASSERT_EQ(as_stranger([&] {
              for (int i = 0; i < 2000; ++i) {
                if (::mkfifo(in("p" + std::to_string(i)).c_str(), 0600) != 0) return 1;
              }
              return 0;
            }),
            0);
  ASSERT_TRUE(until([&] { return guard_->status().directories[0].skipped == 2000; })) << guard_->describe();
  EXPECT_EQ(count("guard-skipped"), kFactsPerWindow);
}

TEST_F(GuardTest, OpeningAndClosingInALoopDoesNotStarveOtherFiles) {
  start(0);
  write(in("busy"), "x");
  ASSERT_TRUE(until([&] { return flagged("busy"); }));
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setresuid(kStranger, kStranger, kStranger) != 0) ::_exit(1);
    for (;;) {
      const int a = ::open(in("busy").c_str(), O_RDONLY);
      const int b = ::open(in("marker-1").c_str(), O_RDONLY);
      if (a >= 0) ::close(a);
      if (b >= 0) ::close(b);
    }
  }
  settle();
  settle();
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

// The recipe itself: script reopens /dev/stderr with O_TRUNC, which a flag on the empty timing file would
// forbid.
TEST_F(GuardTest, PlainScriptWithTimingOnStderrStartsAndEndsAppendOnly) {
  if (::access("/usr/bin/script", X_OK) != 0) GTEST_SKIP() << "no script(1) here";
  start(100);
  constexpr int kSessions = 20;
  for (int i = 0; i < kSessions; ++i) {
    const std::string base = in("s" + std::to_string(i));
    const std::string command =
        "exec </dev/null >/dev/null; exec script -f -q -t -c 'echo hello from script' " + base + ".log 2>" +
        base + ".time";
    EXPECT_EQ(as_stranger([&] {
                ::execl("/bin/sh", "sh", "-c", command.c_str(), static_cast<char*>(nullptr));
                return 127;
              }),
              0)
        << i;
    std::ifstream log(base + ".log");
    const std::string text{std::istreambuf_iterator<char>(log), {}};
    EXPECT_NE(text.find("hello from script"), std::string::npos) << i << ": " << text;
    EXPECT_GT(std::filesystem::file_size(base + ".time"), 0U) << i;
  }
  for (int i = 0; i < kSessions; ++i) {
    const std::string base = "s" + std::to_string(i);
    EXPECT_TRUE(until([&] { return flagged(base + ".log") && flagged(base + ".time"); })) << i;
  }
}

}  // namespace
}  // namespace opelog::watch
