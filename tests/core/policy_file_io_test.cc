#include "core/policy_file_io.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include "core/sha256.h"
#include "scoped_dir.h"

namespace opelog {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr const char* kGood = "version: 1\nrules: []\n";

class PolicyFile : public ::testing::Test {
 protected:
  [[nodiscard]] std::string file() const { return dir_.path("opelog.yaml"); }
  [[nodiscard]] std::string error(Trust trust = Trust::kAny) const {
    auto loaded = load_policy(file(), trust);
    return loaded.ok() ? "accepted" : loaded.error().message;
  }
  ScopedDir dir_;
};

TEST_F(PolicyFile, GivesThePolicyItsDigestAndItsTime) {
  spill(file(), kGood);
  auto loaded = load_policy(file(), Trust::kAny);
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  EXPECT_EQ(loaded->policy, Policy{});
  EXPECT_EQ(loaded->digest, sha256_hex(kGood));
  EXPECT_EQ(loaded->path, file());
  struct stat st {};
  ASSERT_EQ(::stat(file().c_str(), &st), 0);
  EXPECT_EQ(loaded->mtime / kUsPerS, st.st_mtim.tv_sec);
}

TEST_F(PolicyFile, ErrorsKeepTheirPlace) {
  spill(file(), "version: 1\nrules: []\nrulez: []\n");
  EXPECT_THAT(error(), StartsWith(file() + ":3:1: unknown key 'rulez'"));
}

TEST_F(PolicyFile, AMissingOneIsNotFound) {
  EXPECT_EQ(load_policy(file()).error().code, Code::kNotFound);
}

TEST_F(PolicyFile, OnlyRegularFilesAreReadAndNothingBlocks) {
  const int before = count_descriptors();
  fs::create_directory(file());
  EXPECT_THAT(error(), HasSubstr("not a regular file"));
  fs::remove(file());
  ASSERT_EQ(::mkfifo(file().c_str(), 0600), 0);
  EXPECT_THAT(error(), HasSubstr("not a regular file"));
  EXPECT_EQ(load_policy("/dev/zero", Trust::kAny).error().code, Code::kInvalid);
  EXPECT_EQ(count_descriptors(), before);
}

TEST_F(PolicyFile, AHugeOneIsRefusedWithoutBeingReadWhole) {
  spill(file(), "");
  fs::resize_file(file(), std::uintmax_t{1} << 40);  // sparse
  EXPECT_EQ(load_policy(file(), Trust::kAny).error().code, Code::kLimit);
}

TEST_F(PolicyFile, WritableByOthersIsRefusedWithTheRemedy) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root: the owner is checked first";
  spill(file(), kGood);
  for (const mode_t mode : {0664, 0646, 0666, 0602}) {
    ASSERT_EQ(::chmod(file().c_str(), mode), 0);
    EXPECT_THAT(error(Trust::kRoot), HasSubstr("chmod go-w " + file())) << mode;
    EXPECT_EQ(error(Trust::kAny), "accepted");
  }
  ASSERT_EQ(::chmod(file().c_str(), 0644), 0);
  EXPECT_EQ(error(Trust::kRoot), "accepted");
}

TEST_F(PolicyFile, OfAnotherOwnerIsRefusedWithTheRemedy) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root: to give a file away";
  spill(file(), kGood);
  ASSERT_EQ(::chown(file().c_str(), 65534, 0), 0);
  EXPECT_THAT(error(Trust::kRoot), HasSubstr("belongs to uid 65534, not to root: chown root:root " + file()));
  EXPECT_EQ(load_policy(file()).error().code, Code::kDenied);
}

TEST_F(PolicyFile, ASymlinkIsFollowedAndItsTargetChecked) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root: to give a file away";
  spill(dir_.path("target"), kGood);
  fs::create_symlink("target", file());
  ASSERT_EQ(::lchown(file().c_str(), 65534, 0), 0);
  EXPECT_EQ(error(Trust::kRoot), "accepted");
  ASSERT_EQ(::chown(dir_.path("target").c_str(), 65534, 0), 0);
  EXPECT_THAT(error(Trust::kRoot), HasSubstr("belongs to uid 65534"));
}

TEST_F(PolicyFile, OtherFilesOfRootsAreCheckedTheSameWay) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root: to give a file away";
  spill(file(), "ann:/bin/sh\n");
  EXPECT_EQ(*read_root_file(file(), 12), "ann:/bin/sh\n");
  EXPECT_EQ(read_root_file(file(), 11).error().code, Code::kLimit);
  ASSERT_EQ(::chmod(file().c_str(), 0666), 0);
  EXPECT_EQ(read_root_file(file(), 100).error().code, Code::kDenied);
  ASSERT_EQ(::chmod(file().c_str(), 0644), 0);
  ASSERT_EQ(::chown(file().c_str(), 65534, 0), 0);
  EXPECT_EQ(read_root_file(file(), 100).error().code, Code::kDenied);
}

// ---- the watcher, on a real loop with a real inotify

class Watching : public PolicyFile {
 protected:
  void SetUp() override { spill(file(), kGood); }

  void watch() { watch(file()); }
  void watch(const std::string& path) {
    auto opened = PolicyWatcher::open(loop_, path, [this] {
      ++calls_;
      loop_.stop();
    });
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    watcher_ = std::move(*opened);
  }

  /// Runs until the next call, or until `patience_ms` are over.
  bool called(std::uint64_t patience_ms = 20000) {
    const int before = calls_;
    Timer patience(loop_, [this] { loop_.stop(); });
    patience.start(patience_ms);
    loop_.run();
    return calls_ > before;
  }

