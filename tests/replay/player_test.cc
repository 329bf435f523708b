#include "replay/player.h"

#include <gtest/gtest.h>

#include <limits>

namespace opelog::replay {
namespace {

using format::Event;
using format::Outcome;

// A recording in memory, and a clock that moves only when the player waits.
class Bench {
 public:
  explicit Bench(const PlayOptions& options = {}, int rows = 24, int cols = 80)
      : player(options, rows, cols, now) {}

  Bench& output(std::int64_t at_us, const std::string& bytes) {
    return add(at_us, Event::Kind::kOutput, bytes);
  }
  Bench& add(std::int64_t at_us, Event::Kind kind, const std::string& bytes = "") {
    Event event;
    event.kind = kind;
    event.at_us = at_us;
    event.bytes = bytes;
    event.offset = events.size() * 100;
    if (kind == Event::Kind::kGap) event.gap = format::GapInfo{"output", "disk full", 7};
    if (kind == Event::Kind::kResize) event.rows = 50, event.cols = 132;
    events.push_back(event);
    return *this;
  }

  // Gives the player what it wants until it waits or is done.
  Want settle(Want want) {
    for (int steps = 0; steps < 10000; ++steps) {
      if (want == Want::kRewind) {
        next = 0;
        want = player.step(Rewound{}, now);
      } else if (want == Want::kRead) {
        Read read;
        if (next < events.size())
          read.event = events[next++];
        else
          read.outcome = at_end;
        want = player.step(read, now);
      } else {
        shown += player.take_output();
        return want;
      }
    }
    ADD_FAILURE() << "the player never waits";
    return Want::kDone;
  }
  Want start() { return settle(player.step(Tick{}, now)); }
  Want press(Key key) { return settle(player.step(key, now)); }
  // Lets time pass, ticking at each deadline.
  Want pass(std::int64_t us) {
    const MonoUs until = now + us;
    Want want = settle(player.step(Tick{}, now));
    while (want == Want::kWait) {
      const auto deadline = player.deadline();
      if (!deadline || *deadline > until) break;
      now = std::max(now, *deadline);
      want = settle(player.step(Tick{}, now));
    }
    now = std::max(now, until);
    return want;
  }
  std::string take() { return std::exchange(shown, {}); }

