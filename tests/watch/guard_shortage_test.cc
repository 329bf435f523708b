// What the guard does while the kernel refuses it something: inotify watches, descriptors, a directory's
// entries. The kernel's calls are taken over in this program, so that nothing of the machine is used up.
#include <sys/inotify.h>
#include <sys/syscall.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>

#include "guard_fixture.h"

namespace {
// errno that the calls below fail with; 0: they work. Watches of directories and of files apart.
std::atomic<int> no_directory_watch{0}, no_file_watch{0}, no_entries{0};
// Files that can still be opened; -1: any number. (No RLIMIT_NOFILE: UBSan itself needs descriptors.)
std::atomic<int> opens_left{-1};
}  // namespace

extern "C" int inotify_add_watch(int fd, const char* path, std::uint32_t wanted) noexcept {
  const int refused = wanted == IN_MODIFY ? no_file_watch : no_directory_watch;
  if (refused != 0) {
    errno = refused;
    return -1;
  }
  return static_cast<int>(::syscall(SYS_inotify_add_watch, fd, path, wanted));
}

extern "C" int openat(int directory, const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const unsigned mode = (flags & (O_CREAT | __O_TMPFILE)) != 0 ? va_arg(more, unsigned) : 0;
  va_end(more);
  if (opens_left == 0) {
    errno = EMFILE;
    return -1;
  }
  if (opens_left > 0) --opens_left;
  return static_cast<int>(::syscall(SYS_openat, directory, path, flags, mode));
}

extern "C" ssize_t getdents64(int fd, void* buffer, std::size_t size) noexcept {
  if (no_entries != 0) {
    errno = no_entries;
    return -1;
  }
  return ::syscall(SYS_getdents64, fd, buffer, size);
}

