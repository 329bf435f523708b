#include "record/output_trail.h"

#include <gtest/gtest.h>

namespace opelog::record {
namespace {

TEST(OutputTrail, TellsHowMuchThereWasAtATime) {
  OutputTrail trail;
  EXPECT_EQ(trail.at(0), 0U);
  trail.add(10000, 5);
  trail.add(20000, 9);
  EXPECT_EQ(trail.at(9999), 0U);
  EXPECT_EQ(trail.at(10000), 5U);
  EXPECT_EQ(trail.at(19999), 5U);
  EXPECT_EQ(trail.at(20000), 9U);
  EXPECT_EQ(trail.at(INT64_MAX), 9U);
}

TEST(OutputTrail, OutputWithinAMillisecondIsOneStep) {
  OutputTrail trail;
  for (int i = 0; i < 1000; ++i) trail.add(10000 + i, static_cast<std::uint64_t>(i));
  EXPECT_EQ(trail.at(9999), 0U);
  EXPECT_EQ(trail.at(10000), 999U);
  trail.add(11000, 2000);
  EXPECT_EQ(trail.at(10999), 999U);
}

TEST(OutputTrail, WhatIsTooLongAgoIsToldByTheOldest) {
  OutputTrail trail;
  const int many = 3 * static_cast<int>(OutputTrail::kSteps);
  for (int i = 1; i <= many; ++i) trail.add(i * kUsPerMs, static_cast<std::uint64_t>(i) * 10);
  const int oldest = many - static_cast<int>(OutputTrail::kSteps) + 1;
  EXPECT_EQ(trail.at(0), static_cast<std::uint64_t>(oldest - 1) * 10);
  for (int i = oldest; i <= many; ++i) EXPECT_EQ(trail.at(i * kUsPerMs), static_cast<std::uint64_t>(i) * 10);
}

}  // namespace
}  // namespace opelog::record
