// The guard's machine by table: no descriptor, no clock, no file.
#include "watch/guard_table.h"

#include <gtest/gtest.h>

#include <random>

#include "watch/inotify_decode.h"

namespace opelog::watch {
namespace {

constexpr DirectoryId kDir = 1;

class Machine : public ::testing::Test {
 protected:
  void begin(int settle_ms = 100, GuardLimits limits = {}) {
    table_ = std::make_unique<GuardTable>(limits);
    tell(event::Configured{{{"/d", settle_ms}}, 60000});
    EXPECT_NE(asked<action::Arm>(), nullptr);
    arm(10);
    ASSERT_NE(asked<action::Rescan>(), nullptr);
    tell(event::ScanEnded{kDir, Why::kStart});
  }
  void arm(std::uint64_t inode, DirectoryId id = kDir) {
    event::ArmDone done;
    done.directory = id;
    done.outcome = ArmOutcome::kArmed;
    done.inode = inode;
    done.device = 1;
    tell(done);
  }
  void tell(const Event& event) { last_ = table_->step(event, now_); }
  void notify(std::uint32_t bits, const std::string& name) { tell(event::Notified{kDir, bits, name}); }
  static Look regular(std::uint64_t inode, std::uint64_t size = 0, bool flag = false) {
    Look look;
    look.kind = FileKind::kRegular;
    look.inode = inode;
    look.size = size;
    look.append_only = flag;
    look.birth_ns = static_cast<std::int64_t>(inode) * 7 + 1;
    look.mtime_ns = 5;
    return look;
  }
  void look(const std::string& name, const Look& what, Why why = Why::kArrived) {
    tell(event::Looked{kDir, name, what, why, std::nullopt});
  }
  void gone(const std::string& name, Why why = Why::kSeen) { look(name, Look{}, why); }
  void done(const std::string& name, const Look& what, FlagOutcome outcome = FlagOutcome::kDone,
            bool on = true) {
    Look after = what;
    after.append_only = on && outcome == FlagOutcome::kDone;
    tell(event::FlagDone{kDir, name, what.inode, after, on, outcome, "reason"});
  }
  /// A file that carries the flag already.
  void known(const std::string& name, std::uint64_t inode) { look(name, regular(inode, 5, true)); }
  void wait(MonoUs us) {
    now_ += us;
    tell(event::Tick{});
  }

  template <typename A>
  const A* asked() const {
    for (const Action& action : last_) {
      if (const A* a = std::get_if<A>(&action)) return a;
    }
    return nullptr;
  }
  [[nodiscard]] const Fact* stated(const std::string& word) const {
    for (const Action& action : last_) {
      const auto* a = std::get_if<action::State>(&action);
      if (a != nullptr && a->fact.event == word) return &a->fact;
    }
    return nullptr;
  }

