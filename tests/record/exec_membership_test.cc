#include "record/exec_membership.h"

#include <gtest/gtest.h>

namespace opelog::record {
namespace {

using EventKind = ConnectorEvent::Kind;
using Told = ExecMembership::Step::Kind;

ConnectorEvent forked(std::int64_t parent, std::int64_t child, std::uint64_t us = 0) {
  return {EventKind::kFork, us * 1000, child, child, parent, 0};
}
ConnectorEvent thread_of(std::int64_t process, std::int64_t thread) {
  return {EventKind::kFork, 0, process, thread, 1, 0};
}
ConnectorEvent executed(std::int64_t process, std::uint64_t us = 0) {
  return {EventKind::kExec, us * 1000, process, process, 0, 0};
}
ConnectorEvent exited(std::int64_t process, std::uint32_t status = 0, std::uint64_t us = 0,
                      std::int64_t thread = 0) {
  return {EventKind::kExit, us * 1000, process, thread == 0 ? process : thread, 0, status};
}

TEST(ExecMembership, WhatAMemberStartsIsAMember) {
  ExecMembership members;
  ASSERT_TRUE(members.join(10, 7, Membership::kProcess, 0));
  members.step(forked(10, 11, 1));
  members.step(forked(11, 12, 2));
  members.step(exited(11, 0, 3));  // a double fork
  EXPECT_EQ(members.step(executed(12, 5)), (ExecMembership::Step{Told::kExec, 7, 12, 11, 0, 1, 0}));
  EXPECT_EQ(members.step(exited(12, 9, 25)), (ExecMembership::Step{Told::kExit, 7, 12, 11, 9, 1, 20}));
  EXPECT_EQ(members.count(), 1U);
}

TEST(ExecMembership, StrangersAreNotTold) {
  ExecMembership members;
  ASSERT_TRUE(members.join(10, 7, Membership::kProcess, 0));
  for (const ConnectorEvent& event : {forked(1, 20), executed(20), thread_of(20, 21), exited(20)})
    EXPECT_EQ(members.step(event).kind, Told::kNothing);
}

TEST(ExecMembership, OfTheShimOnlyItsChildrenAreTold) {
  ExecMembership members;
  ASSERT_TRUE(members.join(10, 7, Membership::kChildrenOnly, 0));
  EXPECT_EQ(members.step(executed(10)).kind, Told::kNothing);
  members.step(forked(10, 11));
  EXPECT_EQ(members.step(executed(11)).kind, Told::kExec);
  EXPECT_EQ(members.step(exited(10)).kind, Told::kNothing);
  EXPECT_EQ(members.step(exited(11)).kind, Told::kExit);
  EXPECT_EQ(members.count(), 0U);
}

TEST(ExecMembership, ANumberThatIsUsedAgainIsAStranger) {
  ExecMembership members;
  ASSERT_TRUE(members.join(10, 7, Membership::kProcess, 0));
  members.step(forked(10, 11));
  // Its exit was lost; the number comes back below somebody else.
  members.step(forked(1, 11, 50));
  EXPECT_EQ(members.step(executed(11)).kind, Told::kNothing);
}

TEST(ExecMembership, WhatWasBeforeTheJoinIsOfAnother) {
  ExecMembership members;
  ASSERT_TRUE(members.join(10, 7, Membership::kProcess, 100));
  // Told late: the end of who had the number before, and the process's own start.
  EXPECT_EQ(members.step(exited(10, 0, 50)).kind, Told::kNothing);
  members.step(forked(1, 10, 60));
  EXPECT_EQ(members.step(executed(10, 110)).kind, Told::kExec);
}

TEST(ExecMembership, AProcessEndsWithItsLastThread) {
  ExecMembership members;
  ASSERT_TRUE(members.join(10, 7, Membership::kProcess, 0));
  members.step(thread_of(10, 11));
  members.step(thread_of(10, 12));
  EXPECT_EQ(members.step(exited(10, 5U << 8)).kind, Told::kNothing);  // the first one, whose code counts
  EXPECT_EQ(members.step(exited(10, 0, 0, 12)).kind, Told::kNothing);
  const auto step = members.step(exited(10, 0, 0, 11));
  EXPECT_EQ(step.kind, Told::kExit);
  EXPECT_EQ(step.status, 5U << 8);
}

TEST(ExecMembership, AFullTableSaysWhomItCannotTakeIn) {
  ExecMembership members;
  ASSERT_TRUE(members.join(1, 7, Membership::kProcess, 0));
  for (std::size_t i = 1; i < kMaxMembers; ++i)
    ASSERT_EQ(members.step(forked(1, static_cast<std::int64_t>(i) + 1)).kind, Told::kNothing);
  EXPECT_EQ(members.count(), kMaxMembers);
  const auto step = members.step(forked(1, 4000000));
  EXPECT_EQ(step.kind, Told::kFull);
  EXPECT_EQ(step.session, 7U);
  EXPECT_FALSE(members.join(4000000, 8, Membership::kProcess, 0));
  EXPECT_TRUE(members.join(1, 8, Membership::kProcess, 0));
  EXPECT_FALSE(members.adopt(4000000, 1, 0));
}

TEST(ExecMembership, IsRepairedAfterALoss) {
  ExecMembership members;
  ASSERT_TRUE(members.join(10, 7, Membership::kProcess, 0));
  ASSERT_TRUE(members.join(20, 8, Membership::kProcess, 0));
  ASSERT_TRUE(members.join(30, 9, Membership::kChildrenOnly, 0));
  EXPECT_EQ(members.retain([](std::int64_t pid) { return pid == 10; }), (std::vector<std::uint64_t>{8}));
  EXPECT_TRUE(members.adopt(11, 10, 0));
  EXPECT_FALSE(members.adopt(11, 10, 0));
  EXPECT_FALSE(members.adopt(21, 20, 0));
  EXPECT_EQ(members.step(executed(11)).session, 7U);
}

}  // namespace
}  // namespace opelog::record