namespace opelog::watch {
namespace {

/// The guard can open `left` more descriptors while it lives, or until give_back().
class Descriptors {
 public:
  explicit Descriptors(int left) { opens_left = left; }
  ~Descriptors() { give_back(); }
  Descriptors(const Descriptors&) = delete;
  Descriptors& operator=(const Descriptors&) = delete;
  static void give_back() { opens_left = -1; }
};

class GuardShortage : public GuardTest {
 protected:
  void TearDown() override {
    no_directory_watch = no_file_watch = no_entries = 0;
    opens_left = -1;
    GuardTest::TearDown();
  }
  [[nodiscard]] const Fact* first(const std::string& event) const {
    for (const Fact& f : facts_) {
      if (f.event == event) return &f;
    }
    return nullptr;
  }
  [[nodiscard]] DirectoryStatus status() const { return guard_->status().directories.at(0); }
};

TEST_F(GuardShortage, WithoutAWatchSweepsGuardUntilThereIsOne) {
  no_directory_watch = ENOSPC;
  start(0, 100);
  const Fact* stated = first("guard-degraded");
  ASSERT_NE(stated, nullptr) << all_facts();
  EXPECT_EQ(stated->level, Level::kError);
  EXPECT_NE(stated->text.find("inotify watches are used up"), std::string::npos) << stated->text;
  EXPECT_EQ(field(*stated, "remedy"), "raise fs.inotify.max_user_watches");
  EXPECT_EQ(status().remedy, "raise fs.inotify.max_user_watches");
  write(in("swept"), "data");
  ASSERT_TRUE(until([&] { return flagged("swept"); })) << all_facts();
  EXPECT_EQ(count("guard-degraded"), 1) << "tried again since, stated once";

  guard_->configure({{directory(), 0}}, 0);  // no sweeps: from here on only events tell
  no_directory_watch = 0;
  ASSERT_TRUE(until([&] { return count("guard-rearmed") == 1 && status().degraded.empty(); })) << all_facts();
  ASSERT_TRUE(until([&] { return count("guard-scanned") == 2; }));
  write(in("watched"), "data");
  ASSERT_TRUE(until([&] { return flagged("watched"); })) << all_facts();
}

TEST_F(GuardShortage, WithoutAFileWatchTheSettleTimeDecides) {
  start(150);
  no_file_watch = ENOSPC;
  for (const char* name : {"a", "b"}) write(in(name), "");
  ASSERT_TRUE(until([&] { return flagged("a") && flagged("b"); })) << all_facts();
  ASSERT_EQ(count("guard-degraded"), 1) << "once, not for each file\n" << all_facts();
  EXPECT_NE(first("guard-degraded")->text.find("settle time"), std::string::npos);

  no_file_watch = 0;
  guard_->configure({{directory(), 60000}}, 0);
  const int fd = ::open(in("open").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  ASSERT_TRUE(until([&] { return status().waiting == 1; }));
  ASSERT_EQ(::write(fd, "x", 1), 1);
  ASSERT_TRUE(until([&] { return flagged("open"); })) << "watched again: the first byte is seen at once";
  ::close(fd);
}

TEST_F(GuardShortage, ANameThatIsGoneBeforeItsWatchIsNoShortage) {
  start(60000);
  ASSERT_EQ(
      as_stranger([&] {
        for (int i = 0; i < 2000; ++i) {
          const int fd = ::open(in("here").c_str(), O_WRONLY | O_CREAT, 0600);
          if (fd < 0) return 1;
          ::close(fd);
          if (::rename(in("here").c_str(), in("there").c_str()) != 0 || ::unlink(in("there").c_str()) != 0)
            return 2;
        }
        return 0;
      }),
      0);
  settle();
  EXPECT_EQ(count("guard-degraded"), 0) << all_facts();
}

TEST_F(GuardShortage, WithoutDescriptorsAFileIsStatedAndFlaggedByTheNextSweep) {
  start(0, 200);
  const Descriptors none(0);
  ASSERT_EQ(::mknod(in("x").c_str(), S_IFREG | 0644, 0), 0);  // takes no descriptor
  ASSERT_TRUE(until([&] { return fact("guard-failed", "x") != nullptr; })) << all_facts();
  EXPECT_NE(field(*fact("guard-failed", "x"), "reason").find("Too many open files"), std::string::npos);
  EXPECT_FALSE(flagged("x"));
  Descriptors::give_back();
  ASSERT_TRUE(until([&] { return flagged("x"); })) << all_facts();
}

TEST_F(GuardShortage, WithoutDescriptorsAnEmptyFileIsNotCalledAShortageOfWatches) {
  start({{directory(), 200}}, 200);
  const Descriptors none(0);
  ASSERT_EQ(::mknod(in("x").c_str(), S_IFREG | 0644, 0), 0);
  ASSERT_TRUE(until([&] { return first("guard-degraded") != nullptr; })) << all_facts();
  EXPECT_EQ(field(*first("guard-degraded"), "remedy"), "raise the daemon's LimitNOFILE");
  Descriptors::give_back();
  ASSERT_TRUE(until([&] { return flagged("x"); })) << all_facts();
}

TEST_F(GuardShortage, ADirectoryThatCannotBeOpenedForWantOfDescriptorsIsArmedLater) {
  auto guard = Guard::open(*loop_, [this](const Fact& f) { facts_.push_back(f); });
  ASSERT_TRUE(guard.ok());
  guard_ = std::move(*guard);
  write(in("x"), "data");
  const Descriptors none(0);
  guard_->configure({{directory(), 0}}, 0);
  const Fact* stated = first("guard-unarmed");
  ASSERT_NE(stated, nullptr) << all_facts();
  EXPECT_NE(stated->text.find("Too many open files"), std::string::npos) << stated->text;
  EXPECT_EQ(field(*stated, "remedy"), "raise the daemon's LimitNOFILE");
  Descriptors::give_back();
  ASSERT_TRUE(until([&] { return flagged("x"); })) << all_facts();
  EXPECT_TRUE(status().degraded.empty()) << status().degraded;
}

TEST_F(GuardShortage, TheLastDescriptorGoneBetweenOpeningAndProbingIsNoFileSystemWithoutTheFlag) {
  auto guard = Guard::open(*loop_, [this](const Fact& f) { facts_.push_back(f); });
  ASSERT_TRUE(guard.ok());
  guard_ = std::move(*guard);
  write(in("x"), "data");
  const Descriptors one(1);  // for the directory, and none for the probe
  guard_->configure({{directory(), 0}}, 200);
  Descriptors::give_back();
  EXPECT_EQ(count("guard-unsupported"), 0) << all_facts();
  EXPECT_EQ(count("guard-armed"), 1) << all_facts();
  ASSERT_TRUE(until([&] { return flagged("x"); })) << all_facts();
}

TEST_F(GuardShortage, AScanThatCannotReadTheDirectoryIsStatedAndTriedAgain) {
  write(in("old"), "data");
  no_entries = EIO;
  auto guard = Guard::open(*loop_, [this](const Fact& f) { facts_.push_back(f); });
  ASSERT_TRUE(guard.ok());
  guard_ = std::move(*guard);
  guard_->configure({{directory(), 0}}, 0);
  ASSERT_TRUE(until([&] { return count("guard-degraded") == 1; })) << all_facts();
  EXPECT_NE(first("guard-degraded")->text.find("Input/output error"), std::string::npos);
  EXPECT_NE(status().degraded.find("Input/output error"), std::string::npos) << status().degraded;
  EXPECT_EQ(count("guard-scanned"), 0) << "its end was not reached\n" << all_facts();
  EXPECT_FALSE(flagged("old"));
  no_entries = 0;
  ASSERT_TRUE(until([&] { return flagged("old") && count("guard-scanned") == 1; })) << all_facts();
  EXPECT_TRUE(status().degraded.empty()) << status().degraded;
}

TEST_F(GuardShortage, FilesAFailedScanDidNotMeetAreNotCalledMissing) {
  start(0);
  write(in("x"), "data");
  ASSERT_TRUE(until([&] { return flagged("x"); }));
  guard_->configure({{directory(), 0}}, 100);  // sweeps that fail
  no_entries = EIO;
  ASSERT_TRUE(until([&] { return count("guard-degraded") == 1; })) << all_facts();
  no_entries = 0;
  ASSERT_TRUE(until([&] { return count("guard-rearmed") == 1; })) << all_facts();
  EXPECT_EQ(guard_->status().findings, 0U) << all_facts();
  EXPECT_EQ(count("guard-missing"), 0) << all_facts();
}

}  // namespace
}  // namespace opelog::watch
