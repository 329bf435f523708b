#include "core/yaml_values.h"

#include <gtest/gtest.h>

namespace opelog {
namespace {

TEST(YamlValues, DigitsAreDigitsUpToTheMaximum) {
  EXPECT_EQ(parse_digits("0", 9), 0u);
  EXPECT_EQ(parse_digits("4294967294", 4294967294u), 4294967294u);
  EXPECT_EQ(parse_digits("18446744073709551615", UINT64_MAX), UINT64_MAX);
  for (const char* bad :
       {"", "00", "01", "+1", "-1", " 1", "1 ", "1.0", "x", "4294967295", "18446744073709551616"}) {
    EXPECT_FALSE(parse_digits(bad, 4294967294u)) << bad;
  }
  EXPECT_FALSE(parse_digits("18446744073709551616", UINT64_MAX));
  EXPECT_FALSE(parse_digits("5", 4));
  EXPECT_EQ(parse_digits("4", 4), 4u);
}

TEST(YamlValues, DurationsNeedAUnitExceptZero) {
  const std::pair<const char*, int> good[] = {{"0", 0},        {"0s", 0},        {"1ms", 1},
                                              {"250ms", 250},  {"1s", 1000},     {"5m", 300000},
                                              {"2h", 7200000}, {"24h", 86400000}};
  for (const auto& [text, ms] : good) EXPECT_EQ(parse_duration_ms(text), ms) << text;
  for (const char* bad : {"", "1", "ms", "s", "1S", "1 s", "-1s", "1.5s", "01s", "1d", "25h", "1h30m",
                          "99999999999999999999ms"}) {
    EXPECT_FALSE(parse_duration_ms(bad)) << bad;
  }
}

TEST(YamlValues, AgesAndSizes) {
  const std::pair<const char*, std::int64_t> ages[] = {
      {"0", 0},       {"0d", 0},        {"30s", 30},           {"15m", 900},
      {"12h", 43200}, {"90d", 7776000}, {"36500d", 3153600000}};
  for (const auto& [text, s] : ages) EXPECT_EQ(parse_age_s(text), s) << text;
  for (const char* bad :
       {"", "1", "d", "1w", "1 d", "-1d", "1.5h", "01d", "36501d", "99999999999999999999s", "1ms"})
    EXPECT_FALSE(parse_age_s(bad)) << bad;
  const std::pair<const char*, std::uint64_t> sizes[] = {
      {"0", 0}, {"1K", 1024}, {"512M", 512ULL << 20U}, {"20G", 20ULL << 30U}, {"1024T", 1ULL << 50U}};
  for (const auto& [text, bytes] : sizes) EXPECT_EQ(parse_size_bytes(text), bytes) << text;
  for (const char* bad :
       {"", "1", "G", "1k", "1GB", "1 G", "-1G", "1.5G", "01G", "1025T", "99999999999999999999K"})
    EXPECT_FALSE(parse_size_bytes(bad)) << bad;
}

TEST(YamlValues, PathsAreAbsoluteAndNormal) {
  for (const char* good : {"/a", "/var/log/ope_log", "/a/..b", "/a/.b", "/a/b...", "/a b/c"})
    EXPECT_TRUE(is_normal_path(good)) << good;
  for (const char* bad :
       {"", "/", "a", "a/b", "/a/", "//a", "/a//b", "/.", "/..", "/a/..", "/a/./b", "/../a"})
    EXPECT_FALSE(is_normal_path(bad)) << bad;
  EXPECT_FALSE(is_normal_path(std::string_view("/a\0b", 4)));
  EXPECT_TRUE(is_normal_path("/" + std::string(255, 'a')));
  EXPECT_FALSE(is_normal_path("/" + std::string(256, 'a')));
  std::string deep;
  while (deep.size() < 4096) deep += "/abcdefg";
  EXPECT_FALSE(is_normal_path(deep));
}

TEST(YamlValues, SuggestionsAreCloseOrAbsent) {
  const std::vector<std::string_view> known{"match", "action", "input", "uid"};
  EXPECT_EQ(did_you_mean("acton", known), "; did you mean 'action'?");
  EXPECT_EQ(did_you_mean("amtch", known), "; did you mean 'match'?");
  EXPECT_EQ(did_you_mean("udi", known), "; did you mean 'uid'?");
  EXPECT_EQ(did_you_mean("x", known), "");
  EXPECT_EQ(did_you_mean("", known), "");
  EXPECT_EQ(did_you_mean(std::string(5000, 'a'), known), "");
}

}  // namespace
}  // namespace opelog
