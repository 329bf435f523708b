#include "record/output_rate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

namespace opelog::record {
namespace {

using Rest = OutputRate::Rest;
constexpr std::uint64_t kRate = 100000;  // more than kLeastBurst, so a second's worth is saved up
constexpr MonoUs kNow = 50 * kUsPerS;

OutputRate rate_of(OnOutputRate on_above, std::shared_ptr<TokenBucket> of_user = nullptr) {
  return {kRate, std::move(of_user), on_above, kNow};
}

TEST(OutputRate, DelayGivesWhatIsThereAndSaysWhenToAskAgain) {
  OutputRate rate = rate_of(OnOutputRate::kDelay);
  auto share = rate.share(60000, kNow);
  EXPECT_EQ(share.record, 60000U);
  EXPECT_EQ(share.rest, Rest::kNone);
  EXPECT_FALSE(share.above);
  rate.recorded(60000);
  share = rate.share(60000, kNow);
  EXPECT_EQ(share.record, 40000U);
  EXPECT_EQ(share.rest, Rest::kWait);
  EXPECT_TRUE(share.above);
  rate.recorded(40000);
  const MonoUs next = rate.next(kNow);
  EXPECT_EQ(next, kNow + kRateStepUs);
  EXPECT_EQ(rate.share(60000, next).record, kRate / 50);
}

TEST(OutputRate, ASlowRateIsNotAskedForEachByte) {
  OutputRate slow(10, nullptr, OnOutputRate::kDelay, kNow);
  slow.recorded(kLeastBurst);
  EXPECT_EQ(slow.share(5, kNow).record, 0U);
  EXPECT_EQ(slow.next(kNow), kNow + kUsPerS / 10);
}

TEST(OutputRate, LittleMayAlwaysBeSavedUp) {
  OutputRate slow(1024, nullptr, OnOutputRate::kDelay, kNow);
  EXPECT_EQ(slow.share(kLeastBurst, kNow).record, kLeastBurst) << "some full screens at once";
}

TEST(OutputRate, TheUsersBucketCountsAllHisSessions) {
  auto of_user = std::make_shared<TokenBucket>(output_bucket(kRate, kNow));
  OutputRate one(0, of_user, OnOutputRate::kDelay, kNow), other = rate_of(OnOutputRate::kDelay, of_user);
  EXPECT_EQ(one.share(90000, kNow).record, 90000U);
  one.recorded(90000);
  EXPECT_EQ(other.share(90000, kNow).record, 10000U);
  EXPECT_EQ(other.share(90000, kNow).rest, Rest::kWait);
}

TEST(OutputRate, DropGoesOnUntilHalfIsSavedUpAgain) {
  OutputRate rate = rate_of(OnOutputRate::kDrop);
  auto share = rate.share(150000, kNow);
  EXPECT_EQ(share.record, kRate);
  EXPECT_EQ(share.rest, Rest::kDrop);
  rate.recorded(kRate);
  EXPECT_TRUE(rate.dropping());
  share = rate.share(1, kNow + kUsPerS / 2 - 1);
  EXPECT_EQ(share.record, 0U);
  EXPECT_EQ(share.rest, Rest::kDrop) << "however little it is";
  share = rate.share(20000, kNow + kUsPerS / 2);
  EXPECT_EQ(share.record, 20000U);
  EXPECT_EQ(share.rest, Rest::kNone);
  EXPECT_FALSE(rate.dropping());
}

TEST(OutputRate, PassOnlySaysSo) {
  OutputRate rate = rate_of(OnOutputRate::kPass);
  EXPECT_FALSE(rate.share(kRate, kNow).above);
  const auto share = rate.share(kRate + 1, kNow);
  EXPECT_TRUE(share.above);
  EXPECT_EQ(share.record, kRate + 1);
  EXPECT_EQ(share.rest, Rest::kNone);
}

TEST(OutputRate, WhatIsLeftAtTheEndComesAtOnceAndIsOwed) {
  auto of_user = std::make_shared<TokenBucket>(output_bucket(kRate, kNow));
  OutputRate rate = rate_of(OnOutputRate::kDelay, of_user);
  rate.recorded(kRate);
  EXPECT_EQ(rate.share(65536, kNow).record, 0U);
  rate.last();
  std::uint64_t given = 0;
  for (int i = 0; i < 10; ++i) {
    const auto share = rate.share(65536, kNow);
    rate.recorded(share.record);
    given += share.record;
  }
  EXPECT_EQ(given, kLastBytes);
  EXPECT_EQ(of_user->available(kNow + kUsPerS), 0U) << "his next session pays for it";
  EXPECT_EQ(of_user->available(kNow + 2 * kUsPerS), 2 * kRate - kLastBytes);
}

// Whatever sizes come when: what is recorded never exceeds the rate and what may be saved up.
TEST(OutputRate, DelayedOutputKeepsTheRate) {
  OutputRate rate = rate_of(OnOutputRate::kDelay);
  std::uint64_t recorded = 0;
  MonoUs now = kNow;
  for (int i = 0; i < 1000; ++i) {
    const auto share = rate.share(65536, now);
    rate.recorded(share.record);
    recorded += share.record;
    if (share.rest == Rest::kWait) now = rate.next(now);
    const auto most = kRate + kRate * static_cast<std::uint64_t>(now - kNow) / kUsPerS;
    ASSERT_LE(recorded, most);
  }
  EXPECT_GE(recorded + kRate / 25, kRate + kRate * static_cast<std::uint64_t>(now - kNow) / kUsPerS);
}

}  // namespace
}  // namespace opelog::record
