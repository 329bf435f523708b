#include "core/fd_io.h"

#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>

#include "scoped_dir.h"

namespace opelog {
namespace {

bool close_on_exec(int fd) {
  return (::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0;
}

TEST(Fd, ClosesOnceAndKeepsErrno) {
  const int before = count_descriptors();
  {
    auto fd = open_at(AT_FDCWD, "/dev/null", O_RDONLY);
    ASSERT_TRUE(fd.ok());
    EXPECT_EQ(count_descriptors(), before + 1);
    errno = EXDEV;
    fd->reset();
    EXPECT_EQ(errno, EXDEV);
    fd->reset();
    EXPECT_FALSE(fd->valid());
  }
  EXPECT_EQ(count_descriptors(), before);
}

TEST(Fd, MovesLeaveNothingBehind) {
  const int before = count_descriptors();
  {
    Fd a = *open_at(AT_FDCWD, "/dev/null", O_RDONLY);
    Fd b = std::move(a);
    EXPECT_FALSE(a.valid());  // NOLINT(bugprone-use-after-move): that it is empty is the promise
    Fd c = *open_at(AT_FDCWD, "/dev/null", O_RDONLY);
    c = std::move(b);
    Fd& self = c;
    c = std::move(self);
    EXPECT_TRUE(c.valid());
    EXPECT_EQ(count_descriptors(), before + 1);
  }
  EXPECT_EQ(count_descriptors(), before);
}

TEST(Fd, EveryWayOfOpeningIsCloseOnExec) {
  ScopedDir dir;
  auto opened = open_at(AT_FDCWD, dir.path("f"), O_RDWR | O_CREAT, 0600);
  ASSERT_TRUE(opened.ok());
  auto again = reopen(opened->get(), O_RDONLY);
  auto copy = duplicate(opened->get());
  ASSERT_TRUE(again.ok() && copy.ok());
  EXPECT_TRUE(close_on_exec(opened->get()));
  EXPECT_TRUE(close_on_exec(again->get()));
  EXPECT_TRUE(close_on_exec(copy->get()));
}

TEST(Fd, AReopenedDescriptorHasItsOwnFlagsAndADuplicateHasNot) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  Fd read_end(ends[0]), write_end(ends[1]);
  auto own = reopen(read_end.get(), O_RDONLY | O_NONBLOCK);
  ASSERT_TRUE(own.ok());
  EXPECT_NE(::fcntl(own->get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_EQ(::fcntl(read_end.get(), F_GETFL) & O_NONBLOCK, 0);
  auto copy = duplicate(read_end.get());
  ASSERT_EQ(::fcntl(copy->get(), F_SETFL, O_NONBLOCK), 0);
  EXPECT_NE(::fcntl(read_end.get(), F_GETFL) & O_NONBLOCK, 0);
}

TEST(Fd, SocketsCannotBeReopened) {
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  Fd a(ends[0]), b(ends[1]);
  auto again = reopen(a.get(), O_RDWR);
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().err, ENXIO);
}

TEST(Fd, ErrorsNameThePath) {
  auto fd = open_at(AT_FDCWD, "/nonexistent/x", O_RDONLY);
  ASSERT_FALSE(fd.ok());
  EXPECT_EQ(fd.error().code, Code::kNotFound);
  EXPECT_THAT(fd.error().message, ::testing::StartsWith("/nonexistent/x: "));
}

TEST(ReadFile, TakesExactlyUpToItsLimit) {
  ScopedDir dir;
  const std::string bytes(40000, 'x');
  spill(dir.path("f"), bytes);
  EXPECT_EQ(*read_file(dir.path("f"), 40000), bytes);
  auto refused = read_file(dir.path("f"), 39999);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kLimit);
  spill(dir.path("empty"), "");
  EXPECT_EQ(*read_file(dir.path("empty"), 0), "");
}

TEST(ReadFile, ADirectoryIsAnErrorAndAFifoDoesNotBlock) {
  ScopedDir dir;
  EXPECT_FALSE(read_file(dir.path(), 100).ok());
  ASSERT_EQ(::mkfifo(dir.path("fifo").c_str(), 0600), 0);
  EXPECT_EQ(*read_file(dir.path("fifo"), 100), "");
}

TEST(WriteAll, WritesWhatOnePipeCannotHoldAtOnce) {
  ScopedDir dir;
  Fd fd = *open_at(AT_FDCWD, dir.path("f"), O_WRONLY | O_CREAT, 0600);
  const std::string bytes(1 << 20, 'y');
  ASSERT_TRUE(write_all(fd.get(), bytes).ok());
  EXPECT_EQ(slurp(dir.path("f")), bytes);
  EXPECT_EQ(write_all(-1, "x").error().err, EBADF);
  EXPECT_TRUE(write_all(-1, "").ok());
}

TEST(ReplaceFile, LeavesTheNewContentItsModeAndNothingElse) {
  ScopedDir dir;
  spill(dir.path("f"), "old");
  const mode_t old_mask = ::umask(077);
  EXPECT_TRUE(replace_file(dir.path("f"), "new", 0644).ok());
  ::umask(old_mask);
  EXPECT_EQ(slurp(dir.path("f")), "new");
  struct stat st {};
  ASSERT_EQ(::stat(dir.path("f").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777, 0644u);
  EXPECT_FALSE(std::filesystem::exists(dir.path("f.new")));
}

TEST(ReplaceFile, NeverWritesThroughALinkPlantedAsItsTemporaryFile) {
  ScopedDir dir;
  spill(dir.path("victim"), "precious");
  std::filesystem::create_symlink(dir.path("victim"), dir.path("f.new"));
  EXPECT_TRUE(replace_file(dir.path("f"), "new", 0600).ok());
  EXPECT_EQ(slurp(dir.path("victim")), "precious");
  EXPECT_EQ(slurp(dir.path("f")), "new");
}

TEST(ReplaceFile, AFailureLeavesTheOldFileAndNoTemporaryOne) {
  ScopedDir dir;
  std::filesystem::create_directory(dir.path("f"));
  spill(dir.path("f/inside"), "x");
  const int before = count_descriptors();
  EXPECT_FALSE(replace_file(dir.path("f"), "new", 0600).ok());
  EXPECT_FALSE(std::filesystem::exists(dir.path("f.new")));
  EXPECT_EQ(slurp(dir.path("f/inside")), "x");
  EXPECT_FALSE(replace_file(dir.path("missing/f"), "new", 0600).ok());
  EXPECT_EQ(count_descriptors(), before);
}

}  // namespace
}  // namespace opelog
