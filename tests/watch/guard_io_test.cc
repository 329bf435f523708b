// The guard on a real file system: what is flagged, when, and what is caught after all.
#include <sys/inotify.h>

#include <cstring>

#include "guard_fixture.h"
#include "watch/inotify_decode.h"

namespace opelog::watch {
namespace {

TEST_F(GuardTest, FileOfAnybodyIsAppendOnlyAfterItsFirstByte) {
  start(60000);
  ASSERT_EQ(as_stranger([&] {
              const int fd = ::open(in("x.log").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
              return fd >= 0 && ::write(fd, "a", 1) == 1 ? 0 : 1;
            }),
            0);
  ASSERT_TRUE(until([&] { return flagged("x.log"); })) << all_facts();
  const Fact* stated = fact("guard-flagged", "x.log");
  ASSERT_NE(stated, nullptr) << all_facts();
  EXPECT_EQ(field(*stated, "uid"), std::to_string(kStranger));
}

TEST_F(GuardTest, FirstByteIsNoticedWhileTheFileStaysOpen) {
  start(60000);
  const int fd = ::open(in("x.log").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  ASSERT_GE(fd, 0);
  ASSERT_TRUE(until([&] { return guard_->status().directories[0].waiting == 1; }));
  EXPECT_FALSE(flagged("x.log"));
  ASSERT_EQ(::write(fd, "a", 1), 1);
  ASSERT_TRUE(until([&] { return flagged("x.log"); }));
  EXPECT_EQ(::write(fd, "b", 1), 1) << "an appending writer goes on";
  ::close(fd);
}

TEST_F(GuardTest, EmptyFileIsFlaggedWhenSettledAndNotBefore) {
  start(150);
  const MonoUs created = mono_now();
  write(in("empty"), "");
  ASSERT_TRUE(until([&] { return flagged("empty"); }));
  EXPECT_GE(mono_now() - created, 150 * kUsPerMs);
}

TEST_F(GuardTest, SettleZeroFlagsAtCreation) {
  start(0);
  write(in("empty"), "");
  ASSERT_TRUE(until([&] { return flagged("empty"); }));
}

TEST_F(GuardTest, FilesAlreadyThereAreFlaggedAtStart) {
  write(in("old"), "data");
  write(in("old-empty"), "");
  start(50);
  EXPECT_TRUE(flagged("old"));
  ASSERT_TRUE(until([&] { return flagged("old-empty"); }));
}

TEST_F(GuardTest, FileMovedInIsFlagged) {
  start(60000);
  write(temp_.path() + "/elsewhere", "data");
  ASSERT_EQ(::rename((temp_.path() + "/elsewhere").c_str(), in("moved").c_str()), 0);
  ASSERT_TRUE(until([&] { return flagged("moved"); }));
}

TEST_F(GuardTest, BurstOfAThousandFilesMissesNone) {
  start(100);
  ASSERT_EQ(as_stranger([&] {
              for (int i = 0; i < 1000; ++i) {
                const int fd =
                    ::open(in("b" + std::to_string(i)).c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
                if (fd < 0 || (i % 2 == 0 && ::write(fd, "x", 1) != 1)) return 1;
                ::close(fd);
              }
              return 0;
            }),
            0);
  ASSERT_TRUE(until([&] { return guard_->status().flagged_total == 1000; })) << guard_->describe();
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(flagged("b" + std::to_string(i))) << i;
  EXPECT_LE(count("guard-flagged"), kFactsPerWindow) << "a burst does not flood the log";
}

TEST_F(GuardTest, MoreEventsThanTheKernelQueuesAreCaughtByARescan) {
  start(0);
  int limit = 0;
  std::ifstream("/proc/sys/fs/inotify/max_queued_events") >> limit;
  ASSERT_GT(limit, 0);
  // Three events a file (create, modify is not asked for, close): half the limit is enough to overflow.
  const int files = limit / 2 + 500;
  for (int i = 0; i < files; ++i) {
    const int fd = ::open(in("f" + std::to_string(i)).c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ASSERT_GE(fd, 0);
    ASSERT_EQ(::write(fd, "x", 1), 1);
    ::close(fd);
  }
  ASSERT_TRUE(until([&] { return guard_->status().flagged_total >= static_cast<std::uint64_t>(files); }))
      << guard_->describe();
  EXPECT_GE(count("guard-overflow"), 1);
  EXPECT_GE(guard_->status().overflows, 1U);
  int missing = 0;
  for (int i = 0; i < files; ++i) missing += flagged("f" + std::to_string(i)) ? 0 : 1;
  EXPECT_EQ(missing, 0);
}

std::string raw_event(int wd, std::uint32_t bits) {
  const std::uint32_t words[4] = {static_cast<std::uint32_t>(wd), bits, 0, 0};
  return std::string(reinterpret_cast<const char*>(words), sizeof words);
}

TEST_F(GuardTest, InjectedOverflowAndMalformedEventsLeadToARescan) {
  start(0);
  guard_->inject(raw_event(-1, mask::kOverflow));
  ASSERT_TRUE(until([&] { return count("guard-scanned") == 2; })) << all_facts();
  guard_->inject("short");
  EXPECT_EQ(count("guard-overflow"), 2);
  ASSERT_TRUE(until([&] { return count("guard-scanned") == 3; })) << all_facts();
}

TEST_F(GuardTest, ALostFlagIsStatedAndSetAgain) {
  start(0);
  write(in("x"), "data");
  ASSERT_TRUE(until([&] { return flagged("x"); }));
  TempDirectory::clear(in("x"));
  ASSERT_TRUE(until([&] { return fact("guard-flag-lost", "x") != nullptr && flagged("x"); })) << all_facts();
  EXPECT_EQ(guard_->status().findings, 1U);
}

TEST_F(GuardTest, TheSweepFindsAFlagLostWithoutAnEvent) {
  start({{directory(), 0}}, 100);
  write(in("x"), "data");
  const int fd = ::open(in("x").c_str(), O_RDONLY);
  ASSERT_TRUE(until([&] { return flagged("x"); }));
  settle();
  ASSERT_TRUE(set_append_only(fd, false).ok());  // the descriptor stays open: no event at all
  ASSERT_TRUE(until([&] { return fact("guard-flag-lost", "x") != nullptr && flagged("x"); })) << all_facts();
  ::close(fd);
}

TEST_F(GuardTest, RemovalRenameAndReplacementByRootAreStated) {
  start(0);
  for (const char* name : {"removed", "renamed", "replaced"}) write(in(name), "data");
  ASSERT_TRUE(until([&] { return flagged("removed") && flagged("renamed") && flagged("replaced"); }));
  settle();
  for (const char* name : {"removed", "renamed", "replaced"}) {
    const int fd = ::open(in(name).c_str(), O_RDONLY);
    ASSERT_TRUE(set_append_only(fd, false).ok());
    if (std::strcmp(name, "removed") == 0) ::unlink(in(name).c_str());
    if (std::strcmp(name, "renamed") == 0) ::rename(in(name).c_str(), in("new name").c_str());
    if (std::strcmp(name, "replaced") == 0) {
      ::unlink(in(name).c_str());
      write(in(name), "forged");
    }
    ::close(fd);
  }
  ASSERT_TRUE(until([&] {
    return fact("guard-missing", "removed") != nullptr && fact("guard-renamed", "new name") != nullptr &&
           fact("guard-replaced", "replaced") != nullptr && flagged("replaced") && flagged("new name");
  })) << all_facts();
  EXPECT_EQ(field(*fact("guard-renamed", "new name"), "old"), "renamed");
}

TEST_F(GuardTest, ReloadAddsAndDropsDirectoriesOnALiveGuard) {
  start(0);
  const std::string second = temp_.path() + "/second";
  ASSERT_EQ(::mkdir(second.c_str(), 0755), 0);
  guard_->configure({{second, 0}}, 0);
  ASSERT_TRUE(until([&] { return count("guard-scanned") == 2; })) << all_facts();
  EXPECT_EQ(count("guard-disarmed"), 1);
  write(second + "/x", "data");
  write(in("no longer"), "data");
  ASSERT_TRUE(until([&] { return flagged_path(second + "/x"); }));
  EXPECT_FALSE(flagged("no longer"));
  ASSERT_EQ(guard_->status().directories.size(), 1U);
  EXPECT_EQ(guard_->status().directories[0].path, second);
}

TEST_F(GuardTest, DescribeShowsTheLastRawEventsPrintably) {
  start(0);
  write(in("evil\n\x1b[31mname"), "data");
  ASSERT_TRUE(until([&] { return guard_->status().flagged_total == 1; }));
  const std::string text = guard_->describe();
  EXPECT_NE(text.find("create evil\\x0a\\x1b[31mname"), std::string::npos) << text;
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
}

TEST_F(GuardTest, DirectoryOfManyFilesIsReadInSlicesThatLetOthersRun) {
  for (int i = 0; i < 3000; ++i) write(in("f" + std::to_string(i)), "");
  auto guard = Guard::open(*loop_, [this](const Fact& fact) { facts_.push_back(fact); });
  ASSERT_TRUE(guard.ok());
  guard_ = std::move(*guard);
  guard_->configure({{directory(), 0}}, 0);
  int turns = 0;
  Timer other(*loop_, [&] { ++turns; });
  other.start(0, 1);
  while (count("guard-scanned") == 0) loop_->run_once(true);
  EXPECT_EQ(guard_->status().flagged_total, 3000U);
  EXPECT_GT(turns, 5) << "another handler of the loop had its turns meanwhile";
}

TEST_F(GuardTest, AFullTableStillFlagsEverything) {
  GuardLimits limits;
  limits.files_per_directory = 10;
  limits.file_watches = 3;
  start({{directory(), 50}}, 0, limits);
  for (int i = 0; i < 50; ++i) write(in("f" + std::to_string(i)), "x");
  ASSERT_TRUE(until([&] { return guard_->status().flagged_total >= 50; })) << guard_->describe();
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(flagged("f" + std::to_string(i)));
  EXPECT_LE(guard_->status().directories[0].known, 10U);
}

}  // namespace
}  // namespace opelog::watch
