#include "record/session_machine.h"

#include <gtest/gtest.h>

namespace opelog::record {
namespace {

using Kind = SessionEvent::Kind;
using format::EndReason;

constexpr MonoUs kS = kUsPerS;

SessionLimits limits(OnFailure on_failure = OnFailure::kHold) {
  return {on_failure, 10 * kS, 60 * kS, 2 * kS};
}

SessionMachine running(bool terminal, OnFailure on_failure = OnFailure::kHold) {
  SessionMachine machine(terminal, limits(on_failure), 0);
  machine.step({Kind::kStarted, false, 0, {}}, 1);
  return machine;
}

TEST(SessionMachine, ARunningSessionHasNoDeadline) {
  SessionMachine machine(true, limits(), 100);
  EXPECT_EQ(machine.deadline(), 100 + 10 * kS);
  machine.step({Kind::kStarted, false, 0, {}}, 200);
  EXPECT_FALSE(machine.deadline());
  EXPECT_STREQ(machine.state_word(), "running");
}

TEST(SessionMachine, AShimThatNeverStartsAShellIsClosedInTime) {
  SessionMachine machine(true, limits(), 0);
  EXPECT_FALSE(machine.step({Kind::kTick, false, 0, {}}, 10 * kS - 1).close);
  const auto actions = machine.step({Kind::kTick, false, 0, {}}, 10 * kS);
  EXPECT_TRUE(actions.close);
  EXPECT_EQ(machine.end().reason, EndReason::kShim);
}

TEST(SessionMachine, TheShellsEndIsDrainedBeforeTheSessionCloses) {
  auto machine = running(true);
  const auto ended = machine.step({Kind::kShellEnded, true, 37, {}}, 5);
  EXPECT_TRUE(ended.drain);
  EXPECT_FALSE(ended.close);
  EXPECT_FALSE(ended.hang_up);
  const auto drained = machine.step({Kind::kDrained, false, 0, {}}, 6);
  EXPECT_TRUE(drained.close);
  EXPECT_EQ(machine.end().reason, EndReason::kExit);
  EXPECT_EQ(machine.end().exit_code, 37);
  EXPECT_FALSE(machine.end().signal);
}

TEST(SessionMachine, AFatalSignalIsKeptAsSignal) {
  auto machine = running(true);
  machine.step({Kind::kShellEnded, false, 9, {}}, 5);
  machine.step({Kind::kDrained, false, 0, {}}, 6);
  EXPECT_EQ(machine.end().signal, 9);
  EXPECT_FALSE(machine.end().exit_code);
}

TEST(SessionMachine, AReaderThatNeverTakesTheRestIsWaitedForOnlyTheGrace) {
  auto machine = running(true);
  machine.step({Kind::kShellEnded, true, 0, {}}, 5);
  EXPECT_EQ(machine.deadline(), 5 + 2 * kS);
  EXPECT_TRUE(machine.step({Kind::kTick, false, 0, {}}, 5 + 2 * kS).close);
}

TEST(SessionMachine, StreamsReleaseTheShimAtOnceAndLingerUntilTheirOutputEnds) {
  auto machine = running(false);
  const auto ended = machine.step({Kind::kShellEnded, true, 0, {}}, 5);
  EXPECT_TRUE(ended.release_shim);
  EXPECT_FALSE(ended.close);
  EXPECT_FALSE(machine.deadline()) << "a background process may keep the stream open as long as it likes";
  machine.step({Kind::kShimGone, false, 0, {}}, 6);
  EXPECT_FALSE(machine.closed()) << "the shim leaves when told";
  EXPECT_TRUE(machine.step({Kind::kOutputEnded, false, 0, {}}, 7).close);
  EXPECT_EQ(machine.end().reason, EndReason::kExit);
}

TEST(SessionMachine, ALostConnectionHangsUpAndKillsAShellThatStays) {
  auto machine = running(true);
  const auto gone = machine.step({Kind::kOuterGone, false, 0, {}}, 10);
  EXPECT_TRUE(gone.hang_up);
  EXPECT_FALSE(gone.kill_shell);
  const auto late = machine.step({Kind::kTick, false, 0, {}}, 10 + 2 * kS);
  EXPECT_TRUE(late.kill_shell);
  EXPECT_FALSE(late.close);
  EXPECT_TRUE(machine.step({Kind::kTick, false, 0, {}}, 10 + 4 * kS).close);
  EXPECT_EQ(machine.end().reason, EndReason::kHangup);
}

TEST(SessionMachine, TheShellsStatusAfterAHangUpIsStillRecorded) {
  auto machine = running(true);
  machine.step({Kind::kOuterGone, false, 0, {}}, 10);
  EXPECT_TRUE(machine.step({Kind::kShellEnded, false, 1, {}}, 11).close);
  EXPECT_EQ(machine.end().reason, EndReason::kHangup);
  EXPECT_EQ(machine.end().signal, 1);
}

TEST(SessionMachine, AKilledShimNeverLeavesAShellBehind) {
  auto machine = running(true);
  const auto gone = machine.step({Kind::kShimGone, false, 0, {}}, 10);
  EXPECT_TRUE(gone.hang_up);
  EXPECT_TRUE(gone.kill_shell);
  EXPECT_TRUE(gone.close);
  EXPECT_EQ(machine.end().reason, EndReason::kShim);
}

// The kernel hangs the outer terminal up when its leader, the waiter, dies: which of both is seen first is
// chance.
TEST(SessionMachine, AKilledShimIsTheReasonEvenIfTheHangUpIsSeenFirst) {
  auto machine = running(true);
  machine.step({Kind::kOuterGone, false, 0, {}}, 10);
  const auto gone = machine.step({Kind::kShimGone, false, 0, {}}, 11);
  EXPECT_TRUE(gone.kill_shell);
  EXPECT_TRUE(gone.close);
  EXPECT_EQ(machine.end().reason, EndReason::kShim);
}

TEST(SessionMachine, AStoppedWaiterDoesNotKeepAnEndedSessionOpen) {
  auto machine = running(true);
  machine.step({Kind::kShellGone, false, 0, {}}, 10);
  EXPECT_TRUE(machine.step({Kind::kTick, false, 0, {}}, 10 + 2 * kS).drain);
  EXPECT_TRUE(machine.step({Kind::kDrained, false, 0, {}}, 10 + 2 * kS + 1).close);
  EXPECT_EQ(machine.end().reason, EndReason::kShim);
  EXPECT_FALSE(machine.end().exit_code);
}

TEST(SessionMachine, AWaiterThatReportsAfterThePidfdIsNormal) {
  auto machine = running(true);
  machine.step({Kind::kShellGone, false, 0, {}}, 10);
  machine.step({Kind::kShellEnded, true, 3, {}}, 11);
  machine.step({Kind::kDrained, false, 0, {}}, 12);
  EXPECT_EQ(machine.end().reason, EndReason::kExit);
  EXPECT_EQ(machine.end().exit_code, 3);
}

TEST(SessionMachine, HoldShowsNothingAndGoesOnWhenTheRecordAcceptsAgain) {
  auto machine = running(true, OnFailure::kHold);
  EXPECT_TRUE(machine.step({Kind::kRecordFailed, false, 0, "disk full"}, 10).hold);
  EXPECT_TRUE(machine.holding());
  EXPECT_EQ(machine.deadline(), 10 + 60 * kS);
  EXPECT_FALSE(machine.step({Kind::kRecordFailed, false, 0, "disk full"}, 20).hold) << "stated once";
  EXPECT_EQ(machine.deadline(), 10 + 60 * kS) << "failing again does not prolong it";
  EXPECT_TRUE(machine.step({Kind::kRecordAccepted, false, 0, {}}, 30).go_on);
  EXPECT_FALSE(machine.deadline());
}

TEST(SessionMachine, HoldingEndsTheSessionAfterItsLimit) {
  auto machine = running(true, OnFailure::kHold);
  machine.step({Kind::kRecordFailed, false, 0, "disk full"}, 10);
  const auto late = machine.step({Kind::kTick, false, 0, {}}, 10 + 60 * kS);
  EXPECT_TRUE(late.hang_up);
  EXPECT_FALSE(late.say.empty());
  machine.step({Kind::kShellEnded, false, 1, {}}, 11 + 60 * kS);
  EXPECT_EQ(machine.end().reason, EndReason::kFailure);
}

TEST(SessionMachine, AShellThatEndsWhileHeldIsWaitedForNoLongerThanTheLimit) {
  for (const bool terminal : {true, false}) {
    auto machine = running(terminal, OnFailure::kHold);
    machine.step({Kind::kRecordFailed, false, 0, "disk full"}, 10);
    machine.step({Kind::kShellEnded, true, 5, {}}, 20);
    EXPECT_TRUE(machine.holding());
    bool closed = false;
    for (MonoUs now = 30; now < 10 + 70 * kS && !closed; now += kS / 4) {  // as the owner tries again
      machine.step({Kind::kRecordFailed, false, 0, "disk full"}, now);
      closed = machine.step({Kind::kTick, false, 0, {}}, now).close;
      EXPECT_EQ(closed, now >= 10 + 60 * kS) << now;
    }
    EXPECT_EQ(machine.end().reason, EndReason::kFailure);
    EXPECT_EQ(machine.end().exit_code, 5);
  }
}

TEST(SessionMachine, AHoldThatEndsAfterTheShellDoesNotCutTheRest) {
  auto lingering = running(false, OnFailure::kHold);
  lingering.step({Kind::kShellEnded, true, 0, {}}, 5);
  EXPECT_TRUE(lingering.step({Kind::kRecordFailed, false, 0, "disk full"}, 10).hold);
  EXPECT_TRUE(lingering.step({Kind::kRecordAccepted, false, 0, {}}, 20).go_on);
  EXPECT_FALSE(lingering.deadline());
  auto ending = running(true, OnFailure::kHold);
  ending.step({Kind::kShellEnded, true, 0, {}}, 5);
  EXPECT_TRUE(ending.step({Kind::kRecordFailed, false, 0, "disk full"}, 10).hold);
  EXPECT_TRUE(ending.step({Kind::kRecordAccepted, false, 0, {}}, 30 * kS).go_on);
  EXPECT_EQ(ending.deadline(), 32 * kS);
  EXPECT_TRUE(ending.step({Kind::kDrained, false, 0, {}}, 31 * kS).close);
  EXPECT_EQ(ending.end().reason, EndReason::kExit);
}

TEST(SessionMachine, CutEndsTheSessionAndSaysWhy) {
  auto machine = running(true, OnFailure::kCut);
  const auto actions = machine.step({Kind::kRecordFailed, false, 0, "No space left on device"}, 10);
  EXPECT_TRUE(actions.hang_up);
  EXPECT_NE(actions.say.find("No space left on device"), std::string::npos);
}

TEST(SessionMachine, ContinueIsDecidedOnce) {
  auto machine = running(true, OnFailure::kContinue);
  EXPECT_TRUE(machine.step({Kind::kRecordFailed, false, 0, "x"}, 10).unrecorded);
  EXPECT_FALSE(machine.step({Kind::kRecordFailed, false, 0, "x"}, 11).unrecorded);
  EXPECT_STREQ(machine.state_word(), "unrecorded");
}

TEST(SessionMachine, AnAdministratorsKillNamesHim) {
  auto machine = running(true);
  const auto actions = machine.step({Kind::kKill, false, 0, "root"}, 10);
  EXPECT_TRUE(actions.hang_up);
  EXPECT_NE(actions.say.find("root"), std::string::npos);
  machine.step({Kind::kShellEnded, false, 1, {}}, 11);
  EXPECT_EQ(machine.end().reason, EndReason::kKilled);
}

TEST(SessionMachine, AStopWritesTheEndAtOnce) {
  auto machine = running(true);
  const auto actions = machine.step({Kind::kShutdown, false, 0, {}}, 10);
  EXPECT_TRUE(actions.close);
  EXPECT_TRUE(actions.hang_up);
  EXPECT_EQ(machine.end().reason, EndReason::kShutdown);
}

SessionMachine idling(std::int64_t warning, std::int64_t end, bool terminal = true) {
  SessionLimits idle = limits();
  idle.idle_warning_us = warning;
  idle.idle_end_us = end;
  SessionMachine machine(terminal, idle, 0);
  machine.step({Kind::kStarted, false, 0, {}}, kS);
  return machine;
}

TEST(SessionMachine, AnIdleTerminalIsWarnedOnceAndThenEnded) {
  auto machine = idling(600 * kS, 900 * kS);
  EXPECT_EQ(machine.deadline(), 601 * kS);
  auto actions = machine.step({Kind::kTick, false, 0, {}}, 601 * kS);
  EXPECT_EQ(actions.warn,
            "opelog: nothing has happened here for 10 min; this session ends in 5 min if nothing does");
  EXPECT_FALSE(actions.hang_up);
  EXPECT_EQ(machine.deadline(), 901 * kS);
  actions = machine.step({Kind::kTick, false, 0, {}}, 901 * kS);
  EXPECT_EQ(actions.say, "opelog: nothing has happened here for 15 min; this session ends");
  EXPECT_TRUE(actions.hang_up);
  EXPECT_EQ(machine.end().reason, EndReason::kIdle);
  EXPECT_STREQ(machine.state_word(), "hanging-up");
}

TEST(SessionMachine, WhatIsTypedOrShownPutsItOff) {
  auto machine = idling(600 * kS, 900 * kS);
  machine.active(500 * kS);
  auto actions = machine.step({Kind::kTick, false, 0, {}}, 601 * kS);
  EXPECT_EQ(actions.warn, "");
  EXPECT_EQ(machine.deadline(), 1100 * kS);
  EXPECT_NE(machine.step({Kind::kTick, false, 0, {}}, 1100 * kS).warn, "");
  machine.active(1101 * kS);  // he is back, and goes at once
  actions = machine.step({Kind::kTick, false, 0, {}}, *machine.deadline());
  EXPECT_EQ(actions.warn, "");
  EXPECT_FALSE(actions.hang_up);
  EXPECT_EQ(machine.deadline(), 1701 * kS) << "warned again, and in time";
  EXPECT_NE(machine.step({Kind::kTick, false, 0, {}}, 1701 * kS).warn, "");
  EXPECT_EQ(machine.deadline(), 2001 * kS);
}

TEST(SessionMachine, AWarningAloneComesOnceEachTimeItIsIdle) {
  auto machine = idling(60 * kS, 0);
  EXPECT_EQ(machine.step({Kind::kTick, false, 0, {}}, 61 * kS).warn,
            "opelog: nothing has happened here for 1 min");
  for (int i = 0; i < 100; ++i)
    EXPECT_EQ(machine.step({Kind::kTick, false, 0, {}}, *machine.deadline()).warn, "");
  const MonoUs back = *machine.deadline() - 30 * kS;
  machine.active(back);
  EXPECT_EQ(machine.step({Kind::kTick, false, 0, {}}, *machine.deadline()).warn, "");
  EXPECT_EQ(machine.deadline(), back + 60 * kS);
  EXPECT_NE(machine.step({Kind::kTick, false, 0, {}}, *machine.deadline()).warn, "");
}

TEST(SessionMachine, AnEndAloneNeedsNoWarning) {
  auto machine = idling(0, 90 * kS);
  const auto actions = machine.step({Kind::kTick, false, 0, {}}, 91 * kS);
  EXPECT_EQ(actions.say, "opelog: nothing has happened here for 90 s; this session ends");
  EXPECT_TRUE(actions.hang_up);
}

TEST(SessionMachine, OnlyARunningTerminalIsIdle) {
  EXPECT_FALSE(idling(60 * kS, 90 * kS, false).deadline()) << "a command may take as long as it likes";
  EXPECT_FALSE(idling(0, 0).deadline());
  auto machine = idling(60 * kS, 90 * kS);
  machine.step({Kind::kRecordFailed, false, 0, "x"}, 50 * kS);
  EXPECT_EQ(machine.deadline(), 110 * kS) << "held: that has a deadline of its own";
  machine.step({Kind::kRecordAccepted, false, 0, {}}, 55 * kS);
  EXPECT_EQ(machine.deadline(), 61 * kS);
  machine.step({Kind::kShellGone, false, 0, {}}, 60 * kS);
  EXPECT_NE(machine.step({Kind::kTick, false, 0, {}}, 61 * kS).warn, "");
  EXPECT_EQ(machine.deadline(), 62 * kS) << "the waiter's silence";
  EXPECT_TRUE(machine.step({Kind::kTick, false, 0, {}}, 62 * kS).drain);
  EXPECT_EQ(machine.deadline(), 64 * kS);
}

TEST(SessionMachine, ARecordingAsLargeAsItMayBeEndsTheSession) {
  auto machine = running(true);
  const auto actions = machine.step({Kind::kLimit, false, 0, "5000"}, 5);
  EXPECT_EQ(actions.say,
            "opelog: the recording of this session has reached its limit of 5000 bytes; the session ends");
  EXPECT_TRUE(actions.hang_up);
  EXPECT_EQ(machine.end().reason, EndReason::kLimit);
  EXPECT_EQ(machine.step({Kind::kLimit, false, 0, "5000"}, 6).say, "") << "once";
  const auto last = machine.step({Kind::kShellEnded, false, 1, {}}, 7);
  EXPECT_TRUE(last.drain && !last.close) << "he is to see why";
  EXPECT_EQ(machine.step({Kind::kLimit, false, 0, "5000"}, 8).say, "");
  EXPECT_EQ(machine.step({Kind::kRecordFailed, false, 0, "x"}, 8).say, "");
  EXPECT_TRUE(machine.step({Kind::kDrained, false, 0, {}}, 9).close);
  EXPECT_EQ(machine.end().reason, EndReason::kLimit);
  // Nor is that waited for when an administrator has had enough.
  auto slow = running(true);
  slow.step({Kind::kLimit, false, 0, "5000"}, 5);
  slow.step({Kind::kShellEnded, false, 1, {}}, 6);
  const auto killed = slow.step({Kind::kKill, false, 0, "root"}, 7);
  EXPECT_TRUE(killed.close && killed.say.empty());
  EXPECT_EQ(slow.end().reason, EndReason::kLimit);
  // The shell is gone, the waiter silent: what it printed still comes.
  auto silent = running(true);
  silent.step({Kind::kShellGone, false, 0, {}}, 5);
  ASSERT_TRUE(silent.step({Kind::kTick, false, 0, {}}, *silent.deadline()).drain);
  EXPECT_NE(silent.step({Kind::kLimit, false, 0, "5000"}, 6 * kS).say, "");
  // Nobody is left to see it.
  auto gone = running(true);
  gone.step({Kind::kOuterGone, false, 0, {}}, 5);
  EXPECT_TRUE(gone.step({Kind::kShellEnded, false, 1, {}}, 6).close);
  // What is left when the shell has ended by itself.
  auto ending = running(true);
  ending.step({Kind::kShellEnded, true, 3, {}}, 5);
  EXPECT_TRUE(ending.step({Kind::kLimit, false, 0, "5000"}, 6).close);
  EXPECT_EQ(ending.end().reason, EndReason::kLimit);
  EXPECT_EQ(ending.end().exit_code, 3);
}

TEST(SessionMachine, NothingHappensAfterTheEnd) {
  auto machine = running(true);
  machine.step({Kind::kShutdown, false, 0, {}}, 10);
  for (int kind = 0; kind <= static_cast<int>(Kind::kTick); ++kind) {
    const auto actions = machine.step({static_cast<Kind>(kind), true, 1, "x"}, 1000 * kS);
    EXPECT_FALSE(actions.close || actions.hang_up || actions.drain || actions.kill_shell ||
                 !actions.say.empty())
        << kind;
  }
  EXPECT_EQ(machine.end().reason, EndReason::kShutdown);
}

// Whatever comes in whatever order, a session that is told its deadlines ends, and closes once.
TEST(SessionMachine, EveryOrderOfEventsEndsAndClosesOnce) {
  unsigned seed = 12345;
  const auto random = [&seed](unsigned n) {
    seed = seed * 1103515245u + 12345u;
    return (seed >> 16) % n;
  };
  for (int round = 0; round < 20000; ++round) {
    SessionLimits some = limits(static_cast<OnFailure>(random(3)));
    if (random(2) == 0) some.idle_end_us = 20 * kS;
    if (random(2) == 0) some.idle_warning_us = 7 * kS;
    SessionMachine machine(random(2) == 0, some, 0);
    MonoUs now = 0;
    int closed = 0;
    for (int i = 0; i < 12; ++i) {
      now += random(5) * kS;
      const auto kind = static_cast<Kind>(random(static_cast<unsigned>(Kind::kTick) + 1));
      closed += machine.step({kind, random(2) == 0, static_cast<int>(random(128)), "x"}, now).close;
    }
    // Some sessions are left alone, the record refusing for ever; the others are told to end.
    const bool failing = random(2) == 0;
    if (!failing) {
      closed += machine.step({Kind::kKill, false, 0, "root"}, now).close;
      closed += machine.step({Kind::kOutputEnded, false, 0, {}}, now).close;
    } else if (!machine.closed()) {
      closed += machine.step({Kind::kStarted, false, 0, {}}, now).close;
      closed += machine.step({Kind::kRecordFailed, false, 0, "x"}, now).close;
      if (!machine.holding() && !machine.closed()) continue;  // kContinue: it runs on, unrecorded
    }
    for (int i = 0; i < 10 && machine.deadline(); ++i) {
      const MonoUs due = *machine.deadline();
      for (; failing && now < due; now += 5 * kS)
        closed += machine.step({Kind::kRecordFailed, false, 0, "x"}, now).close;
      ASSERT_TRUE(closed > 0 || *machine.deadline() == due)
          << "failing again prolongs " << machine.describe();
      now = due;
      closed += machine.step({Kind::kTick, false, 0, {}}, now).close;
    }
    ASSERT_EQ(closed, 1) << "round " << round << ": " << machine.describe();
  }
}

}  // namespace
}  // namespace opelog::record
