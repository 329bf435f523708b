#include "watch/fact_limit.h"

#include <gtest/gtest.h>

namespace opelog::watch {
namespace {

Fact skipped(Level level = Level::kInfo) {
  return Fact{level, "guard-skipped", "text", {}};
}

TEST(FactLimit, FirstOfAMinutePassAndTheRestIsCountedAtItsEnd) {
  FactLimit limit;
  int passed = 0;
  for (int i = 0; i < 1000; ++i) passed += static_cast<int>(limit.step(skipped(), false, kUsPerS).size());
  EXPECT_EQ(passed, kFactsPerWindow);
  ASSERT_TRUE(limit.deadline().has_value());
  EXPECT_EQ(*limit.deadline(), kUsPerS + kFactWindow);
  EXPECT_TRUE(limit.step(kUsPerS + kFactWindow - 1).empty());
  const std::vector<Fact> sum = limit.step(kUsPerS + kFactWindow);
  ASSERT_EQ(sum.size(), 1U);
  EXPECT_EQ(format_fact(sum[0]),
            "guard-limited: more facts of one kind than are written in a minute of=guard-skipped own=no "
            "withheld=980");
  EXPECT_FALSE(limit.deadline().has_value());
}

TEST(FactLimit, OwnFactsAreNotHiddenByAFloodOfOthers) {
  FactLimit limit;
  for (int i = 0; i < 1000; ++i) (void)limit.step(skipped(), false, 1);
  EXPECT_EQ(limit.step(skipped(), true, 1).size(), 1U);
}

TEST(FactLimit, WordsHaveWindowsOfTheirOwn) {
  FactLimit limit;
  for (int i = 0; i < 1000; ++i) (void)limit.step(skipped(), false, 1);
  EXPECT_EQ(limit.step(Fact{Level::kInfo, "guard-flagged", "", {}}, false, 1).size(), 1U);
}

TEST(FactLimit, FactAfterTheWindowPassesAgainBehindTheSum) {
  FactLimit limit;
  for (int i = 0; i < 21; ++i) (void)limit.step(skipped(), false, 1);
  const std::vector<Fact> out = limit.step(skipped(), false, 1 + kFactWindow);
  ASSERT_EQ(out.size(), 2U);
  EXPECT_EQ(out[0].event, "guard-limited");
  EXPECT_EQ(out[1].event, "guard-skipped");
}

TEST(FactLimit, SumIsAsGraveAsTheGravestWithheld) {
  FactLimit limit;
  for (int i = 0; i < 30; ++i) (void)limit.step(skipped(), false, 1);
  (void)limit.step(skipped(Level::kError), false, 1);
  (void)limit.step(skipped(), false, 1);
  EXPECT_EQ(limit.step(1 + kFactWindow).at(0).level, Level::kError);
}

TEST(FactLimit, QuietWindowWakesNobody) {
  FactLimit limit;
  (void)limit.step(skipped(), false, 1);
  EXPECT_FALSE(limit.deadline().has_value());
  EXPECT_TRUE(limit.step(1 + kFactWindow).empty());
}

}  // namespace
}  // namespace opelog::watch
