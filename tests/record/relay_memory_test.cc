// What another process makes of a chunk that was on its way when the relay was killed: at every stage.
#include "record/relay_memory.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

namespace opelog::record {
namespace {

struct Flow {
  Flow() : memory(static_cast<FlowMemory*>(std::calloc(1, sizeof(FlowMemory)))) {}
  ~Flow() { std::free(memory); }
  Flow(const Flow&) = delete;
  Flow& operator=(const Flow&) = delete;
  FlowMemory& operator*() const { return *memory; }
  FlowMemory* operator->() const { return memory; }
  FlowMemory* memory;
};

constexpr std::uint64_t kRecordedBefore = 1000, kOnBefore = 700;

// A buffer with `text` in it, as far as `stage`.
std::unique_ptr<RelayBuffer> on_its_way(const std::string& text, RelayBuffer::Stage stage,
                                        std::uint32_t taken = 0, std::uint32_t sent = 0) {
  auto buffer = std::make_unique<RelayBuffer>();
  text.copy(buffer->bytes.data(), text.size());
  buffer->recorded = kRecordedBefore;
  buffer->bytes_on = kOnBefore;
  if (stage > RelayBuffer::kReading) buffer->size = static_cast<std::uint32_t>(text.size());
  buffer->taken = taken;
  buffer->sent = sent;
  buffer->reached(stage);
  return buffer;
}

struct Case {
  const char* what;
  RelayBuffer::Stage stage;
  std::uint32_t taken, sent;
  std::uint64_t recorded;  ///< of "abcdef", by the file
  const char *unrecorded, *backlog;
  std::uint64_t lost, unshown, on;
};
constexpr Case kCases[] = {
    {"idle", RelayBuffer::kIdle, 0, 0, 0, "", "", 0, 0, 0},
    {"in the read", RelayBuffer::kReading, 0, 0, 0, "abcdef", "", 6, 0, 0},
    {"read", RelayBuffer::kRead, 0, 0, 0, "abcdef", "", 0, 0, 0},
    {"recorded in part, not said yet", RelayBuffer::kRead, 0, 0, 4, "ef", "abcd", 0, 0, 0},
    {"recorded, not said yet", RelayBuffer::kRead, 0, 0, 6, "", "abcdef", 0, 0, 0},
    {"accepted", RelayBuffer::kAccepted, 6, 0, 6, "", "abcdef", 0, 0, 0},
    {"accepted in part", RelayBuffer::kAccepted, 2, 0, 2, "cdef", "ab", 0, 0, 0},
    {"accepted and not recorded", RelayBuffer::kAccepted, 6, 0, 0, "", "abcdef", 0, 0, 0},
    {"being shown", RelayBuffer::kWriting, 6, 0, 6, "", "", 0, 6, 6},
    {"being shown in part", RelayBuffer::kWriting, 4, 0, 4, "ef", "", 0, 4, 4},
    {"shown", RelayBuffer::kWritten, 6, 6, 6, "", "", 0, 0, 6},
    {"shown in part", RelayBuffer::kWritten, 6, 2, 6, "", "cdef", 0, 0, 2},
    {"shown in part of a part", RelayBuffer::kWritten, 4, 1, 4, "ef", "bcd", 0, 0, 1},
};

TEST(ResumedFlow, GoesOnFromEveryStage) {
  for (const Case& c : kCases) {
    Flow flow;
    const auto left = on_its_way("abcdef", c.stage, c.taken, c.sent);
    const ResumedFlow found = torn_of(*flow, *left);
    EXPECT_EQ(found.maybe_lost, c.lost) << c.what;
    EXPECT_EQ(found.maybe_unshown, c.unshown) << c.what;
    for (const char* times : {"", ", twice"}) {  // by a daemon that died in between, too
      resume_flow(*flow, *left, Taken::kCounted, kRecordedBefore + c.recorded);
      EXPECT_EQ(flow->unrecorded.view(), c.unrecorded) << c.what << times;
      EXPECT_EQ(flow->backlog.view(), c.backlog) << c.what << times;
      EXPECT_EQ(flow->bytes, c.stage != RelayBuffer::kIdle ? kOnBefore + c.on : 0) << c.what << times;
    }
  }
}

TEST(ResumedFlow, InputThatWasRecordedAtAllWasTakenWhole) {
  Flow flow;
  const auto left = on_its_way("abcdef", RelayBuffer::kRead);
  resume_flow(*flow, *left, Taken::kAllOrNone, kRecordedBefore + 1);
  EXPECT_EQ(flow->backlog.view(), "abcdef");
  EXPECT_TRUE(flow->unrecorded.empty());
}

TEST(ResumedFlow, ABacklogThatWasBeingWrittenIsNotWrittenTwice) {
  Flow flow;
  flow->backlog.assign("waiting");
  RelayBuffer left;
  left.reached(RelayBuffer::kFlushing);
  EXPECT_EQ(torn_of(*flow, left).maybe_unshown, 7U);
  resume_flow(*flow, left, Taken::kCounted, 0);
  EXPECT_TRUE(flow->backlog.empty());
}

TEST(ResumedFlow, AWaitingChunkThatWasOfferedAgainIsThereOnce) {
  Flow flow;
  flow->unrecorded.assign("abcdef");
  const auto left = on_its_way("abcdef", RelayBuffer::kRead);
  resume_flow(*flow, *left, Taken::kCounted, kRecordedBefore + 2);
  EXPECT_EQ(flow->unrecorded.view(), "cdef");
  EXPECT_EQ(flow->backlog.view(), "ab");
}

TEST(RelayBuffer, KnowsARawReadByWhatIsNotItsPattern) {
  RelayBuffer buffer;
  EXPECT_EQ(buffer.seen(), 0U);
  std::size_t wrong = 0;
  for (std::size_t size = 1; size <= kChunk; size += size < 300 ? 1 : 4099) {
    const std::string text(size, '\n');
    text.copy(buffer.bytes.data(), size);
    wrong += buffer.seen() != size ? 1 : 0;
    buffer.done(size);
    EXPECT_EQ(buffer.seen(), 0U) << size;
  }
  EXPECT_LE(wrong, 6U);  // a byte in 256 is the pattern's own
}

TEST(RelayBuffer, NumbersThatNobodyWroteHarmNothing) {
  Flow flow;
  RelayBuffer left;
  left.size = left.taken = left.sent = 0xffffffffU;
  left.reached(RelayBuffer::kWritten);
  resume_flow(*flow, left, Taken::kCounted, 0);
  EXPECT_LE(flow->unrecorded.size() + flow->backlog.size(), kChunk);
}

TEST(HeldBytes, PlacesThatNobodyWroteAreWithin) {
  Flow flow;
  for (const std::uint64_t where :
       {0xffffffffffffffffU, 0x00010000ffffffffU, 0x0000ffff00000002U, std::uint64_t{0x10001U}}) {
    static_assert(offsetof(FlowMemory, unrecorded) == 16);
    std::memcpy(reinterpret_cast<char*>(flow.memory) + 16, &where, sizeof where);
    const std::string_view held = flow->unrecorded.view();
    EXPECT_GE(held.data(), reinterpret_cast<char*>(flow.memory)) << where;
    EXPECT_LE(held.data() + held.size(), reinterpret_cast<char*>(flow.memory) + 24 + kChunk) << where;
    flow->unrecorded.drop(1);
    EXPECT_LE(flow->unrecorded.size(), kChunk) << where;
  }
}

TEST(HeldBytes, GoFromTheFront) {
  Flow flow;
  flow->backlog.assign("abcdef");
  flow->backlog.drop(2);
  EXPECT_EQ(flow->backlog.view(), "cdef");
  flow->backlog.assign(flow->backlog.view().substr(1));
  EXPECT_EQ(flow->backlog.view(), "def");
  flow->backlog.drop(9);
  EXPECT_TRUE(flow->backlog.empty());
}

}  // namespace
}  // namespace opelog::record
