#include "format/recording_name.h"

#include <gtest/gtest.h>

#include <random>

namespace opelog::format {
namespace {

constexpr const char* kDefault = "{user}_{time}_{client}";

std::string name(const std::string& user, const std::string& client, const char* name_template = kDefault) {
  auto made = make_name(name_template, user, "20261122140509", client, "web1", 1000, "0123456789abcdef");
  return made ? *made : "error: " + made.error().message;
}

TEST(RecordingName, OfOutsideNamesOnlyPlainOnesAreTaken) {
  for (const std::string& good :
       {std::string("a"), std::string("alice_20261122140509_2001:db8::1-2"), std::string("%2E_x"),
        std::string(250, 'a'), std::string("a..b"), std::string("\xc3\xa4")})
    EXPECT_TRUE(is_recording_name(good)) << good;
  for (const std::string& bad : {std::string(), std::string("."), std::string(".."), std::string(".a"),
                                 std::string("a/b"), std::string("/"), std::string("a\nb"),
                                 std::string("a\0b", 3), std::string("a\x7f"), std::string(251, 'a')})
    EXPECT_FALSE(is_recording_name(bad)) << bad;
}

TEST(RecordingName, IsTheRecipesName) {
  EXPECT_EQ(name("alice", "192.0.2.7"), "alice_20261122140509_192.0.2.7");
  EXPECT_EQ(name("alice", "2001:db8::1"), "alice_20261122140509_2001:db8::1");
  EXPECT_EQ(name("alice", ""), "alice_20261122140509_UNKNOWN");
}

TEST(RecordingName, HostilePartsStayOneFileName) {
  EXPECT_EQ(name("../x", "y/z"), "%2E.%2Fx_20261122140509_y%2Fz");
  for (const std::string& part :
       {std::string("../../x"), std::string("a/b"), std::string(1, '\0'), std::string("\n"),
        std::string(".hidden"), std::string("-rf"), std::string("a_b"), std::string("%41"), std::string("~"),
        std::string("*?[$(id)]"), std::string("\xc3\xa9"), std::string("\xff"), std::string(5000, '/'),
        std::string(5000, 'x')}) {
    const std::string made = name(part, part);
    EXPECT_EQ(
        made.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.:@+-_%~"),
        std::string::npos)
        << made;
    EXPECT_LE(made.size() + 5 + 9, 255U) << made;  // "-9999" and ".time.zst"
    EXPECT_NE(made.front(), '.');
    EXPECT_NE(made.front(), '-');
    EXPECT_EQ(encode_name_part(part).find('_'), std::string::npos);
  }
}

TEST(RecordingName, PartsComeBackUnlessTheyWereTooLong) {
  std::mt19937 random(5);
  for (int round = 0; round < 2000; ++round) {
    std::string part(1 + random() % 30, '\0');
    for (char& c : part) c = random() % 2 == 0 ? static_cast<char>(random() % 256) : "_.-%~@"[random() % 6];
    const std::string encoded = encode_name_part(part);
    ASSERT_LE(encoded.size(), 100U);
    ASSERT_EQ(decode_name_part(encoded), part) << encoded;
  }
}

TEST(RecordingName, LongPartsAreCutBetweenEscapesAndToldApartByTheirHash) {
  std::string a(3000, '/');
  std::string b = a;
  b.back() = 'x';
  const std::string one = encode_name_part(a);
  const std::string two = encode_name_part(b);
  EXPECT_LE(one.size(), 100U);
  EXPECT_NE(one, two);
  const std::size_t mark = one.find("%~");
  ASSERT_NE(mark, std::string::npos);
  EXPECT_EQ(one.size() - mark, 10U);
  EXPECT_EQ(mark % 3, 0U);  // only whole %2F before it
  EXPECT_EQ(encode_name_part(std::string(100, 'x')), std::string(100, 'x'));
  EXPECT_EQ(encode_name_part(std::string(101, 'x')).size(), 100U);
}

TEST(RecordingName, TemplatesThatCannotServeAreRefusedWithAReason) {
  for (const char* bad : {"", "{user}", "{time}", "x", "{user}_{time}_{nope}", "{user}_{time}_{",
                          "{user_{time}", "{user}_{time}}", "a/{user}_{time}", "{user}\n{time}",
                          ".{user}_{time}", "-{user}{time}", "{}{user}{time}"}) {
    const auto checked = check_name_template(bad);
    ASSERT_FALSE(checked.ok()) << bad;
    EXPECT_EQ(checked.error().code, Code::kInvalid);
    EXPECT_FALSE(make_name(bad, "u", "t", "c", "h", 1, "i").ok());
  }
  EXPECT_FALSE(check_name_template("{user}{time}" + std::string(300, 'x')).ok());
  EXPECT_TRUE(check_name_template(kDefault).ok());
}

TEST(RecordingName, OtherTemplatesWorkAndNeverGrowBeyondAFileName) {
  EXPECT_EQ(name("alice", "c", "{host}-{uid}-{user}-{time}-{id}"),
            "web1-1000-alice-20261122140509-0123456789abcdef");
  const std::string longest =
      name(std::string(500, '/'), std::string(500, '/'), "{user}{user}{user}{user}{client}_{time}");
  EXPECT_LE(longest.size() + 14, 255U);
  EXPECT_NE(longest.find("%~"), std::string::npos);
}

TEST(RecordingName, NamesAreTakenApart) {
  const auto parts = parse_name("alice_20261122140509_192.0.2.7");
  ASSERT_TRUE(parts);
  EXPECT_EQ(parts->user, "alice");
  EXPECT_EQ(parts->time, "20261122140509");
  EXPECT_EQ(parts->client, "192.0.2.7");
  EXPECT_EQ(parts->serial, 1);
  EXPECT_EQ(parse_name("alice_20261122140509_192.0.2.7-3")->serial, 3);
  EXPECT_EQ(parse_name("alice_20261122140509_192.0.2.7-3")->client, "192.0.2.7");
  EXPECT_EQ(parse_name("a%5Fb_20261122140509_fe80::1%25eth0")->user, "a_b");
  EXPECT_EQ(parse_name("a%5Fb_20261122140509_fe80::1%25eth0")->client, "fe80::1%eth0");
  EXPECT_EQ(parse_name("my_user_20261122140509_UNKNOWN")->user,
            "my_user");  // as the recipe's script wrote it
}

TEST(RecordingName, WhatIsNoSuchNameIsNone) {
  for (const char* base : {"", "_", "alice", "alice_2026_x", "alice_20261122140509_", "_20261122140509_c",
                           "alice_2026112214050x_c", "alice20261122140509_c", "x_120261122140509_c"}) {
    EXPECT_FALSE(parse_name(base)) << base;
  }
  EXPECT_EQ(parse_name("a_20261122140509_c-1")->client, "c-1");
  EXPECT_EQ(parse_name("a_20261122140509_c-02")->client, "c-02");
  EXPECT_EQ(parse_name("a_20261122140509_c-99999")->client, "c-99999");
}

}  // namespace
}  // namespace opelog::format