  MonoUs now_ = 1000 * kUsPerS;
  std::unique_ptr<GuardTable> table_;
  std::vector<Action> last_;
};

TEST_F(Machine, EmptyFileWaitsForItsFirstByteWithAWatchOfItsOwn) {
  begin();
  notify(mask::kCreate, "x");
  ASSERT_NE(asked<action::Examine>(), nullptr);
  EXPECT_EQ(asked<action::Examine>()->why, Why::kArrived);
  look("x", regular(7));
  ASSERT_NE(asked<action::WatchFile>(), nullptr);
  EXPECT_EQ(asked<action::Flag>(), nullptr);
  tell(event::FileModified{kDir, 7});
  ASSERT_NE(asked<action::Examine>(), nullptr);
  look("x", regular(7, 1), Why::kTouched);
  ASSERT_NE(asked<action::Flag>(), nullptr);
  EXPECT_EQ(asked<action::Flag>()->inode, 7U);
  done("x", regular(7, 1));
  EXPECT_NE(asked<action::UnwatchFile>(), nullptr);
  EXPECT_NE(stated("guard-flagged"), nullptr);
}

TEST_F(Machine, EmptyFileIsFlaggedAtTheSettleTimeAndNotAMicrosecondEarlier) {
  begin(100);
  look("x", regular(7));
  EXPECT_EQ(table_->deadline(), now_ + 100 * kUsPerMs);
  wait(100 * kUsPerMs - 1);
  EXPECT_EQ(asked<action::Examine>(), nullptr);
  look("x", regular(7), Why::kSeen);
  EXPECT_EQ(asked<action::Flag>(), nullptr);
  wait(1);
  ASSERT_NE(asked<action::Examine>(), nullptr);
  look("x", regular(7), Why::kSettled);
  EXPECT_NE(asked<action::Flag>(), nullptr);
}

TEST_F(Machine, SettleZeroFlagsAtCreation) {
  begin(0);
  look("x", regular(7));
  EXPECT_NE(asked<action::Flag>(), nullptr);
}

TEST_F(Machine, WaitingFileThatIsRenamedGoesOnWaitingUnderItsNewName) {
  begin(100);
  look("x", regular(7));
  look("y", regular(7));
  wait(100 * kUsPerMs);
  ASSERT_NE(asked<action::Examine>(), nullptr);
  EXPECT_EQ(asked<action::Examine>()->name, "y");
  EXPECT_EQ(table_->status().findings, 0U);
}

TEST_F(Machine, NothingThatIsNotAPlainFileWithOneNameIsEverFlagged) {
  begin(0);
  const struct {
    const char* kind;
    std::function<void(Look&)> change;
  } cases[] = {
      {"symlink", [](Look& l) { l.kind = FileKind::kSymlink; }},
      {"fifo", [](Look& l) { l.kind = FileKind::kFifo; }},
      {"socket", [](Look& l) { l.kind = FileKind::kSocket; }},
      {"device", [](Look& l) { l.kind = FileKind::kDevice; }},
      {"directory", [](Look& l) { l.kind = FileKind::kDirectory; }},
      {"unreadable", [](Look& l) { l.kind = FileKind::kUnreadable; }},
      {"hard-link", [](Look& l) { l.links = 2; }},
      {"hard-link", [](Look& l) { l.links = 0; }},
      {"mount", [](Look& l) { l.foreign_mount = true; }},
  };
  for (const auto& c : cases) {
    Look what = regular(7, 10);
    c.change(what);
    for (const Why why : {Why::kArrived, Why::kTouched, Why::kSeen, Why::kSettled, Why::kStart, Why::kMissed,
                          Why::kSweep, Why::kThaw, Why::kFreeze}) {
      look("x", what, why);
      EXPECT_EQ(asked<action::Flag>(), nullptr) << c.kind;
      const bool says =
          why == Why::kArrived || why == Why::kStart || why == Why::kMissed || why == Why::kFreeze;
      if (!says) {
        EXPECT_EQ(stated("guard-skipped"), nullptr) << c.kind << " a sweep says nothing again";
      }
    }
  }
  EXPECT_EQ(table_->status().directories[0].skipped, 4U * std::size(cases));
}

TEST_F(Machine, FlagThatCannotBeSetDoesNotLoopThroughItsOwnCloseEvent) {
  begin(0);
  look("x", regular(7, 1));
  done("x", regular(7, 1), FlagOutcome::kDenied);
  EXPECT_NE(stated("guard-degraded"), nullptr);
  for (int i = 0; i < 3; ++i) {
    notify(mask::kCloseNoWrite, "x");  // what opening it for the ioctl raised
    look("x", regular(7, 1), Why::kSeen);
    EXPECT_EQ(asked<action::Flag>(), nullptr);
  }
  EXPECT_FALSE(table_->status().directories[0].degraded.empty());
  look("x", regular(7, 1), Why::kSweep);
  EXPECT_NE(asked<action::Flag>(), nullptr) << "a sweep tries again";
  done("x", regular(7, 1));
  EXPECT_TRUE(table_->status().directories[0].degraded.empty()) << "it can be set now";
}

// Bound over another guarded directory while it waits to be read again.
TEST_F(Machine, ADirectoryThatBecomesAnotherNameOfOneWaitsForNothing) {
  begin();
  tell(event::Overflowed{});
  tell(event::ScanFailed{kDir, "x"});  // once more in a second
  event::ArmDone alias;
  alias.directory = kDir;
  alias.outcome = ArmOutcome::kAlias;
  alias.alias_of = 99;
  tell(alias);
  for (int i = 0; i < 3; ++i) {
    wait(2 * kCheckInterval);
    ASSERT_TRUE(table_->deadline());
    EXPECT_GT(*table_->deadline(), now_) << "due for ever";
  }
}

TEST_F(Machine, BusyFileIsTriedAgainWithGrowingPausesAndThenLeftToSweeps) {
  begin(0);
  look("x", regular(7, 1));
  int tries = 0;
  const MonoUs began = now_;
  while (asked<action::Flag>() != nullptr && tries < 1000) {
    ++tries;
    done("x", regular(7, 1), FlagOutcome::kBusy);
    if (tries == 1) {
      EXPECT_NE(stated("guard-failed"), nullptr);
    }
    if (tries > 1) {
      EXPECT_EQ(stated("guard-failed"), nullptr) << "stated once";
    }
    for (int i = 0; i < 12 && asked<action::Examine>() == nullptr; ++i) wait(kRetryInterval);
    if (asked<action::Examine>() == nullptr) break;
    look("x", regular(7, 1), Why::kSettled);
  }
  EXPECT_EQ(tries, kRetries);
  EXPECT_GE(now_ - began, 45 * kUsPerS) << "longer than the kernel lets a lease live";
}

TEST_F(Machine, LostFlagIsAFindingAndSetAgain) {
  begin();
  known("x", 7);
  notify(mask::kCloseNoWrite, "x");
  ASSERT_NE(asked<action::Examine>(), nullptr);
  look("x", regular(7, 5, false), Why::kSeen);
  EXPECT_NE(stated("guard-flag-lost"), nullptr);
  EXPECT_NE(asked<action::Flag>(), nullptr);
  done("x", regular(7, 5));
  EXPECT_EQ(stated("guard-flagged"), nullptr) << "it was said that it is set again";
  EXPECT_EQ(table_->status().findings, 1U);
}

TEST_F(Machine, RenameIsToldFromRemovalByTheInode) {
  begin();
  known("x", 7);
  known("gone", 8);
  gone("x", Why::kMoved);
  gone("gone");
  look("y", regular(7, 5, true));
  ASSERT_NE(stated("guard-renamed"), nullptr);
  wait(kRenameGrace);
  ASSERT_NE(stated("guard-missing"), nullptr);
  EXPECT_EQ(stated("guard-missing")->fields[1].second, "gone");
  EXPECT_EQ(table_->status().findings, 2U);
}

TEST_F(Machine, InodeNumberInUseAgainIsNotARename) {
  begin();
  known("x", 7);
  Look fresh = regular(7, 5);
  fresh.birth_ns += 1;
  look("y", fresh);
  EXPECT_EQ(stated("guard-renamed"), nullptr);
  EXPECT_NE(stated("guard-missing"), nullptr) << "x is gone: its inode belongs to another";
  EXPECT_NE(asked<action::Flag>(), nullptr);
}

TEST_F(Machine, FlagSetOnAnInodeNumberInUseAgainReplacesTheFileThatHadIt) {
  begin();
  known("x", 7);
  Look fresh = regular(7, 5);
  fresh.birth_ns += 1;
  done("y", fresh);  // the inode was freed and taken between the look and the flag
  ASSERT_NE(stated("guard-missing"), nullptr);
  EXPECT_EQ(table_->status().directories[0].known, 1U);
  look("y", regular(7, 5, false), Why::kArrived);
  EXPECT_EQ(stated("guard-renamed"), nullptr);
}

TEST_F(Machine, ReplacementIsStatedWhenTheOldFileTurnsUpNowhere) {
  begin();
  known("x", 7);
  look("x", regular(8, 3));
  EXPECT_NE(asked<action::Flag>(), nullptr) << "the new one is guarded at once";
  wait(kRenameGrace);
  EXPECT_NE(stated("guard-replaced"), nullptr);
}

TEST_F(Machine, LateLookOfAnEarlierNameIsNoFalseFinding) {
  // create x, mv x y, create x: all done before the first event is read.
  begin(0);
  look("x", regular(8, 0));
  done("x", regular(8, 0));
  notify(mask::kMovedFrom, "x");
  look("x", regular(8, 0, true), Why::kMoved);
  notify(mask::kMovedTo, "y");
  look("y", regular(7, 0));
  done("y", regular(7, 0));
  wait(kRenameGrace);
  EXPECT_EQ(table_->status().findings, 0U);
}

TEST_F(Machine, FilesThatAScanDoesNotMeetAreLookedAtBeforeTheyAreMissed) {
  begin();
  known("there", 7);
  known("gone", 8);
  wait(60 * kUsPerS);
  ASSERT_NE(asked<action::Rescan>(), nullptr);
  look("there", regular(7, 5, true), Why::kSweep);
  tell(event::ScanEnded{kDir, Why::kSweep});
  EXPECT_EQ(table_->deadline(), 1) << "at once";
  wait(0);
  ASSERT_NE(asked<action::Examine>(), nullptr);
  EXPECT_EQ(asked<action::Examine>()->name, "gone");
  gone("gone");
  wait(kRenameGrace);
  EXPECT_NE(stated("guard-missing"), nullptr);
}

TEST_F(Machine, ScanOutlastingTheGraceStillTellsARenameFromARemoval) {
  begin();
  known("x", 7);
  wait(60 * kUsPerS);
  ASSERT_NE(asked<action::Rescan>(), nullptr);
  gone("x", Why::kMoved);
  wait(10 * kRenameGrace);
  EXPECT_EQ(stated("guard-missing"), nullptr);
  look("zz", regular(7, 5, true), Why::kSweep);
  EXPECT_NE(stated("guard-renamed"), nullptr);
}

TEST_F(Machine, OverflowRescansEveryDirectoryButNotMoreThanOnceASecond) {
  begin();
  tell(event::Overflowed{"full"});
  EXPECT_NE(stated("guard-overflow"), nullptr);
  ASSERT_NE(asked<action::Rescan>(), nullptr);
  tell(event::ScanEnded{kDir, Why::kMissed});
  tell(event::Overflowed{"full"});
  EXPECT_EQ(asked<action::Rescan>(), nullptr);
  wait(kRescanInterval - 1);
  EXPECT_EQ(asked<action::Rescan>(), nullptr);
  wait(1);
  EXPECT_NE(asked<action::Rescan>(), nullptr);
}

TEST_F(Machine, ForeignFileMayGrowButNotShrink) {
  begin();
  known("x", 7);
  look("x", regular(7, 500, true), Why::kSeen);
  EXPECT_EQ(table_->status().findings, 0U);
  look("x", regular(7, 499, true), Why::kSeen);
  EXPECT_NE(stated("guard-changed"), nullptr);
}

TEST_F(Machine, RecordingOfOursIsNeitherFlaggedNorStatedWhenItAppears) {
  begin();
  tell(event::OwnCreated{"/d", "u.log", 7, true});
  ASSERT_NE(asked<action::Examine>(), nullptr);
  look("u.log", regular(7, 0, true), Why::kSeen);
  look("u.log", regular(7, 0, true), Why::kArrived);
  EXPECT_EQ(asked<action::Flag>(), nullptr);
  EXPECT_EQ(table_->status().findings, 0U);
  EXPECT_TRUE(table_->is_live(kDir, 7));
  tell(event::OwnClosed{7, 0});
  EXPECT_FALSE(table_->is_live(kDir, 7));
}

TEST_F(Machine, FullTableForgetsOldFilesButNeverALiveRecording) {
  GuardLimits limits;
  limits.files_per_directory = 4;
  begin(0, limits);
  tell(event::OwnCreated{"/d", "u.log", 7, true});
  for (std::uint64_t i = 100; i < 200; ++i) {
    const std::string name = "f" + std::to_string(i);
    look(name, regular(i, 1));
    ASSERT_NE(asked<action::Flag>(), nullptr) << name;
    done(name, regular(i, 1));
  }
  EXPECT_EQ(table_->status().directories[0].known, 4U);
  EXPECT_TRUE(table_->is_live(kDir, 7));
  EXPECT_EQ(table_->status().flagged_total, 100U);
}

TEST_F(Machine, FullTableOfWaitingFilesLeavesANewOneToItsClosingOrAScan) {
  GuardLimits limits;
  limits.files_per_directory = 2;
  begin(60000, limits);
  look("a", regular(1));
  look("b", regular(2));
  look("c", regular(3));
  EXPECT_EQ(asked<action::WatchFile>(), nullptr);
  look("c", regular(3, 9), Why::kTouched);
  EXPECT_NE(asked<action::Flag>(), nullptr) << "closed after writing";
  look("d", regular(4), Why::kSweep);
  EXPECT_NE(asked<action::Flag>(), nullptr) << "empty, but met by a scan";
}

TEST_F(Machine, WatchesForFirstBytesAreBoundedAndTheSettleTimeRemains) {
  GuardLimits limits;
  limits.file_watches = 1;
  begin(100, limits);
  look("a", regular(1));
  EXPECT_NE(asked<action::WatchFile>(), nullptr);
  look("b", regular(2));
  EXPECT_EQ(asked<action::WatchFile>(), nullptr);
  wait(100 * kUsPerMs);
  int examined = 0;
  for (const Action& a : last_) examined += std::holds_alternative<action::Examine>(a) ? 1 : 0;
  EXPECT_EQ(examined, 2);
}

TEST_F(Machine, RefusedWatchIsStatedOnceWithARemedy) {
  begin(100);
  look("a", regular(1));
  look("b", regular(2));
  tell(event::WatchRefused{kDir, 1, "No space left on device"});
  ASSERT_NE(stated("guard-degraded"), nullptr);
  tell(event::WatchRefused{kDir, 2, "No space left on device"});
  EXPECT_EQ(stated("guard-degraded"), nullptr);
}

TEST_F(Machine, AWatchForANameThatIsGoneIsNoShortage) {
  begin(100);
  look("a", regular(1));
  tell(event::WatchRefused{kDir, 1, "another file has the name", true});
  EXPECT_EQ(stated("guard-degraded"), nullptr);
  wait(100 * kUsPerMs);
  EXPECT_NE(asked<action::Examine>(), nullptr) << "the settle time goes on";
}

TEST_F(Machine, AScanThatFailsConcludesNothingAndIsTriedAgain) {
  begin();
  known("x", 7);
  tell(event::Overflowed{"x"});
  ASSERT_NE(asked<action::Rescan>(), nullptr);
  tell(event::ScanFailed{kDir, "Input/output error"});
  ASSERT_NE(stated("guard-degraded"), nullptr);
  EXPECT_EQ(table_->status().directories[0].degraded, "Input/output error");
  wait(kCheckInterval - 1);
  EXPECT_EQ(asked<action::Rescan>(), nullptr);
  wait(1);
  ASSERT_NE(asked<action::Rescan>(), nullptr);
  EXPECT_EQ(asked<action::Examine>(), nullptr) << "no name is taken for a missing one";
  tell(event::ScanFailed{kDir, "Input/output error"});
  EXPECT_EQ(stated("guard-degraded"), nullptr) << "said once";
  wait(kCheckInterval);
  ASSERT_NE(asked<action::Rescan>(), nullptr);
  look("x", regular(7, 5, true), Why::kMissed);
  tell(event::ScanEnded{kDir, Why::kMissed});
  EXPECT_NE(stated("guard-rearmed"), nullptr);
  EXPECT_TRUE(table_->status().directories[0].degraded.empty());
  EXPECT_EQ(table_->status().findings, 0U);
}

TEST_F(Machine, AScanOfARemovedDirectoryIsNoFault) {
  begin();
  tell(event::Overflowed{"x"});
  tell(event::ScanFailed{kDir, "No such file or directory", true});
  EXPECT_EQ(stated("guard-degraded"), nullptr);
}

TEST_F(Machine, AThawDoesNotWaitForEverForADirectoryThatCannotBeRead) {
  begin();
  tell(event::Thaw{600});
  for (int i = 1; i < kRetries; ++i) {
    tell(event::ScanFailed{kDir, "Input/output error"});
    EXPECT_EQ(asked<action::Rotated>(), nullptr) << i;
    wait(kCheckInterval);
    ASSERT_NE(asked<action::Rescan>(), nullptr) << i;
    EXPECT_EQ(asked<action::Rescan>()->why, Why::kThaw);
  }
  tell(event::ScanFailed{kDir, "Input/output error"});
  EXPECT_NE(asked<action::Rotated>(), nullptr);
  EXPECT_NE(stated("guard-failed"), nullptr) << "those left out are stated";
}

TEST_F(Machine, DirectoryReplacedByAnotherForgetsTheOldFilesAndSaysHowMany) {
  begin();
  known("x", 7);
  tell(event::OwnCreated{"/d", "u.log", 8, true});
  notify(mask::kMoveSelf, "");
  EXPECT_NE(asked<action::Arm>(), nullptr);
  arm(11);
  ASSERT_NE(stated("guard-rearmed"), nullptr);
  EXPECT_EQ(stated("guard-rearmed")->level, Level::kError) << "a recording in progress went with it";
  EXPECT_NE(asked<action::Rescan>(), nullptr);
  EXPECT_EQ(table_->status().directories[0].known, 0U);
}

TEST_F(Machine, UnsupportedFileSystemIsStatedOnceAndNothingIsFlagged) {
  begin(0);
  look("x", regular(7, 1));
  done("x", regular(7, 1), FlagOutcome::kUnsupported);
  EXPECT_NE(stated("guard-unsupported"), nullptr);
  look("y", regular(8, 1));
  EXPECT_EQ(asked<action::Flag>(), nullptr);
  EXPECT_EQ(stated("guard-unsupported"), nullptr);
  EXPECT_FALSE(table_->status().directories[0].supported);
  EXPECT_EQ(table_->status().directories[0].known, 0U);
}

TEST_F(Machine, ThawClearsFreezeSetsAndRenamesBetweenAreNoFindings) {
  begin();
  known("x", 7);
  tell(event::OwnCreated{"/d", "live", 8, true});
  tell(event::Thaw{60});
  ASSERT_NE(asked<action::Rescan>(), nullptr);
  EXPECT_EQ(asked<action::Rescan>()->why, Why::kThaw);
  look("live", regular(8, 0, true), Why::kThaw);
  EXPECT_EQ(asked<action::Flag>(), nullptr);
  look("x", regular(7, 5, true), Why::kThaw);
  ASSERT_NE(asked<action::Flag>(), nullptr);
  EXPECT_FALSE(asked<action::Flag>()->on);
  done("x", regular(7, 5), FlagOutcome::kDone, false);
  tell(event::ScanEnded{kDir, Why::kThaw});
  ASSERT_NE(asked<action::Rotated>(), nullptr);
  EXPECT_EQ(asked<action::Rotated>()->files, 1);
  EXPECT_NE(stated("guard-thawed"), nullptr);

  gone("x", Why::kMoved);
  look("x.1", regular(7, 5));
  EXPECT_EQ(stated("guard-renamed")->level, Level::kInfo);
  EXPECT_EQ(asked<action::Flag>(), nullptr);

  tell(event::Freeze{});
  look("x.1", regular(7, 5), Why::kFreeze);
  ASSERT_NE(asked<action::Flag>(), nullptr);
  EXPECT_TRUE(asked<action::Flag>()->on);
  done("x.1", regular(7, 5));
  tell(event::ScanEnded{kDir, Why::kFreeze});
  ASSERT_NE(asked<action::Rotated>(), nullptr);
  EXPECT_EQ(asked<action::Rotated>()->files, 1);
  EXPECT_EQ(table_->status().findings, 0U);
}

TEST_F(Machine, ThawEndsWhenItsTimeIsOver) {
  begin();
  tell(event::Thaw{60});
  tell(event::ScanEnded{kDir, Why::kThaw});
  wait(60 * kUsPerS - 1);
  EXPECT_TRUE(table_->thawed());
  wait(1);
  EXPECT_FALSE(table_->thawed());
  ASSERT_NE(asked<action::Rescan>(), nullptr);
  EXPECT_EQ(asked<action::Rescan>()->why, Why::kFreeze);
}

TEST_F(Machine, DirectoryLostInTheMiddleOfAThawDoesNotHoldItsEndUp) {
  begin();
  tell(event::Thaw{60});
  event::ArmDone lost;
  lost.directory = kDir;
  lost.outcome = ArmOutcome::kAbsent;
  lost.reason = "gone";
  tell(lost);
  EXPECT_NE(asked<action::Rotated>(), nullptr);
}

TEST_F(Machine, DirectoryArmedAnewInTheMiddleOfAThawIsScannedForTheThaw) {
  begin();
  tell(event::Thaw{60});
  arm(11);
  ASSERT_NE(asked<action::Rescan>(), nullptr);
  EXPECT_EQ(asked<action::Rescan>()->why, Why::kThaw);
  tell(event::ScanEnded{kDir, Why::kThaw});
  EXPECT_NE(asked<action::Rotated>(), nullptr);
}

TEST_F(Machine, DisarmedDirectoryLeavesNoDeadlineBehind) {
  begin();
  look("x", regular(7));
  tell(event::Configured{{}, 60000});
  EXPECT_NE(asked<action::Disarm>(), nullptr);
  EXPECT_NE(asked<action::UnwatchFile>(), nullptr);
  EXPECT_FALSE(table_->deadline().has_value());
}

TEST_F(Machine, AnyOrderOfEventsKeepsItsBoundsAndItsPromise) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  GuardLimits limits;
  limits.files_per_directory = 8;
  limits.file_watches = 3;
  begin(100, limits);
  const auto pick = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
  for (int i = 0; i < 20000; ++i) {
    const std::string name(1, static_cast<char>('a' + pick(12)));
    Look what = regular(1 + pick(12), pick(3), pick(2) == 0);
    if (pick(8) == 0) what.kind = static_cast<FileKind>(pick(8));
    if (pick(8) == 0) what.links = 2;
    if (pick(8) == 0) what.birth_ns += 1;
    now_ += pick(50) * kUsPerMs;
    switch (pick(11)) {
      case 0:
        tell(event::Tick{});
        break;
      case 1:
        notify(1U << pick(32), name);
        break;
      case 2:
        done(name, what, static_cast<FlagOutcome>(pick(7) == 3 ? 0 : pick(3)), pick(4) != 0);
        break;
      case 3:
        tell(event::OwnCreated{"/d", name, what.inode, pick(2) == 0});
        break;
      case 4:
        tell(event::OwnClosed{what.inode, pick(4)});
        break;
      case 5:
        pick(20) == 0 ? tell(event::Thaw{1}) : tell(event::FileModified{kDir, what.inode});
        break;
      case 6:
        pick(8) == 0 ? tell(event::ScanFailed{kDir, "x", pick(2) == 0})
                     : tell(event::ScanEnded{kDir, static_cast<Why>(pick(10))});
        break;
      case 7:
        pick(20) == 0 ? tell(event::Overflowed{"x"}) : tell(event::OwnRemoved{what.inode});
        break;
      default:
        look(name, what, static_cast<Why>(pick(10)));
        break;
    }
    for (const Action& a : last_) {
      if (const auto* flag = std::get_if<action::Flag>(&a)) {
        ASSERT_EQ(what.kind, FileKind::kRegular);
        ASSERT_EQ(what.links, 1U);
        ASSERT_EQ(flag->inode, what.inode);
        if (table_->thawed()) {
          ASSERT_TRUE(!flag->on || table_->is_live(kDir, flag->inode)) << "thawed";
        }
      }
    }
    ASSERT_LE(table_->status().directories[0].known, 8U);
    if (i % 64 == 0) {
      ASSERT_FALSE(table_->describe().empty());
    }
  }
}

}  // namespace
}  // namespace opelog::watch
