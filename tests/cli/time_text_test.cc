#include "cli/time_text.h"

#include <gtest/gtest.h>

namespace opelog::cli {
namespace {

// A zone one hour east of UTC without summer time: the calendar by timegm.
Calendar east() {
  Calendar calendar;
  calendar.fields = [](WallUs when) {
    const auto t = static_cast<std::time_t>(when / kUsPerS + 3600);
    std::tm tm{};
    gmtime_r(&t, &tm);
    return tm;
  };
  calendar.moment = [](std::tm tm) { return (static_cast<WallUs>(timegm(&tm)) - 3600) * kUsPerS; };
  return calendar;
}

constexpr WallUs kNow = 1795352709 * kUsPerS;  // 2026-11-22 14:25:09 there, 13:25:09 UTC

TEST(ParseWhen, KnowsWhatPeopleWrite) {
  const std::int64_t midnight = 1795302000;  // 2026-11-22 00:00 there
  const struct {
    const char* text;
    std::int64_t seconds;
  } cases[] = {{"now", 1795352709},
               {"today", midnight},
               {"yesterday", midnight - 86400},
               {"2026-11-22", midnight},
               {"2026-11-22 01:02", midnight + 3720},
               {"2026-11-22T01:02:03", midnight + 3723},
               {"2026-11-22T01:02:03Z", midnight + 3600 + 3723},
               {"2026-11-22T01:02:03+02:00", midnight - 3600 + 3723},
               {"2026-11-22 01:02:03 -0530", midnight + 3600 + 3723 + 5 * 3600 + 1800},
               {"14:05", midnight + 14 * 3600 + 300},
               {"14:05:09", midnight + 14 * 3600 + 309},
               {"2h ago", 1795352709 - 7200},
               {"2h", 1795352709 - 7200},
               {"90m ago", 1795352709 - 5400},
               {"3 days ago", 1795352709 - 3 * 86400},
               {" 1 week ago ", 1795352709 - 7 * 86400},
               {"@1700000000", 1700000000}};
  for (const auto& c : cases) {
    const auto when = parse_when(c.text, kNow, east());
    ASSERT_TRUE(when) << c.text;
    EXPECT_EQ(*when, c.seconds * kUsPerS) << c.text;
  }
}

TEST(ParseWhen, RefusesWhatIsNoTime) {
  for (const char* text :
       {"", "tomorrow", "2026-13-01", "2026-02-29", "2026-1", "25:00", "14:60", "2x ago", "ago", "h", "-2h",
        "2026-11-22 14", "2026-11-22 14:05 CET", "2026-11-22x", "99999999999h", "@", "@12x", "1:2:3:4"}) {
    EXPECT_FALSE(parse_when(text, kNow, east())) << text;
  }
  EXPECT_TRUE(parse_when("2028-02-29", kNow, east()));
}

TEST(ParseLength, KnowsWhatPeopleWrite) {
  const struct {
    const char* text;
    std::int64_t us;
  } cases[] = {{"0", 0},
               {"90", 90 * kUsPerS},
               {"1.5", 1500000},
               {"1:30", 90 * kUsPerS},
               {"1:02:03", 3723 * kUsPerS},
               {"1h2m3s", 3723 * kUsPerS},
               {"500ms", 500000},
               {"2m", 120 * kUsPerS},
               {"0.25s", 250000}};
  for (const auto& c : cases) {
    const auto length = parse_length(c.text);
    ASSERT_TRUE(length) << c.text;
    EXPECT_EQ(*length, c.us) << c.text;
  }
}

TEST(ParseLength, RefusesWhatIsNone) {
  for (const char* text :
       {"", "x", "1x", "-1", "1:", ":1", "1:60", "1:2:3:4", "1.", "9999999999999", "1m30", "1h30", "."}) {
    EXPECT_FALSE(parse_length(text)) << text;
  }
}

TEST(FormatLength, FitsItsColumn) {
  EXPECT_EQ(format_length(0), "0:00");
  EXPECT_EQ(format_length(7 * kUsPerS), "0:07");
  EXPECT_EQ(format_length(3599 * kUsPerS), "59:59");
  EXPECT_EQ(format_length(3723 * kUsPerS), "1:02:03");
  EXPECT_EQ(format_length((3 * 86400 + 3723) * kUsPerS), "3d 01:02:03");
  EXPECT_EQ(format_length(-5), "0:00");
}

TEST(FormatSize, FitsItsColumn) {
  EXPECT_EQ(format_size(0), "0");
  EXPECT_EQ(format_size(1023), "1023");
  EXPECT_EQ(format_size(1024), "1.0K");
  EXPECT_EQ(format_size(1536), "1.5K");
  EXPECT_EQ(format_size(10 << 20), "10M");
  EXPECT_EQ(format_size((1ULL << 30) - 1), "1.0G");
  EXPECT_EQ(format_size(~0ULL), "16E");
}

TEST(Counted, OneIsNotMany) {
  EXPECT_EQ(counted(0, "seal"), "0 seals");
  EXPECT_EQ(counted(1, "seal"), "1 seal");
  EXPECT_EQ(counted(2, "seal"), "2 seals");
}

}  // namespace
}  // namespace opelog::cli
