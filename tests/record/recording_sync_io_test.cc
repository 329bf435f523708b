#include "record/recording_sync_io.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "probe.h"

namespace opelog::record {
namespace {

using namespace test;

class RecordingSyncTest : public ::testing::Test {
 protected:
  void open(std::size_t count) {
    const Fd directory = std::move(open_at(AT_FDCWD, scratch_.path(), O_RDONLY | O_DIRECTORY)).value();
    for (std::size_t i = 0; i < count; ++i) {
      format::WriterOptions options;
      options.directory = directory.get();
      options.name = "recording" + std::to_string(++made_);
      options.append_only = AppendOnly::kOff;
      options.input = input_;
      auto writer = format::RecordingWriter::create(options, {}, 0);
      ASSERT_TRUE(writer) << writer.error().message;
      writers_.push_back(std::move(*writer));
    }
  }
  std::size_t dirty() const {
    std::size_t count = 0;
    for (const auto& writer : writers_) count += writer->dirty() ? 1 : 0;
    return count;
  }
  void settle() {
    while (sync_.busy()) loop_.run_once(true);
  }

  ScratchDirectory scratch_;
  int made_ = 0;
  bool input_ = false;
  std::vector<std::unique_ptr<format::RecordingWriter>> writers_;
  std::vector<Fact> facts_;
  Loop loop_;
  RecordingSync sync_{loop_, [this](const Fact& fact) { facts_.push_back(fact); },
                      [this](const RecordingSync::Visit& visit) {
                        for (auto& writer : writers_) visit(*writer);
                      },
                      [this] {  // a pipe cannot be synced
                        int ends[2] = {-1, -1};
                        if (!fails_ || ::pipe2(ends, O_CLOEXEC) != 0) return Fd();
                        ::close(ends[1]);
                        return Fd(ends[0]);
                      },
                      [this] {
                        ++rounds_;
                        return [this] { ++done_; };
                      }};
  bool fails_ = false;
  int rounds_ = 0, done_ = 0;
};

TEST_F(RecordingSyncTest, ARoundCountsOnlyOnceAllOfItIsOnTheDisk) {
  sync_.configure(3600 * 1000);
  open(2);
  sync_.closed(*writers_[1]);
  writers_.pop_back();
  fails_ = true;
  sync_.sync();
  EXPECT_EQ(rounds_, 1) << "what ends while it runs belongs to the next";
  EXPECT_EQ(done_, 0);
  settle();
  EXPECT_EQ(done_, 0);
  ASSERT_EQ(facts_.size(), 1u);
  EXPECT_EQ(facts_[0].event, std::string("sync-failed"));
  EXPECT_EQ(dirty(), 0u);
  fails_ = false;
  sync_.sync();
  EXPECT_TRUE(sync_.busy()) << "what failed is synced again, though nothing is new";
  settle();
  EXPECT_EQ(done_, 1);
  sync_.sync();
  EXPECT_FALSE(sync_.busy());
  EXPECT_EQ(done_, 2) << "nothing to do is done at once";
}

TEST_F(RecordingSyncTest, WithoutPromisesWhatEndsCountsAtOnce) {
  sync_.configure(0);
  EXPECT_EQ(done_, 1);
  open(1);
  sync_.closed(*writers_[0]);
  EXPECT_EQ(done_, 2);
  sync_.configure(1000);
  sync_.closed(*writers_[0]);
  EXPECT_EQ(done_, 2);
}

TEST_F(RecordingSyncTest, TheEndHasEverythingOnTheDiskOrSaysSo) {
  open(1);
  sync_.closed(*writers_[0]);
  const Fd directory = std::move(open_at(AT_FDCWD, scratch_.path(), O_RDONLY | O_DIRECTORY)).value();
  fails_ = true;
  EXPECT_FALSE(sync_.finish(directory.get()));
  fails_ = false;
  EXPECT_TRUE(sync_.finish(directory.get()));
  EXPECT_FALSE(sync_.finish(-1));
  EXPECT_EQ(facts_.size(), 2u);
}

TEST_F(RecordingSyncTest, FewAndManyAreCleanAfterwards) {
  for (const std::size_t count : {std::size_t{1}, kSyncEach, kSyncEach + 1, 4 * kSyncEach}) {
    writers_.clear();
    open(count);
    EXPECT_EQ(dirty(), count);
    sync_.sync();
    EXPECT_TRUE(sync_.busy());
    EXPECT_EQ(dirty(), 0u);
    settle();
    sync_.sync();
    EXPECT_FALSE(sync_.busy()) << "nothing new, nothing to do";
    (void)*writers_.back()->output("x", 1);
    EXPECT_EQ(dirty(), 1u);
    sync_.sync();
    EXPECT_TRUE(sync_.busy());
    settle();
  }
  EXPECT_TRUE(facts_.empty());
}

TEST_F(RecordingSyncTest, WhatComesDuringASyncWaitsForTheNext) {
  open(2);
  sync_.sync();
  (void)*writers_[0]->output("x", 1);
  sync_.sync();
  EXPECT_EQ(dirty(), 1u);
  settle();
  sync_.sync();
  EXPECT_EQ(dirty(), 0u);
  settle();
}

TEST_F(RecordingSyncTest, AClosedRecordingIsSyncedThoughItIsVisitedNoMore) {
  open(1);
  sync_.closed(*writers_[0]);
  writers_.clear();
  sync_.sync();
  EXPECT_TRUE(sync_.busy());
  settle();
  sync_.sync();
  EXPECT_FALSE(sync_.busy());
}

// Two descriptors are left where three are wanted (UBSan needs two itself): the recording stays dirty, and
// the failure is stated.
TEST_F(RecordingSyncTest, AFailureIsStatedAndTriedAgain) {
  input_ = true;
  open(1);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit none = before;
  none.rlim_cur = 0;
  for (int spare = 0; spare < 2; ++none.rlim_cur) {
    if (::fcntl(static_cast<int>(none.rlim_cur), F_GETFD) < 0) ++spare;
  }
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  sync_.sync();
  settle();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(dirty(), 1u);
  ASSERT_EQ(facts_.size(), 1u);
  EXPECT_EQ(facts_[0].event, std::string("sync-failed"));
  sync_.sync();
  settle();
  EXPECT_EQ(dirty(), 0u);
  EXPECT_EQ(facts_.size(), 1u);
}

}  // namespace
}  // namespace opelog::record
