// Our own recordings: what the recorder tells the guard, and what root does to them behind its back.
#include <sys/time.h>

#include <map>

#include "guard_fixture.h"

namespace opelog::watch {
namespace {

class OwnRecordingTest : public GuardTest {
 protected:
  /// As the recorder does it: created, flagged through the descriptor, then told.
  void create(const std::string& name) {
    auto fd = open_at(AT_FDCWD, in(name), O_WRONLY | O_CREAT | O_EXCL | O_APPEND, 0640);
    ASSERT_TRUE(fd.ok());
    ASSERT_TRUE(set_append_only(fd->get(), true).ok());
    const std::uint64_t inode = inode_of(in(name));
    files_[name] = {std::move(*fd), inode, 0};
    guard_->own_created(directory(), name, inode);
  }
  void record(const std::string& name, const std::string& bytes) {
    Own& own = files_[name];
    ASSERT_TRUE(write_all(own.fd.get(), bytes).ok());
    own.size += bytes.size();
  }
  void close(const std::string& name) {
    Own& own = files_[name];
    own.fd.reset();
    guard_->own_closed(own.inode, own.size);
  }
  void begin(int sweep_ms = 100) {
    start({{directory(), 0}}, sweep_ms);
    guard_->set_live_size([this](std::uint64_t inode) -> std::optional<std::uint64_t> {
      for (const auto& [name, own] : files_) {
        if (own.inode == inode) return own.size;
      }
      return std::nullopt;
    });
  }
  /// What root may do: without the flag for a moment.
  void tamper(const std::string& name, const std::function<void(const std::string& path)>& how) {
    auto fd = open_at(AT_FDCWD, in(name), O_RDONLY);
    ASSERT_TRUE(fd.ok());
    ASSERT_TRUE(set_append_only(fd->get(), false).ok());
    how(in(name));
    (void)set_append_only(fd->get(), true);
  }

  void TearDown() override {
    files_.clear();
    GuardTest::TearDown();
  }

