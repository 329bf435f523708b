// Directories that are absent, moved, removed, replaced, mounted over, or on a file system without the flag
// (ramfs here: tmpfs keeps it since Linux 6.6).
#include <sched.h>
#include <sys/mount.h>

#include "guard_fixture.h"

namespace opelog::watch {
namespace {

/// Mounts of this test are nobody else's.
void private_mounts() {
  ASSERT_EQ(::unshare(CLONE_NEWNS), 0);
  ASSERT_EQ(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
}

class Mount {
 public:
  Mount(const std::string& source, const std::string& target, const char* type, unsigned long flags)
      : target_(target) {
    mounted_ = ::mount(source.c_str(), target.c_str(), type, flags, nullptr) == 0;
  }
  ~Mount() { off(); }
  Mount(const Mount&) = delete;
  Mount& operator=(const Mount&) = delete;
  void off() {
    if (mounted_) ::umount2(target_.c_str(), MNT_DETACH);
    mounted_ = false;
  }
  [[nodiscard]] bool ok() const { return mounted_; }

 private:
  std::string target_;
  bool mounted_ = false;
};

TEST_F(GuardTest, AbsentDirectoryIsStatedOnceAndGuardedWhenItComes) {
  const std::string later = temp_.path() + "/later";
  start({{later, 0}});
  EXPECT_EQ(count("guard-unarmed"), 1);
  EXPECT_FALSE(guard_->status().directories[0].armed);
  EXPECT_FALSE(guard_->status().directories[0].degraded.empty());
  const MonoUs began = mono_now();
  ASSERT_TRUE(until([&] { return mono_now() - began > 2 * kCheckInterval + kCheckInterval / 2; }));
  EXPECT_EQ(count("guard-unarmed"), 1) << "looked for several times by now, stated once";
  ASSERT_EQ(::mkdir(later.c_str(), 0755), 0);
  write(later + "/early", "before the guard sees the directory");
  ASSERT_TRUE(until([&] { return flagged_path(later + "/early"); })) << all_facts();
  EXPECT_EQ(count("guard-armed"), 1);
  EXPECT_TRUE(guard_->status().directories[0].armed);
  EXPECT_TRUE(guard_->status().directories[0].degraded.empty());
}

TEST_F(GuardTest, DirectoryMovedAwayAndMadeAnewIsGuardedAgain) {
  start(0);
  write(in("old"), "data");
  ASSERT_TRUE(until([&] { return flagged("old"); }));
  ASSERT_EQ(::rename(directory().c_str(), (temp_.path() + "/aside").c_str()), 0);
  ASSERT_TRUE(until([&] { return count("guard-unarmed") == 1; })) << all_facts();
  ASSERT_EQ(::mkdir(directory().c_str(), 0755), 0);
  write(in("new"), "data");
  ASSERT_TRUE(until([&] { return flagged("new"); })) << all_facts();
  EXPECT_EQ(count("guard-rearmed"), 1);
}

TEST_F(GuardTest, DirectoryMovedAwayAndBackKeepsWhatIsKnown) {
  start(0);
  write(in("old"), "data");
  ASSERT_TRUE(until([&] { return flagged("old"); }));
  ASSERT_EQ(::rename(directory().c_str(), (temp_.path() + "/aside").c_str()), 0);
  ASSERT_TRUE(until([&] { return count("guard-unarmed") == 1; }));
  TempDirectory::clear(temp_.path() + "/aside/old");  // while nobody watched
  ASSERT_EQ(::rename((temp_.path() + "/aside").c_str(), directory().c_str()), 0);
  ASSERT_TRUE(until([&] { return fact("guard-flag-lost", "old") != nullptr && flagged("old"); }))
      << all_facts();
}

TEST_F(GuardTest, RemovedDirectoryIsGuardedWhenMadeAnew) {
  start(0);
  ASSERT_EQ(::rmdir(directory().c_str()), 0);
  ASSERT_TRUE(until([&] { return count("guard-unarmed") == 1; })) << all_facts();
  ASSERT_EQ(::mkdir(directory().c_str(), 0755), 0);
  write(in("new"), "data");
  ASSERT_TRUE(until([&] { return flagged("new"); })) << all_facts();
}

TEST_F(GuardTest, RenamedParentIsNoticedThoughItRaisesNoEvent) {
  const std::string parent = temp_.path() + "/parent";
  ASSERT_EQ(::mkdir(parent.c_str(), 0755), 0);
  ASSERT_EQ(::mkdir((parent + "/d").c_str(), 0755), 0);
  start({{parent + "/d", 0}});
  ASSERT_EQ(::rename(parent.c_str(), (parent + "-aside").c_str()), 0);
  ASSERT_EQ(::mkdir(parent.c_str(), 0755), 0);
  ASSERT_EQ(::mkdir((parent + "/d").c_str(), 0755), 0);
  write(parent + "/d/new", "data");
  ASSERT_TRUE(until([&] { return flagged_path(parent + "/d/new"); })) << all_facts();
}

TEST_F(GuardTest, DirectoryReplacedByASymlinkIsNotFollowed) {
  const std::string elsewhere = temp_.path() + "/elsewhere";
  ASSERT_EQ(::mkdir(elsewhere.c_str(), 0755), 0);
  write(elsewhere + "/victim", "data");
  start(0);
  ASSERT_EQ(::rmdir(directory().c_str()), 0);
  ASSERT_EQ(::symlink(elsewhere.c_str(), directory().c_str()), 0);
  ASSERT_TRUE(until([&] {
    return !guard_->status().directories[0].armed &&
           guard_->status().directories[0].degraded.find("symbolic link") != std::string::npos;
  })) << all_facts();
  EXPECT_FALSE(flagged_path(elsewhere + "/victim"));
  ASSERT_EQ(::unlink(directory().c_str()), 0);
}

TEST_F(GuardTest, MountOverTheDirectoryIsNoticedAndSoIsItsEnd) {
  private_mounts();
  start(0);
  Mount mount("none", directory(), "ramfs", 0);
  ASSERT_TRUE(mount.ok());
  ASSERT_TRUE(until([&] { return count("guard-unsupported") == 1; })) << all_facts();
  EXPECT_FALSE(guard_->status().directories[0].supported);
  mount.off();
  write(in("below"), "data");
  ASSERT_TRUE(until([&] { return flagged("below"); })) << all_facts();
  EXPECT_TRUE(guard_->status().directories[0].supported);
}

TEST_F(GuardTest, FileSystemWithoutTheFlagIsStatedOnceWithARemedy) {
  private_mounts();
  const std::string flagless = temp_.path() + "/flagless";
  ASSERT_EQ(::mkdir(flagless.c_str(), 0755), 0);
  Mount mount("none", flagless, "ramfs", 0);
  ASSERT_TRUE(mount.ok());
  write(flagless + "/before", "data");
  start({{flagless, 0}, {directory(), 0}});
  for (int i = 0; i < 5; ++i) write(flagless + "/f" + std::to_string(i), "data");
  settle();
  EXPECT_EQ(count("guard-unsupported"), 1) << all_facts();
  EXPECT_EQ(count("guard-failed"), 0) << all_facts();
  const DirectoryStatus status = guard_->status().directories[0];
  EXPECT_TRUE(status.armed);
  EXPECT_FALSE(status.supported);
  EXPECT_NE(status.degraded.find(flagless), std::string::npos) << status.degraded;
  EXPECT_FALSE(status.remedy.empty());
}

TEST_F(GuardTest, SameDirectoryUnderTwoPathsIsGuardedOnce) {
  private_mounts();
  const std::string again = temp_.path() + "/again";
  ASSERT_EQ(::mkdir(again.c_str(), 0755), 0);
  Mount bind(directory(), again, nullptr, MS_BIND);
  ASSERT_TRUE(bind.ok());
  start({{directory(), 0}, {again, 0}});
  write(again + "/x", "data");
  ASSERT_TRUE(until([&] { return flagged("x"); }));
  settle();
  EXPECT_EQ(count("guard-armed"), 2);
  EXPECT_EQ(fact("guard-flagged", "x") != nullptr ? 1 : 0, 1);
  EXPECT_EQ(guard_->status().flagged_total, 2U) << "x and the marker, once each\n" << all_facts();
  EXPECT_TRUE(guard_->status().directories[1].armed);
  EXPECT_EQ(guard_->status().directories[0].known, 2U);
  EXPECT_EQ(guard_->status().directories[1].known, 0U);
  bind.off();  // now it is a directory of its own
  write(again + "/own", "data");
  ASSERT_TRUE(until([&] { return flagged_path(again + "/own"); })) << all_facts();
}

TEST_F(GuardTest, FileMountedOverANameIsNotTouched) {
  private_mounts();
  const std::string secret = temp_.path() + "/secret";
  write(secret, "data");
  write(in("name"), "");
  Mount bind(secret, in("name"), nullptr, MS_BIND);
  ASSERT_TRUE(bind.ok());
  start(0);
  ASSERT_NE(fact("guard-skipped", "name"), nullptr) << all_facts();
  EXPECT_EQ(field(*fact("guard-skipped", "name"), "kind"), "mount");
  EXPECT_FALSE(flagged_path(secret));
}

}  // namespace
}  // namespace opelog::watch
