#include "core/token_bucket.h"

#include <gtest/gtest.h>

#include <random>

namespace opelog {
namespace {

constexpr MonoUs kBegun = 7 * kUsPerS;

TEST(TokenBucket, BeginsFullAndFillsByItsRate) {
  TokenBucket bucket(1000, 3000, kBegun);
  EXPECT_EQ(bucket.available(kBegun), 3000U);
  bucket.spend(3000);
  EXPECT_EQ(bucket.available(kBegun), 0U);
  EXPECT_EQ(bucket.available(kBegun + kUsPerS / 2), 500U);
  EXPECT_EQ(bucket.available(kBegun + 100 * kUsPerS), 3000U) << "no more than it holds";
}

TEST(TokenBucket, WhatIsOwedIsPaidBackFirst) {
  TokenBucket bucket(1000, 1000, kBegun);
  bucket.spend(2500);
  EXPECT_EQ(bucket.available(kBegun + kUsPerS), 0U);
  EXPECT_EQ(bucket.available(kBegun + 2 * kUsPerS), 500U);
}

TEST(TokenBucket, SaysWhenThereWillBeEnough) {
  TokenBucket bucket(1000, 1000, kBegun);
  EXPECT_EQ(bucket.when(400, kBegun), kBegun);
  bucket.spend(1000);
  const MonoUs at = bucket.when(400, kBegun);
  EXPECT_EQ(at, kBegun + 400 * kUsPerMs);
  EXPECT_GE(bucket.available(at), 400U);
  EXPECT_EQ(bucket.when(5000, at), kBegun + kUsPerS) << "when it is full";
}

TEST(TokenBucket, AClockThatGoesBackStands) {
  TokenBucket bucket(1000, 1000, kBegun);
  bucket.spend(1000);
  EXPECT_EQ(bucket.available(kBegun - kUsPerS), 0U);
  EXPECT_EQ(bucket.available(kBegun + kUsPerS / 10), 100U);
}

// Whoever takes what is there at any times gets the rate and what was saved up; but what comes before he asks
// first.
TEST(TokenBucket, GivesItsRateHoweverOftenItIsAsked) {
  std::mt19937 random(11);
  for (const std::uint64_t rate : {1ULL, 1024ULL, 5ULL << 20U, 1ULL << 50U}) {
    TokenBucket bucket(rate, 2 * rate, kBegun);
    double taken = 0;
    MonoUs now = kBegun;
    for (int i = 0; i < 20000; ++i) {
      now += static_cast<MonoUs>(random() % 5000);
      const std::uint64_t there = bucket.available(now);
      bucket.spend(there);
      taken += static_cast<double>(there);
    }
    const double most = static_cast<double>(rate) * (2 + static_cast<double>(now - kBegun) / kUsPerS);
    EXPECT_LE(taken, most * (1 + 1e-9) + 1) << rate;
    EXPECT_GE(taken, (most - static_cast<double>(rate) * 0.005) * (1 - 1e-9) - 1) << rate;
  }
}

}  // namespace
}  // namespace opelog
