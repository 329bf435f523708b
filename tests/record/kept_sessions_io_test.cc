// A session taken over from memory made by hand: what a kill at a chosen instruction leaves, which no test
// can time.
#include "record/kept_sessions_io.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "format/timing_record.h"
#include "kept_scene.h"
#include "probe.h"

namespace opelog::record {
namespace {

using testing::KeptScene;
using testing::SceneKind;

class TakenOver : public ::testing::Test {
 protected:
  std::unique_ptr<KeptScene> scene(SceneKind kind, Policy policy = {}) {
    const Fd directory = std::move(open_at(AT_FDCWD, scratch_.path(), O_RDONLY | O_DIRECTORY)).value();
    return std::make_unique<KeptScene>(directory.get(), kind, std::move(policy));
  }
  static std::size_t count(const std::string& text, std::string_view part) {
    std::size_t found = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
    return found;
  }
  /// Ends it, and gives its `.time`.
  static std::string ended(KeptScene& one) {
    one.recorder().shutdown();
    one.hang_up_waiter();
    one.turn_until([&one] { return one.recorder().idle(); });
    return one.read(1);
  }

  test::ScratchDirectory scratch_;
};

TEST_F(TakenOver, GoesOnAndEnds) {
  for (const SceneKind kind : {SceneKind::kTerminal, SceneKind::kOuterSocket, SceneKind::kStreams}) {
    auto one = scene(kind);
    one->take_over();
    EXPECT_TRUE(one->heard("session-resumed"));
    const std::size_t out = kind == SceneKind::kStreams ? 1 : 0;
    ASSERT_EQ(::write(one->shell(out), "after", 5), 5);
    std::string shown(16, '\0');
    ssize_t n = -1;
    one->turn_until([&] { return (n = ::read(one->user(out), shown.data(), shown.size())) > 0; });
    EXPECT_EQ(shown.substr(0, static_cast<std::size_t>(n)), "after");
    const std::string time = ended(*one);
    EXPECT_EQ(count(time, "OPELOG_RESUMED {\"how\":\"crash\"}"), 1U) << time;
    EXPECT_EQ(count(time, "OPELOG_END {\"reason\":\"shutdown\""), 1U) << time;
    EXPECT_NE(one->read(0).find("before\r\nafter"), std::string::npos);
  }
}

// Killed behind the gap that counts, and before the mark forgot it.
TEST_F(TakenOver, WhatAGapHasCountedIsNotCountedAgain) {
  struct Case {
    Counted what;
    const char* words;
    std::function<void(SessionMark&)> owe;
  };
  const Case cases[] = {
      {Counted::kDropped, "shown and not recorded, it was faster than limits.output_rate",
       [](SessionMark& m) {
         m.quota.dropped = 4711;
         m.quota.drop_stated = 1;
       }},
      {Counted::kLostOutput, "\"bytes\":4711", [](SessionMark& m) { m.lost_output = 4711; }},
      {Counted::kLostInput, "\"bytes\":4711", [](SessionMark& m) { m.lost_input = 4711; }},
      {Counted::kHiddenInput, "the terminal did not echo", [](SessionMark& m) { m.hidden_input = 4711; }},
      {Counted::kLostSizes, "4711 changes of the window size", [](SessionMark& m) { m.lost_sizes = 4711; }},
      {Counted::kLostEvents, "\"count\":4711", [](SessionMark& m) { m.lost_events = 4711; }},
  };
  for (const Case& c : cases) {
    for (const bool written : {false, true}) {
      auto one = scene(SceneKind::kOuterSocket);
      const std::uint64_t from = one->read(1).size();
      one->remark([&](SessionMark& mark) {
        c.owe(mark);
        mark.stating = c.what;
        mark.stating_from = from;
      });
      if (written) {  // its record is under way: whether it is in the file makes no difference
        const std::string gap = format::encode_gap(0, {"output", "stated before", 0});
        std::copy(gap.begin(), gap.end(), one->memory().writer.records.begin());
        format::WriterMark mark = one->memory().writer.mark.get();
        mark.records = static_cast<std::uint32_t>(gap.size());
        one->memory().writer.mark.set(mark);
      }
      one->take_over();
      const std::string time = ended(*one);
      EXPECT_EQ(count(time, c.words), written ? 0U : 1U) << static_cast<int>(c.what) << time;
      EXPECT_EQ(count(time, "stated before"), written ? 1U : 0U) << time;
    }
  }
}

// Killed while it stated what was lost, and again by the next one before anything was stated.
TEST_F(TakenOver, WhatAKilledDaemonCountedOfAChunkIsNotCountedAgain) {
  for (const auto stage : {RelayBuffer::kReading, RelayBuffer::kWriting, RelayBuffer::kFlushing}) {
    auto one = scene(SceneKind::kOuterSocket);
    RelayBuffer& left = one->buffer();
    left.session = testing::kSceneNumber;
    left.turn = 9;
    std::fill_n(left.bytes.begin(), 6, 'x');
    left.size = left.taken = 6;
    if (stage == RelayBuffer::kFlushing) one->memory().flows[0].backlog.assign("waited");
    left.reached(stage);
    one->remark([&](SessionMark& mark) {  // as a daemon leaves it that died before the buffer was another's
      (stage == RelayBuffer::kReading ? mark.maybe_lost : mark.maybe_unshown) = 6;
      mark.torn_turn = 9;
    });
    one->take_over();
    const std::string time = ended(*one);
    EXPECT_EQ(count(time, "\"unshown\":6}"), stage == RelayBuffer::kReading ? 0U : 1U) << time;
    EXPECT_EQ(count(time, "\"unshown\""), stage == RelayBuffer::kReading ? 0U : 1U) << time;
    EXPECT_EQ(one->memory().flows[0].backlog.size(), 0U);
  }
}

// Killed while it dropped: the count has the chunk, and no file shows it.
TEST_F(TakenOver, WhatWasDroppedOfAChunkIsNotDroppedAgain) {
  for (const bool counted : {false, true}) {
    auto one = scene(SceneKind::kOuterSocket);
    RelayBuffer& left = one->buffer();
    left.session = testing::kSceneNumber;
    left.turn = 9;
    std::fill_n(left.bytes.begin(), 6, 'x');
    left.size = 6;
    left.recorded = one->read(0).size();
    left.reached(RelayBuffer::kRead);
    one->remark([&](SessionMark& mark) {
      mark.quota.output_rate = 1000;
      mark.quota.on_output_rate = static_cast<std::uint32_t>(OnOutputRate::kDrop);
      mark.quota.drop_stated = 1;
      mark.quota.dropped = counted ? 4706 : 4700;
      mark.took_turn = counted ? 9 : 8;
      mark.took = 6;
    });
    OutputRateMark rate{};
    rate.own = {-1e9, mono_now()};
    one->memory().rate.set(rate);
    one->take_over();
    char shown[16];
    one->turn_until([&] { return ::read(one->user(), shown, sizeof shown) == 6; });
    EXPECT_EQ(count(ended(*one), "\"bytes\":4706"), 1U) << counted;
  }
}

// Killed behind the record of a size and before the terminal inside had it.
TEST_F(TakenOver, TheTerminalInsideGetsTheSizeThatWasOnItsWay) {
  auto one = scene(SceneKind::kOuterSocket);
  one->remark([](SessionMark& mark) {
    mark.rows = 31;
    mark.cols = 99;
  });
  one->take_over();
  one->turn_until([&one] {
    const auto size = terminal_size(one->shell());
    return size && size->rows == 31 && size->cols == 99;
  });
}

// A burst that was spent is not there again.
TEST_F(TakenOver, ARateGoesOnWhereItWas) {
  Policy policy;
  policy.output_rate_per_user = 1000;
  for (const bool of_user : {false, true}) {
    for (const bool spent : {false, true}) {
      auto one = scene(SceneKind::kOuterSocket, of_user ? policy : Policy{});
      one->remark([&](SessionMark& mark) {
        mark.quota.output_rate = of_user ? 0 : 1000;
        mark.quota.on_output_rate = static_cast<std::uint32_t>(OnOutputRate::kDrop);
      });
      OutputRateMark rate{};
      if (spent) (of_user ? rate.of_user : rate.own) = {-1e9, mono_now()};
      one->memory().rate.set(rate);
      one->take_over();
      ASSERT_EQ(::write(one->shell(), "burst", 5), 5);
      char shown[16];
      one->turn_until([&] { return ::read(one->user(), shown, sizeof shown) > 0; });
      const bool dropped = one->read(1).find("faster than limits.output_rate") != std::string::npos;
      EXPECT_EQ(dropped, spent) << of_user;
    }
  }
}

TEST_F(TakenOver, DamagedMemoryEndsTheSession) {
  const std::pair<const char*, std::function<void(SessionMemory&, SessionMark&)>> cases[] = {
      {"layout", [](SessionMemory& m, SessionMark&) { ++m.layout; }},
      {"number", [](SessionMemory& m, SessionMark&) { ++m.number; }},
      {"attempts", [](SessionMemory& m, SessionMark&) { m.attempts = UINT32_MAX; }},
      {"state", [](SessionMemory&, SessionMark& s) { s.machine.state = 6; }},
      {"reason", [](SessionMemory&, SessionMark& s) { s.machine.reason = 9; }},
      {"failure", [](SessionMemory&, SessionMark& s) { s.machine.on_failure = 3; }},
      {"deadline", [](SessionMemory&, SessionMark& s) { s.machine.deadline = INT64_MIN; }},
      {"grace", [](SessionMemory&, SessionMark& s) { s.machine.grace_us = INT64_MAX; }},
      {"begun", [](SessionMemory&, SessionMark& s) { s.begun = INT64_MAX / 8; }},
      {"stream", [](SessionMemory&, SessionMark& s) { s.same_as[1] = 2; }},
      {"rate", [](SessionMemory&, SessionMark& s) { s.quota.output_rate = UINT64_MAX; }},
      {"above", [](SessionMemory&, SessionMark& s) { s.quota.on_output_rate = 3; }},
      {"stating", [](SessionMemory&, SessionMark& s) { s.stating = static_cast<Counted>(7); }},
      {"descriptor", [](SessionMemory&, SessionMark& s) { s.descriptors[kKeptLog] = {}; }},
  };
  for (const auto& [what, damage] : cases) {
    auto one = scene(SceneKind::kOuterSocket);
    one->remark([&, &spoil = damage](SessionMark& mark) { spoil(one->memory(), mark); });
    one->take_over();
    EXPECT_TRUE(one->heard("session-lost")) << what;
    EXPECT_FALSE(one->heard("session-resumed")) << what;
  }
  const std::pair<const char*, std::function<void(format::WriterMark&)>> writer[] = {
      {"batch", [](format::WriterMark& m) { m.batch = format::kBatchBytes + 1; }},
      {"records", [](format::WriterMark& m) { m.records = format::kRecordsBytes + 1; }},
      {"part of a record", [](format::WriterMark& m) { m.records = 3; }},
      {"sealer", [](format::WriterMark& m) { m.sealer = 2; }},
      {"last", [](format::WriterMark& m) { m.last = INT64_MAX; }},
      {"sealed at", [](format::WriterMark& m) { m.sealed_at = INT64_MIN; }},
  };
  for (const auto& [what, damage] : writer) {
    auto one = scene(SceneKind::kOuterSocket);
    format::WriterMark mark = one->memory().writer.mark.get();
    damage(mark);
    one->memory().writer.mark.set(mark);
    one->take_over();
    EXPECT_TRUE(one->heard("session-lost")) << what;
  }
}

}  // namespace
}  // namespace opelog::record