  struct Own {
    Fd fd;
    std::uint64_t inode = 0;
    std::uint64_t size = 0;
  };
  std::map<std::string, Own> files_;
};

TEST_F(OwnRecordingTest, WritingAndClosingIsNoFinding) {
  begin();
  create("u.log");
  for (int i = 0; i < 100; ++i) {
    record("u.log", "line\n");
    loop_->run_once(false);
  }
  settle();
  close("u.log");
  settle();
  EXPECT_EQ(guard_->status().findings, 0U) << all_facts();
  EXPECT_EQ(fact("guard-flagged", "u.log"), nullptr) << "it carried the flag from its birth";
}

TEST_F(OwnRecordingTest, ForeignBytesInARecordingInProgressAreFoundBySize) {
  begin();
  create("u.log");
  record("u.log", "ours");
  settle();
  write(in("u.log"), "forged");  // root appends: the flag allows that
  ASSERT_TRUE(until([&] { return fact("guard-changed", "u.log") != nullptr; })) << all_facts();
  EXPECT_EQ(field(*fact("guard-changed", "u.log"), "own"), "yes");
  EXPECT_EQ(field(*fact("guard-changed", "u.log"), "expected"), "4");
  EXPECT_EQ(field(*fact("guard-changed", "u.log"), "size"), "10");
  EXPECT_EQ(fact("guard-changed", "u.log")->level, Level::kError);
  const std::uint64_t findings = guard_->status().findings;
  settle();
  settle();
  EXPECT_EQ(guard_->status().findings, findings) << "stated once";
}

TEST_F(OwnRecordingTest, TruncatedRecordingInProgressIsFound) {
  begin();
  create("u.log");
  record("u.log", "0123456789");
  tamper("u.log", [](const std::string& path) { ASSERT_EQ(::truncate(path.c_str(), 3), 0); });
  ASSERT_TRUE(until([&] { return fact("guard-changed", "u.log") != nullptr; })) << all_facts();
}

TEST_F(OwnRecordingTest, ClosedRecordingThatGrowsShrinksOrIsTouchedIsFound) {
  begin();
  for (const char* name : {"grown", "shrunk", "touched", "same size"}) {
    create(name);
    record(name, "0123456789");
    close(name);
  }
  settle();
  EXPECT_EQ(guard_->status().findings, 0U) << all_facts();
  tamper("grown", [](const std::string& path) { write(path, "x"); });
  tamper("shrunk", [](const std::string& path) { ASSERT_EQ(::truncate(path.c_str(), 3), 0); });
  tamper("touched", [](const std::string& path) { ASSERT_EQ(::utimes(path.c_str(), nullptr), 0); });
  tamper("same size", [](const std::string& path) {
    const int fd = ::open(path.c_str(), O_WRONLY);
    ASSERT_EQ(::pwrite(fd, "X", 1, 0), 1);
    ::close(fd);
  });
  for (const char* name : {"grown", "shrunk", "touched", "same size"}) {
    EXPECT_TRUE(until([&] { return fact("guard-changed", name) != nullptr; })) << name << "\n" << all_facts();
  }
}

TEST_F(OwnRecordingTest, SizeThatDiffersAtCloseIsFound) {
  begin(0);
  create("u.log");
  record("u.log", "ours");
  write(in("u.log"), "forged");
  close("u.log");
  ASSERT_TRUE(until([&] { return fact("guard-changed", "u.log") != nullptr; })) << all_facts();
}

TEST_F(OwnRecordingTest, RecordingInProgressThatIsRemovedOrRenamedIsFound) {
  begin(0);
  create("removed");
  create("renamed");
  tamper("removed", [](const std::string& path) { ASSERT_EQ(::unlink(path.c_str()), 0); });
  tamper("renamed",
         [this](const std::string& path) { ASSERT_EQ(::rename(path.c_str(), in("hidden").c_str()), 0); });
  ASSERT_TRUE(until([&] { return fact("guard-missing", "removed") && fact("guard-renamed", "hidden"); }))
      << all_facts();
  EXPECT_EQ(fact("guard-missing", "removed")->level, Level::kError);
}

TEST_F(OwnRecordingTest, LostFlagOfARecordingIsSetAgain) {
  begin(0);
  create("u.log");
  settle();
  TempDirectory::clear(in("u.log"));
  ASSERT_TRUE(until([&] { return fact("guard-flag-lost", "u.log") != nullptr && flagged("u.log"); }))
      << all_facts();
  EXPECT_EQ(field(*fact("guard-flag-lost", "u.log"), "own"), "yes");
  record("u.log", "and it goes on");
}

TEST_F(OwnRecordingTest, RemovalByOurselvesIsNoFinding) {
  begin(0);
  create("u.log");
  close("u.log");
  settle();
  guard_->own_removed(inode_of(in("u.log")));
  TempDirectory::clear(in("u.log"));
  ASSERT_EQ(::unlink(in("u.log").c_str()), 0);
  settle();
  EXPECT_EQ(fact("guard-missing", "u.log"), nullptr) << all_facts();
}

TEST_F(OwnRecordingTest, RemovalOfWhatAnEarlierRunWroteIsNoFinding) {
  begin(0);
  write(in("u.log"), "from before");
  ASSERT_TRUE(until([&] { return flagged("u.log"); })) << all_facts();
  settle();
  guard_->own_removed(inode_of(in("u.log")));
  TempDirectory::clear(in("u.log"));
  ASSERT_EQ(::unlink(in("u.log").c_str()), 0);
  settle();
  EXPECT_EQ(fact("guard-missing", "u.log"), nullptr) << all_facts();
}

TEST_F(OwnRecordingTest, CreationThatFailsAndCleansUpAfterItselfIsNoFinding) {
  begin(0);
  {
    auto fd = open_at(AT_FDCWD, in("u.log"), O_WRONLY | O_CREAT | O_EXCL | O_APPEND, 0640);
    ASSERT_TRUE(set_append_only(fd->get(), true).ok());
    ASSERT_TRUE(set_append_only(fd->get(), false).ok());
    ::unlink(in("u.log").c_str());
  }
  settle();
  EXPECT_EQ(guard_->status().findings, 0U) << all_facts();
}

TEST_F(OwnRecordingTest, RecordingWithoutTheFlagOnPurposeGetsNone) {
  begin(100);
  auto fd = open_at(AT_FDCWD, in("plain"), O_WRONLY | O_CREAT | O_EXCL | O_APPEND, 0640);
  ASSERT_TRUE(fd.ok());
  guard_->own_created(directory(), "plain", inode_of(in("plain")), false);
  fd->reset();
  guard_->own_closed(inode_of(in("plain")), 0);
  const MonoUs began = mono_now();
  ASSERT_TRUE(until([&] { return mono_now() - began > 250 * kUsPerMs; }));  // two sweeps
  EXPECT_FALSE(flagged("plain"));
  EXPECT_EQ(guard_->status().findings, 0U) << all_facts();
}

TEST_F(OwnRecordingTest, ThawLeavesARecordingInProgressAlone) {
  begin(0);
  create("live.log");
  create("closed.log");
  close("closed.log");
  int files = -1;
  guard_->thaw(60, [&](Result<int> n) { files = n.ok() ? *n : -2; });
  ASSERT_TRUE(until([&] { return files != -1; }));
  EXPECT_EQ(files, 1);
  EXPECT_TRUE(flagged("live.log"));
  EXPECT_FALSE(flagged("closed.log"));
  TempDirectory::clear(in("live.log"));
  ASSERT_TRUE(until([&] { return fact("guard-flag-lost", "live.log") != nullptr && flagged("live.log"); }))
      << "also while thawed";
}

}  // namespace
}  // namespace opelog::watch
