#include "format/json_text.h"

#include <gtest/gtest.h>

#include <random>

namespace opelog::format {
namespace {

std::string quote(std::string_view bytes) {
  std::string out;
  append_json_string(out, bytes);
  return out;
}

TEST(JsonText, AnyBytesComeBackAsTheyWere) {
  std::mt19937 random(7);
  for (int round = 0; round < 2000; ++round) {
    std::string bytes(random() % 40, '\0');
    for (char& c : bytes) {
      static constexpr char kNasty[] =
          "\"\\\n\r\t\x1b~ /\x7f\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xed\xb2\x80\xff\xc0";
      c = random() % 3 == 0 ? static_cast<char>(random() % 256) : kNasty[random() % (sizeof kNasty - 1)];
    }
    const std::string text = quote(bytes);
    for (const char c : text) ASSERT_TRUE(c >= 0x20 && c < 0x7e) << text;
    const auto value = parse_json(text);
    ASSERT_TRUE(value) << text;
    ASSERT_EQ(value->string, bytes) << text;
  }
}

TEST(JsonText, WritesEscapesOthersUnderstand) {
  EXPECT_EQ(quote("a\"b\\c\n~"), R"("a\"b\\c\u000a\u007e")");
  EXPECT_EQ(quote("\xc3\xa9"), R"("\u00e9")");
  EXPECT_EQ(quote("\xf0\x9f\x98\x80"), R"("\ud83d\ude00")");
  EXPECT_EQ(quote("\xff"), R"("\udcff")");  // as surrogateescape has it
}

TEST(JsonText, ObjectsKeepTheirOrderAndReadBack) {
  JsonObject object;
  object.text("a", "x")
      .number("b", -5)
      .number_u("c", 18446744073709551615U)
      .boolean("d", true)
      .raw("e", "[1,{}]");
  const std::string text = std::move(object).take();
  EXPECT_EQ(text, R"({"a":"x","b":-5,"c":18446744073709551615,"d":true,"e":[1,{}]})");
  const auto value = parse_json(text);
  ASSERT_TRUE(value);
  EXPECT_EQ(value->text_or("a", ""), "x");
  EXPECT_EQ(value->number_or("b", 0), -5);
  EXPECT_EQ(value->number_u_or("c", 0), 18446744073709551615U);
  EXPECT_TRUE(value->boolean_or("d", false));
  EXPECT_EQ(value->find("e")->items.size(), 2U);
  EXPECT_EQ(value->number_or("a", 9), 9);
  EXPECT_EQ(value->text_or("zzz", "none"), "none");
}

TEST(JsonText, WhatIsNoJsonIsRefused) {
  for (const char* text : {"",     "{",       "}",         "{\"a\"}",     "{\"a\":}",     "{\"a\":1,}",
                           "[1,]", "01",      "-",         "1.",          "1e",           "tru",
                           "\"",   "\"\\x\"", "\"\\u12\"", "\"\\ud800\"", "\"\\ud800x\"", "\"\\udc00\"",
                           "1 2",  "{} x",    "'a'",       "\"a\nb\"",    "nan",          "{a:1}"}) {
    EXPECT_FALSE(parse_json(text)) << text;
  }
}

TEST(JsonText, DepthAndCountAreBounded) {
  EXPECT_FALSE(parse_json(std::string(100000, '[')));
  EXPECT_FALSE(parse_json(std::string(20, '[') + std::string(20, ']')));
  EXPECT_TRUE(parse_json(std::string(5, '[') + std::string(5, ']')));
  std::string many = "[0";
  for (std::size_t i = 0; i < kMaxJsonValues; ++i) many += ",0";
  EXPECT_FALSE(parse_json(many + "]"));
}

}  // namespace
}  // namespace opelog::format