  MonoUs now = 1000 * kUsPerS;
  Player player;
  std::vector<Event> events;
  std::size_t next = 0;
  Outcome at_end = Outcome::kEnd;
  std::string shown;
};

constexpr std::int64_t kS = kUsPerS;

PlayOptions with(double speed) {
  PlayOptions options;
  options.speed = speed;
  return options;
}

TEST(Player, ShowsEachOutputAtItsTime) {
  Bench b;
  b.output(0, "a").output(1 * kS, "b").output(3 * kS, "c");
  EXPECT_EQ(b.start(), Want::kWait);
  EXPECT_EQ(b.take(), "a");
  EXPECT_EQ(b.player.deadline(), b.now + kS);
  b.pass(kS - 1);
  EXPECT_EQ(b.take(), "");
  b.pass(1);
  EXPECT_EQ(b.take(), "b");
  EXPECT_EQ(b.pass(2 * kS), Want::kDone);
  EXPECT_EQ(b.take(), "c");
  EXPECT_EQ(b.player.outcome(), Outcome::kEnd);
}

TEST(Player, SpeedDividesTheTime) {
  Bench b(with(4));
  b.output(0, "a").output(8 * kS, "b");
  b.start();
  b.take();
  b.pass(2 * kS - 1);
  EXPECT_EQ(b.take(), "");
  b.pass(1);
  EXPECT_EQ(b.take(), "b");
}

TEST(Player, SpeedZeroNeverWaits) {
  Bench b(with(0));
  b.output(0, "a").output(3600 * kS, "b").output(7200 * kS, "c");
  EXPECT_EQ(b.start(), Want::kDone);
  EXPECT_EQ(b.take(), "abc");
}

TEST(Player, LongPausesAreCutToMaxIdle) {
  PlayOptions options;
  options.max_idle_us = 2 * kS;
  Bench b(options);
  b.output(0, "a").output(600 * kS, "b").output(601 * kS, "c");
  b.start();
  b.pass(2 * kS);
  EXPECT_EQ(b.take(), "ab");
  b.pass(1 * kS);
  EXPECT_EQ(b.take(), "c") << "a pause below the limit keeps its length";
}

TEST(Player, ASlowTerminalDoesNotMakeTheRecordingSlower) {
  Bench b;
  b.output(0, "a").output(1 * kS, "b").output(2 * kS, "c");
  b.start();
  b.now += 5 * kS;  // the write took that long
  EXPECT_EQ(b.settle(b.player.step(Tick{}, b.now)), Want::kDone);
  EXPECT_EQ(b.take(), "abc");
}

TEST(Player, PauseStopsTheClockAndGoesOnWhereItWas) {
  Bench b;
  b.output(0, "a").output(10 * kS, "b");
  b.start();
  b.pass(4 * kS);
  b.press(Key::kPause);
  EXPECT_EQ(b.player.deadline(), std::nullopt);
  b.pass(100 * kS);
  EXPECT_EQ(b.take(), "a");
  EXPECT_EQ(b.player.position(b.now), 4 * kS);
  b.press(Key::kPause);
  EXPECT_EQ(b.player.deadline(), b.now + 6 * kS);
}

TEST(Player, StepShowsTheNextOutputAndPauses) {
  Bench b;
  b.output(0, "a").add(1 * kS, Event::Kind::kNote).output(50 * kS, "b").output(51 * kS, "c");
  b.start();
  EXPECT_EQ(b.take(), "a");
  b.press(Key::kStep);
  EXPECT_EQ(b.take(), "b") << "a note is no step";
  b.pass(100 * kS);
  EXPECT_EQ(b.take(), "");
  b.press(Key::kStep);
  EXPECT_EQ(b.take(), "c");
}

TEST(Player, ForwardShowsAtOnceWhatLiesBetween) {
  Bench b;
  b.output(0, "a").output(5 * kS, "b").output(9 * kS, "c").output(20 * kS, "d");
  b.start();
  b.take();
  b.press(Key::kForward);
  EXPECT_EQ(b.take(), "bc");
  EXPECT_EQ(b.player.position(b.now), 10 * kS);
  EXPECT_EQ(b.player.deadline(), b.now + 10 * kS);
}

TEST(Player, BackwardsDrawsAgainUpToThePlace) {
  Bench b;
  b.output(0, "a").output(5 * kS, "b").output(14 * kS, "c").output(30 * kS, "d");
  b.start();
  b.pass(16 * kS);
  EXPECT_EQ(b.take(), "abc");
  b.press(Key::kBack);
  EXPECT_EQ(b.take(), "\x1B[H\x1B[2Jab");
  EXPECT_EQ(b.player.position(b.now), 6 * kS);
  b.pass(8 * kS);
  EXPECT_EQ(b.take(), "c");
}

TEST(Player, BackwardsRestoresWhatLaterOutputHasSet) {
  Bench b;
  b.output(0, "a").output(11 * kS, "\x1B[?1049h\x1B[31m").output(30 * kS, "d");
  b.start();
  b.pass(12 * kS);
  b.take();
  b.press(Key::kBack);
  EXPECT_EQ(b.take(), "\x1B[?1049l\x1B[0m\x1B[H\x1B[2Ja");
}

TEST(Player, SeekingWhilePausedStaysPaused) {
  Bench b;
  b.output(0, "a").output(5 * kS, "b").output(30 * kS, "c");
  b.start();
  b.press(Key::kPause);
  b.press(Key::kForward);
  EXPECT_EQ(b.take(), "ab");
  b.pass(1000 * kS);
  EXPECT_EQ(b.take(), "");
  EXPECT_EQ(b.player.position(b.now), 10 * kS);
}

TEST(Player, EndGoesToTheEnd) {
  Bench b;
  b.output(0, "a").output(5000 * kS, "b");
  b.start();
  EXPECT_EQ(b.press(Key::kEnd), Want::kDone);
  EXPECT_EQ(b.take(), "ab");
}

TEST(Player, BeginGoesToTheBeginning) {
  Bench b;
  b.output(0, "a").output(5 * kS, "b").output(60 * kS, "c");
  b.start();
  b.pass(6 * kS);
  b.take();
  b.press(Key::kBegin);
  EXPECT_EQ(b.take(), "\x1B[H\x1B[2Ja");
}

TEST(Player, SpeedKeysChangeSpeedWithoutMovingThePlace) {
  Bench b;
  b.output(0, "a").output(10 * kS, "b");
  b.start();
  b.pass(2 * kS);
  b.press(Key::kFaster);
  EXPECT_EQ(b.player.position(b.now), 2 * kS);
  EXPECT_EQ(b.player.deadline(), b.now + 4 * kS);
  b.press(Key::kSlower);
  b.press(Key::kSlower);
  EXPECT_EQ(b.player.deadline(), b.now + 16 * kS);
  b.press(Key::kNormalSpeed);
  EXPECT_EQ(b.player.deadline(), b.now + 8 * kS);
  for (int i = 0; i < 100; ++i) b.press(Key::kFaster);
  EXPECT_GE(*b.player.deadline(), b.now) << "speed has a limit";
}

TEST(Player, StartsAtTheTimeAskedFor) {
  PlayOptions options;
  options.start_us = 7 * kS;
  Bench b(options);
  b.output(0, "a").output(5 * kS, "b").output(10 * kS, "c");
  b.start();
  EXPECT_EQ(b.take(), "ab");
  EXPECT_EQ(b.player.deadline(), b.now + 3 * kS);
}

TEST(Player, WithoutFollowALiveRecordingEndsWhereItIs) {
  Bench b;
  b.output(0, "a");
  b.at_end = Outcome::kNeedMore;
  EXPECT_EQ(b.start(), Want::kDone);
  EXPECT_EQ(b.player.outcome(), Outcome::kNeedMore);
}

TEST(Player, FollowWaitsAndShowsWhatComesAtOnce) {
  PlayOptions options;
  options.follow = true;
  Bench b(options);
  b.output(0, "a");
  b.at_end = Outcome::kNeedMore;
  EXPECT_EQ(b.start(), Want::kWait);
  EXPECT_EQ(b.player.deadline(), b.now + kFollowPollUs);
  b.pass(100 * kS);
  b.output(500 * kS, "b");  // long after our clock
  b.pass(kFollowPollUs);
  EXPECT_EQ(b.take(), "ab");
  b.at_end = Outcome::kEnd;
  EXPECT_EQ(b.pass(kFollowPollUs), Want::kDone);
}

TEST(Player, AfterTheFirstLiveEventTheNextKeepsItsDistance) {
  PlayOptions options;
  options.follow = true;
  Bench b(options);
  b.at_end = Outcome::kNeedMore;
  b.start();
  b.output(500 * kS, "b").output(510 * kS, "c");
  b.pass(kFollowPollUs);
  EXPECT_EQ(b.take(), "b");
  EXPECT_EQ(b.player.deadline(), b.now + 10 * kS);
}

TEST(Player, FollowPausedAsksForNothing) {
  PlayOptions options;
  options.follow = true;
  Bench b(options);
  b.at_end = Outcome::kNeedMore;
  b.start();
  b.press(Key::kPause);
  EXPECT_EQ(b.player.deadline(), std::nullopt);
}

TEST(Player, TornAndCorruptAreOutcomesAfterEverythingWasShown) {
  for (const Outcome outcome : {Outcome::kTorn, Outcome::kCorrupt}) {
    Bench b;
    b.output(0, "a\xE2\x82");
    b.at_end = outcome;
    EXPECT_EQ(b.start(), Want::kDone);
    EXPECT_EQ(b.player.outcome(), outcome);
    EXPECT_EQ(b.take(), "a\xEF\xBF\xBD");
  }
}

TEST(Player, RawShowsEveryByte) {
  PlayOptions options = with(0);
  options.raw = true;
  Bench b(options);
  b.output(0, "a\x1B]0;t\x07\xFF");
  b.start();
  EXPECT_EQ(b.take(), "a\x1B]0;t\x07\xFF");
  EXPECT_NE(b.player.restore_sequence().find("\x1B[?1000l"), std::string::npos);
}

TEST(Player, WindowSizeIsAskedForOnlyWithResize) {
  Bench quiet(with(0));
  quiet.add(0, Event::Kind::kResize).output(1, "a");
  quiet.start();
  EXPECT_EQ(quiet.take(), "a");
  PlayOptions options = with(0);
  options.resize = true;
  Bench loud(options);
  loud.add(0, Event::Kind::kResize).output(1, "a");
  loud.start();
  EXPECT_EQ(loud.take(), "\x1B[8;24;80t\x1B[8;50;132ta");
}

TEST(Player, GapsAreReportedOnceHoweverOftenWeRewind) {
  Bench b;
  b.output(0, "a").add(1 * kS, Event::Kind::kGap).output(2 * kS, "b").output(90 * kS, "c");
  b.start();
  b.pass(3 * kS);
  b.press(Key::kBegin);
  b.pass(3 * kS);
  EXPECT_EQ(b.player.gap_count(), 1U);
  EXPECT_EQ(b.player.gaps().front().why, "disk full");
}

TEST(Player, GapsBeyondTheLimitAreOnlyCounted) {
  Bench b(with(0));
  for (int i = 0; i < 100; ++i) b.add(i, Event::Kind::kGap);
  b.start();
  EXPECT_EQ(b.player.gap_count(), 100U);
  EXPECT_EQ(b.player.gaps().size(), kGapsKept);
}

TEST(Player, InfoStaysUntilTheNextKeyWhichDrawsAgain) {
  Bench b;
  b.output(0, "a").output(10 * kS, "b");
  b.start();
  b.take();
  b.press(Key::kInfo);
  EXPECT_NE(b.take().find("speed 1x"), std::string::npos);
  EXPECT_EQ(b.player.deadline(), std::nullopt);
  b.pass(100 * kS);
  b.press(Key::kForward);  // taken as "go on"
  EXPECT_EQ(b.take(), "\x1B[H\x1B[2Ja");
  EXPECT_EQ(b.player.deadline(), b.now + 10 * kS);
}

TEST(Player, StoppedAndContinuedGoesOnWhereItWas) {
  Bench b;
  b.output(0, "a").output(10 * kS, "b");
  b.start();
  b.pass(4 * kS);
  b.take();
  b.press(Key::kFreeze);
  b.now += 3600 * kS;
  b.press(Key::kThaw);
  EXPECT_EQ(b.take(), "\x1B[H\x1B[2Ja");
  EXPECT_EQ(b.player.deadline(), b.now + 6 * kS);
}

TEST(Player, QuitIsAtOnce) {
  Bench b;
  b.output(0, "a").output(10 * kS, "b");
  b.start();
  EXPECT_EQ(b.press(Key::kQuit), Want::kDone);
  EXPECT_EQ(b.player.outcome(), Outcome::kEvent);
}

TEST(Player, DamagedTimesNeitherOverflowNorGoBackwards) {
  Bench b;
  b.output(std::numeric_limits<std::int64_t>::max(), "a")
      .output(std::numeric_limits<std::int64_t>::min(), "b")
      .output(-5, "c");
  b.start();
  ASSERT_TRUE(b.player.deadline());
  EXPECT_GT(*b.player.deadline(), b.now);
  EXPECT_EQ(b.press(Key::kEnd), Want::kDone);
  EXPECT_EQ(b.take(), "abc");
}

TEST(Player, TailShowsTheLastLines) {
  const struct {
    std::size_t lines;
    const char* expected;
  } cases[] = {{0, ""},
               {1, "four"},
               {2, "three\r\nfour"},
               {3, "two\r\nthree\r\nfour"},
               {9, "one\r\ntwo\r\nthree\r\nfour"}};
  for (const auto& c : cases) {
    PlayOptions options = with(0);
    options.tail_lines = c.lines;
    Bench b(options);
    b.output(0, "one\r\ntw").output(9 * kS, "o\r\nthree\r\nfour");
    EXPECT_EQ(b.start(), Want::kDone);
    EXPECT_EQ(b.take(), c.expected) << c.lines;
  }
}

TEST(Player, TailCountsAFinishedLastLine) {
  PlayOptions options = with(0);
  options.tail_lines = 1;
  Bench b(options);
  b.output(0, "one\ntwo\n");
  b.start();
  EXPECT_EQ(b.take(), "two\n");
}

TEST(Player, TailFollowsWithWhatComes) {
  PlayOptions options = with(0);
  options.tail_lines = 1;
  options.follow = true;
  Bench b(options);
  b.output(0, "one\ntwo\n");
  b.at_end = Outcome::kNeedMore;
  EXPECT_EQ(b.start(), Want::kWait);
  EXPECT_EQ(b.take(), "two\n");
  b.output(90 * kS, "three\n");
  b.pass(kFollowPollUs);
  EXPECT_EQ(b.take(), "three\n");
}

TEST(Player, TailHoldsBackNoMoreThanItsLimit) {
  PlayOptions options = with(0);
  options.tail_lines = 1000000;
  Bench b(options);
  for (int i = 0; i < 64; ++i) b.output(i, std::string(65535, 'x') + "\n");
  b.start();
  EXPECT_LE(b.take().size(), 2 * kTailKept + 65536);
}

TEST(Player, AKeyAboutCommandsIsHandedOnAndChangesNothing) {
  Bench b;
  b.output(0, "a").output(9 * kS, "b");
  b.start();
  b.take();
  EXPECT_EQ(b.press(Key::kNextCommand), Want::kWait);
  EXPECT_EQ(b.player.take_request(), Key::kNextCommand);
  EXPECT_EQ(b.player.take_request(), std::nullopt) << "once";
  EXPECT_EQ(b.take(), "");
  b.press(Key::kHelp);
  b.press(Key::kCommands);
  EXPECT_EQ(b.player.take_request(), std::nullopt) << "it took the line of help away";
}

TEST(Player, AJumpForwardsGoesOnAndOneFromACoveredScreenDrawsAgain) {
  Bench b;
  b.output(0, "a").output(5 * kS, "b").output(9 * kS, "c").output(20 * kS, "d");
  b.start();
  b.take();
  b.settle(b.player.step(JumpTo{9 * kS}, b.now));
  EXPECT_EQ(b.take(), "bc");
  EXPECT_EQ(b.player.position(b.now), 9 * kS);
  b.press(Key::kFreeze);
  b.pass(60 * kS);
  EXPECT_EQ(b.take(), "") << "the list has the screen";
  b.settle(b.player.step(JumpTo{10 * kS}, b.now));
  const std::string again = b.take();
  EXPECT_NE(again.find("\x1B[2Jabc"), std::string::npos) << again;
  b.pass(10 * kS);
  EXPECT_EQ(b.take(), "d") << "and goes on from there";
}

TEST(Player, ThePreviousCommandIsLookedForFurtherBackWhileItPlays) {
  Bench b(with(4));
  b.output(0, "a").output(60 * kS, "b");
  b.start();
  EXPECT_EQ(b.player.back_grace(), 4 * kS);
  b.press(Key::kPause);
  EXPECT_EQ(b.player.back_grace(), 0);
}

}  // namespace
}  // namespace opelog::replay
