#include "record/connection_watch.h"

#include <gtest/gtest.h>

namespace opelog::record {
namespace {

Connection connection(std::int64_t pid, bool wanted = true, bool carries = false, std::uint64_t started = 1) {
  Connection c;
  c.pid = pid;
  c.started = started;
  c.user = "u" + std::to_string(pid);
  c.wanted = wanted;
  c.carries = carries;
  return c;
}

TEST(ConnectionWatch, StatesAtTheSecondLookAndOnce) {
  ConnectionWatch watch;
  EXPECT_TRUE(watch.step({connection(7)}).empty());
  EXPECT_EQ(watch.unrecorded(), 0u);  // a login on its way, perhaps
  const auto stated = watch.step({connection(7)});
  ASSERT_EQ(stated.size(), 1u);
  EXPECT_EQ(stated[0].user, "u7");
  EXPECT_TRUE(watch.step({connection(7)}).empty());
  EXPECT_EQ(watch.unrecorded(), 1u);
  EXPECT_TRUE(watch.step({}).empty());
  EXPECT_EQ(watch.unrecorded(), 0u);
}

TEST(ConnectionWatch, ALoginOnItsWayAndOneThatHasEndedAreRecorded) {
  ConnectionWatch watch;
  EXPECT_TRUE(watch.step({connection(7)}).empty());
  EXPECT_TRUE(watch.step({connection(7, true, true)}).empty());
  EXPECT_EQ(watch.unrecorded(), 0u);
  // The connection stays open (multiplexing) after its session.
  EXPECT_TRUE(watch.step({connection(7)}).empty());
  EXPECT_TRUE(watch.step({connection(7)}).empty());
  EXPECT_EQ(watch.unrecorded(), 0u);
}

TEST(ConnectionWatch, WhoIsNoTargetIsNobodysBusiness) {
  ConnectionWatch watch;
  EXPECT_TRUE(watch.step({connection(7, false)}).empty());
  EXPECT_TRUE(watch.step({connection(7, false)}).empty());
  EXPECT_EQ(watch.unrecorded(), 0u);
}

TEST(ConnectionWatch, APidGivenAnewIsAnotherConnection) {
  ConnectionWatch watch;
  EXPECT_TRUE(watch.step({connection(7, true, true, 1)}).empty());
  EXPECT_TRUE(watch.step({connection(7, true, false, 2)}).empty());
  EXPECT_EQ(watch.step({connection(7, true, false, 2), connection(8)}).size(), 1u);
  EXPECT_EQ(watch.unrecorded(), 1u);  // the other is there for the first time
}

}  // namespace
}  // namespace opelog::record