  void replace(const std::string& text) {
    spill(dir_.path("new"), text);
    fs::rename(dir_.path("new"), file());
  }

  Loop loop_;
  std::unique_ptr<PolicyWatcher> watcher_;
  int calls_ = 0;
};

TEST_F(Watching, SeesAWriteInPlace) {
  watch();
  spill(file(), "version: 1\n");
  EXPECT_TRUE(called());
}

TEST_F(Watching, SeesAnEditorsReplacementAgainAndAgain) {
  watch();
  for (int i = 0; i < 3; ++i) {
    replace("# " + std::to_string(i) + "\n");
    EXPECT_TRUE(called()) << i;
  }
}

TEST_F(Watching, SeesTheRemedyOfAWrongMode) {
  watch();
  ASSERT_EQ(::chmod(file().c_str(), 0600), 0);
  EXPECT_TRUE(called());
}

TEST_F(Watching, SeesRemovalAndReturn) {
  watch();
  fs::remove(file());
  EXPECT_TRUE(called());
  spill(file(), kGood);
  EXPECT_TRUE(called());
}

TEST_F(Watching, TakesABurstOfChangesAsOne) {
  watch();
  for (int i = 0; i < 50; ++i) replace("# " + std::to_string(i) + "\n");
  EXPECT_TRUE(called());
  EXPECT_FALSE(called(3 * PolicyWatcher::kSettleMs));
  EXPECT_EQ(calls_, 1);
}

TEST_F(Watching, IsSilentAboutNeighbours) {
  watch();
  spill(dir_.path("other"), "x");
  fs::remove(dir_.path("other"));
  fs::create_directory(dir_.path("sub"));
  EXPECT_FALSE(called(3 * PolicyWatcher::kSettleMs));
  EXPECT_EQ(calls_, 0);
}

TEST_F(Watching, AFileThatNeverRestsIsLookedAtNevertheless) {
  watch();
  int n = 0;
  Timer writer(loop_, [&] { spill(file(), "# " + std::to_string(++n) + "\n"); });
  writer.start(0, PolicyWatcher::kSettleMs / 4);
  EXPECT_TRUE(called());
}

TEST_F(Watching, SurvivesItsDirectoryBeingReplaced) {
  fs::create_directory(dir_.path("etc"));
  spill(dir_.path("etc/p.yaml"), kGood);
  watch(dir_.path("etc/p.yaml"));
  fs::create_directory(dir_.path("etc.new"));
  spill(dir_.path("etc.new/p.yaml"), "# new\n");
  fs::rename(dir_.path("etc"), dir_.path("etc.old"));
  fs::rename(dir_.path("etc.new"), dir_.path("etc"));
  EXPECT_TRUE(called());
  spill(dir_.path("etc/p.yaml"), "# newer\n");
  EXPECT_TRUE(called()) << "the new directory is watched";
  spill(dir_.path("etc.old/p.yaml"), "# elsewhere\n");
  EXPECT_FALSE(called(3 * PolicyWatcher::kSettleMs)) << "the old one is not";
}

TEST_F(Watching, SurvivesItsDirectoryBeingRemovedAndMadeAgain) {
  fs::create_directories(dir_.path("a/b"));
  spill(dir_.path("a/b/p.yaml"), kGood);
  watch(dir_.path("a/b/p.yaml"));
  fs::remove_all(dir_.path("a"));
  EXPECT_TRUE(called());
  fs::create_directories(dir_.path("a/b"));
  spill(dir_.path("a/b/p.yaml"), kGood);
  EXPECT_TRUE(called());
  spill(dir_.path("a/b/p.yaml"), "# again\n");
  EXPECT_TRUE(called());
}

TEST_F(Watching, AFileThatDoesNotExistYetIsSeenWhenItComes) {
  watch(dir_.path("x/y/z.yaml"));
  fs::create_directories(dir_.path("x/y"));
  spill(dir_.path("x/y/z.yaml"), kGood);
  EXPECT_TRUE(called());
}

TEST_F(Watching, FollowsASymlinkToItsTargetsDirectory) {
  fs::create_directory(dir_.path("store"));
  spill(dir_.path("store/p"), kGood);
  fs::create_directory(dir_.path("etc"));
  fs::create_symlink(dir_.path("store/p"), dir_.path("etc/p.yaml"));
  watch(dir_.path("etc/p.yaml"));
  spill(dir_.path("store/p"), "# changed\n");
  EXPECT_TRUE(called()) << "target written";
  spill(dir_.path("store/q"), "# other\n");
  fs::create_symlink(dir_.path("store/q"), dir_.path("etc/tmp"));
  fs::rename(dir_.path("etc/tmp"), dir_.path("etc/p.yaml"));
  EXPECT_TRUE(called()) << "link exchanged";
}

TEST_F(Watching, MayDieInItsOwnHandlerAndLeavesNoDescriptor) {
  const int before = count_descriptors();
  auto opened = PolicyWatcher::open(loop_, file(), [this] {
    watcher_.reset();
    loop_.stop();
    ++calls_;
  });
  ASSERT_TRUE(opened.ok());
  watcher_ = std::move(*opened);
  spill(file(), "# x\n");
  EXPECT_TRUE(called());
  loop_.run_once(false);
  EXPECT_EQ(count_descriptors(), before);
}

}  // namespace
}  // namespace opelog
