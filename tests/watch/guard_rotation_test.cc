// thaw and freeze around what logrotate does.
#include "guard_fixture.h"

namespace opelog::watch {
namespace {

class RotationTest : public GuardTest {
 protected:
  int thaw(int seconds = 60) {
    int files = -1;
    guard_->thaw(seconds,
                 [&](Result<int> n) { files = n.ok() ? *n : -2 - static_cast<int>(n.error().code); });
    EXPECT_TRUE(until([&] { return files != -1; })) << all_facts();
    return files;
  }
  int freeze() {
    int files = -1;
    guard_->freeze([&](Result<int> n) { files = n.ok() ? *n : -2 - static_cast<int>(n.error().code); });
    EXPECT_TRUE(until([&] { return files != -1; })) << all_facts();
    return files;
  }
  void files(std::initializer_list<const char*> names) {
    for (const char* name : names) write(in(name), std::string("content of ") + name);
    for (const char* name : names) ASSERT_TRUE(until([&] { return flagged(name); }));
  }
  void move(const std::string& from, const std::string& to) {
    ASSERT_EQ(::rename(in(from).c_str(), in(to).c_str()), 0) << from;
  }
};

TEST_F(RotationTest, FlaggedFileCannotBeRenamedUntilThawed) {
  start(0);
  files({"x.log"});
  EXPECT_NE(::rename(in("x.log").c_str(), in("x.log.1").c_str()), 0);
  EXPECT_EQ(thaw(), 1);
  EXPECT_EQ(::rename(in("x.log").c_str(), in("x.log.1").c_str()), 0);
}

TEST_F(RotationTest, WhatAFreezeFlagsAgainIsNotCountedAgain) {
  start(0);
  files({"x.log"});
  const auto before = guard_->status().flagged_total;
  EXPECT_EQ(thaw(), 1);
  EXPECT_EQ(freeze(), 1);
  EXPECT_EQ(guard_->status().flagged_total, before);
}

TEST_F(RotationTest, LogrotatesChainOfRenamesIsFollowedByInode) {
  start(0);
  files({"x.log", "x.log.1", "x.log.2"});
  ASSERT_EQ(thaw(), 3);
  EXPECT_TRUE(guard_->status().thawed);
  ASSERT_EQ(::unlink(in("x.log.2").c_str()), 0);
  move("x.log.1", "x.log.2");
  move("x.log", "x.log.1");
  write(in("x.log"), "");  // logrotate's `create`
  EXPECT_GE(freeze(), 2);
  EXPECT_FALSE(guard_->status().thawed);
  ASSERT_TRUE(until([&] { return flagged("x.log") && flagged("x.log.1") && flagged("x.log.2"); }))
      << all_facts();
  ASSERT_TRUE(until([&] { return count("guard-missing") == 1; })) << all_facts();
  ASSERT_NE(fact("guard-renamed", "x.log.1"), nullptr) << all_facts();
  EXPECT_EQ(field(*fact("guard-renamed", "x.log.1"), "old"), "x.log");
  ASSERT_NE(fact("guard-renamed", "x.log.2"), nullptr);
  EXPECT_EQ(field(*fact("guard-renamed", "x.log.2"), "old"), "x.log.1");
  EXPECT_EQ(guard_->status().findings, 0U) << all_facts();
}

TEST_F(RotationTest, RenamesThatNobodySawHappenAreFoundByTheFreeze) {
  start(0);
  files({"x.log", "y.log"});
  ASSERT_EQ(thaw(), 2);
  // The loop does not run until freeze: events and scan come together.
  move("x.log", "x.log.1");
  move("y.log", "x.log");
  EXPECT_EQ(freeze(), 2);
  EXPECT_TRUE(flagged("x.log"));
  EXPECT_TRUE(flagged("x.log.1"));
  ASSERT_TRUE(until([&] { return fact("guard-renamed", "x.log") && fact("guard-renamed", "x.log.1"); }))
      << all_facts();
  EXPECT_EQ(field(*fact("guard-renamed", "x.log"), "old"), "y.log");
  EXPECT_EQ(guard_->status().findings, 0U) << all_facts();
}

TEST_F(RotationTest, NothingIsFlaggedWhileThawedAndEverythingAfterwards) {
  start(0);
  ASSERT_EQ(thaw(), 0);
  write(in("new.gz"), "compressed");
  const MonoUs began = mono_now();
  ASSERT_TRUE(until([&] { return mono_now() - began > 100 * kUsPerMs; }));
  EXPECT_FALSE(flagged("new.gz"));
  EXPECT_EQ(freeze(), 1);
  EXPECT_TRUE(flagged("new.gz"));
}

TEST_F(RotationTest, ThawEndsByItselfWhenItsTimeIsOver) {
  start(0);
  files({"x.log"});
  ASSERT_EQ(thaw(1), 1);
  ASSERT_TRUE(until([&] { return count("guard-frozen") == 1; })) << all_facts();
  EXPECT_TRUE(flagged("x.log"));
  for (const Fact& f : facts_) {
    if (f.event == "guard-frozen") {
      EXPECT_EQ(f.level, Level::kWarning);
    }
  }
}

TEST_F(RotationTest, FileCutWhileThawedIsStated) {
  start(0);
  files({"x.log"});
  ASSERT_EQ(thaw(), 1);
  ASSERT_EQ(::truncate(in("x.log").c_str(), 0), 0);  // copytruncate, or a user who saw his chance
  freeze();
  ASSERT_TRUE(until([&] { return fact("guard-changed", "x.log") != nullptr; })) << all_facts();
}

TEST_F(RotationTest, RemovalAfterTheFreezeIsAFindingAgain) {
  start(0);
  files({"x.log"});
  thaw();
  freeze();
  const MonoUs began = mono_now();
  ASSERT_TRUE(until([&] { return mono_now() - began > 1200 * kUsPerMs; }));  // the grace after a rotation
  TempDirectory::clear(in("x.log"));
  ASSERT_EQ(::unlink(in("x.log").c_str()), 0);
  ASSERT_TRUE(until([&] { return guard_->status().findings >= 1; })) << all_facts();
}

TEST_F(RotationTest, MoveIntoAnotherGuardedDirectoryIsFollowed) {
  const std::string archive = temp_.path() + "/archive";
  ASSERT_EQ(::mkdir(archive.c_str(), 0755), 0);
  start({{directory(), 0}, {archive, 0}});
  files({"x.log"});
  ASSERT_EQ(thaw(), 1);
  ASSERT_EQ(::rename(in("x.log").c_str(), (archive + "/x.log.1").c_str()), 0);
  freeze();
  ASSERT_TRUE(until([&] { return fact("guard-renamed", "x.log.1") != nullptr; })) << all_facts();
  EXPECT_EQ(field(*fact("guard-renamed", "x.log.1"), "old"), in("x.log"));
  EXPECT_TRUE(flagged_path(archive + "/x.log.1"));
}

TEST_F(RotationTest, SecondThawWhileOneIsUnderWayIsRefused) {
  start(0);
  files({"x.log"});
  int first = -1, second = -1;
  Code code = Code::kIo;
  guard_->thaw(60, [&](Result<int> n) { first = n.ok() ? *n : -2; });
  guard_->thaw(60, [&](Result<int> n) {
    second = n.ok() ? 0 : 1;
    if (!n.ok()) code = n.error().code;
  });
  EXPECT_EQ(second, 1);
  EXPECT_EQ(code, Code::kExists);
  ASSERT_TRUE(until([&] { return first != -1; }));
  EXPECT_EQ(first, 1);
  guard_->thaw(0, [&](Result<int> n) { code = n.ok() ? Code::kIo : n.error().code; });
  EXPECT_EQ(code, Code::kInvalid);
}

TEST_F(RotationTest, FreezeWithoutAThawIsAnOrdinaryRescan) {
  start(0);
  files({"x.log"});
  EXPECT_EQ(freeze(), 0);
}

TEST_F(RotationTest, OverflowInTheMiddleOfAThawDoesNotLoseItsEnd) {
  start(0);
  files({"x.log"});
  int files = -1;
  guard_->thaw(60, [&](Result<int> n) { files = n.ok() ? *n : -2; });
  guard_->inject("short");
  ASSERT_TRUE(until([&] { return files != -1; })) << guard_->describe();
  EXPECT_EQ(files, 1);
}

}  // namespace
}  // namespace opelog::watch
