#include "record/utmp_io.h"

#include <utmpx.h>

#include <cstring>

#include "probe.h"

namespace opelog::record {
namespace {

using namespace test;

utmpx entry(short type, const std::string& line, const std::string& user) {
  utmpx made{};
  made.ut_type = type;
  made.ut_pid = 42;
  line.copy(made.ut_line, sizeof made.ut_line);
  user.copy(made.ut_user, sizeof made.ut_user);
  return made;
}

class UtmpFile : public ::testing::Test {
 protected:
  void SetUp() override {
    put({entry(BOOT_TIME, "~", "reboot"), entry(DEAD_PROCESS, "pts/3", "old"),
         entry(USER_PROCESS, "pts/30", "other"), entry(USER_PROCESS, "pts/3", "me"),
         entry(USER_PROCESS, "pts/4", "you")});
  }
  void put(const std::vector<utmpx>& entries) {
    const Fd fd(::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    ASSERT_TRUE(
        write_all(fd.get(), {reinterpret_cast<const char*>(entries.data()), entries.size() * sizeof(utmpx)}));
  }
  std::vector<utmpx> get() {
    const auto bytes = std::move(read_file(path_, 1 << 20)).value();
    std::vector<utmpx> entries(bytes.size() / sizeof(utmpx));
    std::memcpy(entries.data(), bytes.data(), entries.size() * sizeof(utmpx));
    return entries;
  }
  ScratchDirectory scratch_;
  std::string path_ = scratch_ / "utmp";
};

TEST_F(UtmpFile, OnlyTheLineOfTheLivingEntryMovesAndComesBack) {
  const auto before = *read_file(path_, 1 << 20);
  const auto moved = move_utmp_line("/dev/pts/3", "/dev/pts/17", path_);
  ASSERT_TRUE(moved) << moved.error().message;
  EXPECT_TRUE(*moved);
  const auto entries = get();
  ASSERT_EQ(entries.size(), 5u);
  EXPECT_STREQ(entries[3].ut_line, "pts/17");
  EXPECT_STREQ(entries[3].ut_user, "me");
  EXPECT_STREQ(entries[1].ut_line, "pts/3");
  EXPECT_STREQ(entries[2].ut_line, "pts/30");
  EXPECT_TRUE(*move_utmp_line("/dev/pts/17", "/dev/pts/3", path_));
  EXPECT_EQ(*read_file(path_, 1 << 20), before);
}

TEST_F(UtmpFile, WithoutAnEntryOrAFileNothingHappens) {
  const auto before = *read_file(path_, 1 << 20);
  EXPECT_FALSE(*move_utmp_line("/dev/pts/99", "/dev/pts/17", path_));
  EXPECT_FALSE(*move_utmp_line("/dev/pts/3", "/dev/" + std::string(40, 'x'), path_));
  EXPECT_FALSE(*move_utmp_line("", "/dev/pts/17", path_));
  EXPECT_EQ(*read_file(path_, 1 << 20), before);
  EXPECT_FALSE(*move_utmp_line("/dev/pts/3", "/dev/pts/17", scratch_ / "absent"));
  EXPECT_FALSE(std::filesystem::exists(scratch_ / "absent"));
}

TEST_F(UtmpFile, ATornLastEntryIsLeftAlone) {
  std::filesystem::resize_file(path_, sizeof(utmpx) * 3 + 100);
  EXPECT_FALSE(*move_utmp_line("/dev/pts/3", "/dev/pts/17", path_));
}

// Any user may lock the file for reading, for as long as he likes.
TEST_F(UtmpFile, ALockOfAnotherIsNotWaitedFor) {
  const Fd other(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  struct flock lock {};
  lock.l_type = F_RDLCK;
  ASSERT_EQ(::fcntl(other.get(), F_OFD_SETLK, &lock), 0);
  EXPECT_FALSE(move_utmp_line("/dev/pts/3", "/dev/pts/17", path_));
  EXPECT_STREQ(get()[3].ut_line, "pts/3");
}

TEST_F(UtmpFile, AFifoOrALinkIsNotTouched) {
  ASSERT_EQ(::mkfifo((scratch_ / "fifo").c_str(), 0600), 0);
  std::filesystem::create_symlink(path_, scratch_ / "link");
  EXPECT_FALSE(move_utmp_line("/dev/pts/3", "/dev/pts/17", scratch_ / "fifo"));
  EXPECT_FALSE(move_utmp_line("/dev/pts/3", "/dev/pts/17", scratch_ / "link"));
  EXPECT_STREQ(get()[3].ut_line, "pts/3");
}

// What the C library's own readers make of it.
TEST_F(UtmpFile, TheLibraryFindsTheMovedLine) {
  ASSERT_TRUE(move_utmp_line("/dev/pts/3", "/dev/pts/17", path_));
  const auto said = in_child([&]() -> std::string {
    ::utmpxname(path_.c_str());
    utmpx wanted{};
    std::strcpy(wanted.ut_line, "pts/17");
    ::setutxent();
    const auto* found = ::getutxline(&wanted);
    return found == nullptr ? "nobody" : found->ut_user;
  });
  EXPECT_EQ(said, "me");
}

}  // namespace
}  // namespace opelog::record
