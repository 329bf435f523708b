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
  EXPECT_EQ(table.step(reading(1, 1), 5 + kEntryWindowUs - 1), Verdict::kEntered);
  // Another user, another recording, another way to read it.
  EXPECT_EQ(table.step(reading(2, 1), 7), Verdict::kEnter);
  EXPECT_EQ(table.step(reading(1, 2), 7), Verdict::kEnter);
  EXPECT_EQ(table.step(reading(1, 1, View::kShow), 7), Verdict::kEnter);
  EXPECT_EQ(table.step(reading(1, 1), 5 + kEntryWindowUs), Verdict::kEnter);
  EXPECT_EQ(table.bound().deadline(), std::nullopt);
  EXPECT_TRUE(table.bound().rest().empty());
}

TEST(ViewTable, OneUserFillsNothingAndKeepsNobodyOut) {
  ViewTable table;
  for (int i = 0; i < static_cast<int>(kMaxEnteredOfUser); ++i)
    ASSERT_EQ(table.step(reading(1, i), 100), Verdict::kEnter) << i;
  EXPECT_EQ(table.step(reading(1, -1), 200), Verdict::kTooMany);
  EXPECT_EQ(table.step(reading(1, -1), 300), Verdict::kTooMany);
  EXPECT_EQ(table.step(reading(1, 0), 300), Verdict::kEntered);
  EXPECT_EQ(table.step(reading(2, 0), 300), Verdict::kEnter);
  // Counted once, a window after the first.
  ASSERT_EQ(table.bound().deadline(), 200 + kEntryWindowUs);
  EXPECT_TRUE(table.bound().due(200 + kEntryWindowUs - 1).empty());
  const auto due = table.bound().due(200 + kEntryWindowUs);
  ASSERT_EQ(due.size(), 1U);
  EXPECT_EQ(due[0].uid, 1U);
  EXPECT_EQ(due[0].count, 2U);
  EXPECT_EQ(table.bound().deadline(), std::nullopt);
  EXPECT_TRUE(table.bound().due(400 + 2 * kEntryWindowUs).empty());
  EXPECT_EQ(table.step(reading(1, -1), 200 + kEntryWindowUs), Verdict::kEnter);
}

TEST(ViewTable, ManyUsersTogetherAreBounded) {
  ViewTable table;
  std::size_t entered = 0, left_out = 0;
  for (std::uint32_t uid = 0; uid < 3000; ++uid) {
    for (int i = 0; i < 3; ++i) ++(table.step(reading(uid, i), uid) == Verdict::kEnter ? entered : left_out);
  }
  EXPECT_EQ(entered, kMaxEntered);
  std::uint64_t counted = 0;
  const auto rest = table.bound().rest();
  for (const EntriesLeftOut& of_user : rest) counted += of_user.count;
  EXPECT_EQ(counted, left_out);
  EXPECT_LE(rest.size(), kMaxEntered);
  EXPECT_TRUE(table.bound().rest().empty());
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
  ASSERT_GT(entered.size(), 2 * kMaxEnteredOfUser);
  for (std::size_t i = kMaxEnteredOfUser; i < entered.size(); ++i)
    ASSERT_GE(entered[i] - entered[i - kMaxEnteredOfUser], kEntryWindowUs) << i;
}

}  // namespace
}  // namespace opelog::record
