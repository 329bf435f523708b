// Needs root (CAP_LINUX_IMMUTABLE, mount namespaces); without it these tests skip and say so.
#include "core/append_only_io.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cerrno>
#include <functional>

#include "scoped_dir.h"

namespace opelog {
namespace {

class AppendOnlyFlag : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root: only it may set the append-only flag";
  }
};

TEST_F(AppendOnlyFlag, TheFlagKeepsBytesAndTheNameInPlace) {
  ScopedDir dir;
  const std::string path = dir.path("f");
  Fd fd = *open_at(AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT | O_EXCL, 0600);
  EXPECT_FALSE(*has_append_only(fd.get()));
  ASSERT_TRUE(set_append_only(fd.get(), true).ok());
  EXPECT_TRUE(*has_append_only(fd.get()));
  EXPECT_TRUE(*has_append_only(AT_FDCWD, path));
  EXPECT_TRUE(set_append_only(fd.get(), true).ok()) << "twice is once";
  EXPECT_TRUE(write_all(fd.get(), "x").ok());
  EXPECT_EQ(open_at(AT_FDCWD, path, O_WRONLY).error().code, Code::kDenied);
  EXPECT_EQ(open_at(AT_FDCWD, path, O_WRONLY | O_APPEND | O_TRUNC).error().code, Code::kDenied);
  EXPECT_EQ(::unlink(path.c_str()), -1);
  EXPECT_EQ(::rename(path.c_str(), dir.path("g").c_str()), -1);
  EXPECT_EQ(::link(path.c_str(), dir.path("g").c_str()), -1);
  ASSERT_TRUE(set_append_only(fd.get(), false).ok());
  EXPECT_FALSE(*has_append_only(fd.get()));
  EXPECT_EQ(::unlink(path.c_str()), 0);
}

TEST_F(AppendOnlyFlag, OtherFlagsOfTheFileStay) {
  ScopedDir dir;
  const std::string path = dir.path("f");
  Fd fd = *open_at(AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT, 0600);
  ASSERT_EQ(std::system(("chattr +d " + path).c_str()), 0);
  ASSERT_TRUE(set_append_only(fd.get(), true).ok());
  ASSERT_TRUE(set_append_only(fd.get(), false).ok());
  EXPECT_EQ(std::system(("lsattr " + path + " | cut -d' ' -f1 | grep -q d").c_str()), 0);
}

TEST_F(AppendOnlyFlag, LookingDoesNotFollowSymlinks) {
  ScopedDir dir;
  Fd fd = *open_at(AT_FDCWD, dir.path("f"), O_WRONLY | O_APPEND | O_CREAT, 0600);
  ASSERT_TRUE(set_append_only(fd.get(), true).ok());
  std::filesystem::create_symlink(dir.path("f"), dir.path("link"));
  EXPECT_FALSE(*has_append_only(AT_FDCWD, dir.path("link")));
  EXPECT_EQ(has_append_only(AT_FDCWD, dir.path("missing")).error().code, Code::kNotFound);
}

TEST_F(AppendOnlyFlag, AProbeOfAGoodDirectoryLeavesNothing) {
  ScopedDir dir;
  const int before = count_descriptors();
  const Status probed = probe_append_only(dir.path());
  EXPECT_TRUE(probed.ok()) << (probed.ok() ? "" : probed.error().message);
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
  EXPECT_EQ(count_descriptors(), before);
  EXPECT_FALSE(probe_append_only(dir.path("missing")).ok());
}

// Runs `check` in a child that sees `dir` as a fresh file system of `type`; its exit code is the verdict.
int in_private_mount(const std::string& dir, const char* type, const std::function<int()>& check) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("none", dir.c_str(), type, 0, nullptr) != 0) {
      ::_exit(100);
    }
    ::_exit(check());
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 101;
}

// tmpfs has had the flag since Linux 6.1, so ramfs stands for the file systems that have none.
TEST_F(AppendOnlyFlag, AFileSystemWithoutTheFlagIsNamedUnsupported) {
  ScopedDir dir;
  const int verdict = in_private_mount(dir.path(), "ramfs", [&] {
    auto fd = open_at(AT_FDCWD, dir.path("f"), O_WRONLY | O_CREAT, 0600);
    if (!fd) return 1;
    const Status set = set_append_only(fd->get(), true);
    if (set.ok() || set.error().code != Code::kUnsupported) return 2;
    if (auto seen = has_append_only(fd->get()); !seen || *seen) return 3;
    const Status probed = probe_append_only(dir.path());
    return !probed.ok() && probed.error().code == Code::kUnsupported ? 0 : 4;
  });
  if (verdict == 100) GTEST_SKIP() << "needs mount namespaces and ramfs";
  EXPECT_EQ(verdict, 0);
}

TEST_F(AppendOnlyFlag, AProbeWithoutADescriptorSaysNothingAboutTheFileSystem) {
  ScopedDir dir;
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{0, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const Status probed = probe_append_only(dir.path());
  ::setrlimit(RLIMIT_NOFILE, &before);
  ASSERT_FALSE(probed.ok());
  EXPECT_EQ(probed.error().code, Code::kLimit) << probed.error().message;
}

TEST_F(AppendOnlyFlag, OnTmpfsTheProbeAndTheFlagAgree) {
  ScopedDir dir;
  const int verdict = in_private_mount(dir.path(), "tmpfs", [&] {
    auto fd = open_at(AT_FDCWD, dir.path("f"), O_WRONLY | O_CREAT, 0600);
    const Status set = set_append_only(fd->get(), true);
    const Status probed = probe_append_only(dir.path());
    if (set.ok() != probed.ok()) return 1;
    if (!set.ok())
      return set.error().code == Code::kUnsupported && probed.error().code == Code::kUnsupported ? 0 : 2;
    return open_at(AT_FDCWD, dir.path("f"), O_WRONLY).ok() ? 3 : 0;
  });
  if (verdict == 100) GTEST_SKIP() << "needs mount namespaces";
  EXPECT_EQ(verdict, 0);
}

TEST_F(AppendOnlyFlag, WithoutTheCapabilityItIsDenied) {
  ScopedDir dir;
  // Opened before the privileges go, and owned by the user: only the capability is missing then.
  Fd fd = *open_at(AT_FDCWD, dir.path("f"), O_WRONLY | O_CREAT, 0600);
  ASSERT_EQ(::fchown(fd.get(), 65534, 65534), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(1);
    const Status set = set_append_only(fd.get(), true);
    ::_exit(!set.ok() && set.error().code == Code::kDenied ? 0 : 3);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace opelog
