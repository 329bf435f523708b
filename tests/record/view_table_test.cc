#include "record/view_table.h"

#include <gtest/gtest.h>

namespace opelog::record {
namespace {

using Verdict = ViewTable::Verdict;
using format::View;

Viewing reading(std::uint32_t uid, int number, View what = View::kPlay) {
  return {uid, "r" + std::to_string(number), what};
}

TEST(ViewTable, TheSameReadingIsEnteredOnceInItsWindow) {
  ViewTable table;
  EXPECT_EQ(table.step(reading(1, 1), 5), Verdict::kEnter);
  EXPECT_EQ(table.step(reading(1, 1), 6), Verdict::kEntered);
  EXPECT_EQ(table.step(reading(1, 1), 5 + kViewWindowUs - 1), Verdict::kEntered);
  // Another user, another recording, another way to read it.
  EXPECT_EQ(table.step(reading(2, 1), 7), Verdict::kEnter);
  EXPECT_EQ(table.step(reading(1, 2), 7), Verdict::kEnter);
  EXPECT_EQ(table.step(reading(1, 1, View::kShow), 7), Verdict::kEnter);
  EXPECT_EQ(table.step(reading(1, 1), 5 + kViewWindowUs), Verdict::kEnter);
  EXPECT_EQ(table.deadline(), std::nullopt);
  EXPECT_TRUE(table.rest().empty());
}

TEST(ViewTable, OneUserFillsNothingAndKeepsNobodyOut) {
  ViewTable table;
  for (int i = 0; i < static_cast<int>(kMaxViewsOfUser); ++i)
    ASSERT_EQ(table.step(reading(1, i), 100), Verdict::kEnter) << i;
  EXPECT_EQ(table.step(reading(1, -1), 200), Verdict::kTooMany);
  EXPECT_EQ(table.step(reading(1, -1), 300), Verdict::kTooMany);
  EXPECT_EQ(table.step(reading(1, 0), 300), Verdict::kEntered);
  EXPECT_EQ(table.step(reading(2, 0), 300), Verdict::kEnter);
  // Counted once, a window after the first.
  ASSERT_EQ(table.deadline(), 200 + kViewWindowUs);
  EXPECT_TRUE(table.due(200 + kViewWindowUs - 1).empty());
  const auto due = table.due(200 + kViewWindowUs);
  ASSERT_EQ(due.size(), 1U);
  EXPECT_EQ(due[0].uid, 1U);
  EXPECT_EQ(due[0].count, 2U);
  EXPECT_EQ(table.deadline(), std::nullopt);
  EXPECT_TRUE(table.due(400 + 2 * kViewWindowUs).empty());
  EXPECT_EQ(table.step(reading(1, -1), 200 + kViewWindowUs), Verdict::kEnter);
}

TEST(ViewTable, ManyUsersTogetherAreBounded) {
  ViewTable table;
  std::size_t entered = 0, left_out = 0;
  for (std::uint32_t uid = 0; uid < 3000; ++uid) {
    for (int i = 0; i < 3; ++i) ++(table.step(reading(uid, i), uid) == Verdict::kEnter ? entered : left_out);
  }
  EXPECT_EQ(entered, kMaxViews);
  std::uint64_t counted = 0;
  const auto rest = table.rest();
  for (const ViewsLeftOut& of_user : rest) counted += of_user.count;
  EXPECT_EQ(counted, left_out);
  EXPECT_LE(rest.size(), kMaxViews);
  EXPECT_TRUE(table.rest().empty());
}

// In every window of its length, at whatever times they come.
TEST(ViewTable, NoWindowHoldsMoreThanItsNumber) {
  ViewTable table;
  std::vector<MonoUs> entered;
  MonoUs now = 0;
  for (int i = 0; i < 5000; ++i) {
    now += (i * 7919 % 13) * kUsPerS;
    if (table.step(reading(7, i), now) == Verdict::kEnter) entered.push_back(now);
  }
  ASSERT_GT(entered.size(), 2 * kMaxViewsOfUser);
  for (std::size_t i = kMaxViewsOfUser; i < entered.size(); ++i)
    ASSERT_GE(entered[i] - entered[i - kMaxViewsOfUser], kViewWindowUs) << i;
}

}  // namespace
}  // namespace opelog::record
