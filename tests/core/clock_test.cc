#include "core/clock.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "core/clock_io.h"

namespace opelog {
namespace {

TEST(Clock, UtcIsWrittenWithTheDigitsAsked) {
  const WallUs when = 1795356309123456;
  EXPECT_EQ(format_utc(when), "2026-11-22T14:05:09.123456+00:00");
  EXPECT_EQ(format_utc(when, 3), "2026-11-22T14:05:09.123+00:00");
  EXPECT_EQ(format_utc(when, 0), "2026-11-22T14:05:09+00:00");
  EXPECT_EQ(format_utc(when, 9), "2026-11-22T14:05:09.123456+00:00");
}

TEST(Clock, TimesBefore1970CountDownwards) {
  EXPECT_EQ(format_utc(-1), "1969-12-31T23:59:59.999999+00:00");
  EXPECT_EQ(format_utc(0, 0), "1970-01-01T00:00:00+00:00");
}

TEST(Clock, TimesBeyondTheCalendarAreStillText) {
  EXPECT_FALSE(format_utc(INT64_MAX).empty());
  EXPECT_FALSE(format_utc(INT64_MIN).empty());
}

TEST(Clock, TheMonotonicClockNeverRunsBackwards) {
  MonoUs last = mono_now();
  for (int i = 0; i < 1000; ++i) {
    const MonoUs now = mono_now();
    ASSERT_GE(now, last);
    last = now;
  }
}

TEST(Clock, LocalTimeFollowsThePattern) {
  ASSERT_EQ(::setenv("TZ", "UTC", 1), 0);
  ::tzset();
  EXPECT_EQ(format_local(1795356309123456, "%Y%m%d%H%M%S"), "20261122140509");
  ASSERT_EQ(::setenv("TZ", "XXX-9", 1), 0);
  ::tzset();
  EXPECT_EQ(format_local(1795356309123456, "%Y%m%d%H%M%S"), "20261122230509");
  ::unsetenv("TZ");
  ::tzset();
}

}  // namespace
}  // namespace opelog
