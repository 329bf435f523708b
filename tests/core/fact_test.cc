#include "core/fact.h"

#include <gtest/gtest.h>

namespace opelog {
namespace {

TEST(Printable, TextStaysAsItIs) {
  for (const char* text : {"", "plain", "Ünïcödé 漢字 🙂", "back\\slash \"quote\""})
    EXPECT_EQ(printable(text), text);
}

TEST(Printable, ControlsAreHex) {
  EXPECT_EQ(printable("a\nb\tc\x1B[2J\x7F"), "a\\x0ab\\x09c\\x1b[2J\\x7f");
  EXPECT_EQ(printable(std::string_view("a\0b", 3)), "a\\x00b");
}

TEST(Printable, C1ControlsAreHexThoughTheyAreValidUtf8) {
  EXPECT_EQ(printable("\xC2\x80"), "\\xc2\\x80");
  EXPECT_EQ(printable("\xC2\x9B"
                      "2J"),
            "\\xc2\\x9b2J");
  EXPECT_EQ(printable("\xC2\x9F"), "\\xc2\\x9f");
  EXPECT_EQ(printable("\xC2\xA0"), "\xC2\xA0");
}

TEST(Printable, BidiControlsAndLineSeparatorsAreHex) {
  for (const char* bidi : {"\xE2\x80\x8E", "\xE2\x80\x8F", "\xD8\x9C", "\xE2\x80\xAA", "\xE2\x80\xAE",
                           "\xE2\x81\xA6", "\xE2\x81\xA9", "\xE2\x80\xA8", "\xE2\x80\xA9"}) {
    EXPECT_EQ(printable(bidi).rfind("\\x", 0), 0u) << printable(bidi);
  }
}

TEST(Printable, InvalidUtf8IsHexByteByByte) {
  const std::pair<const char*, const char*> cases[] = {
      {"\xFF", "\\xff"},
      {"a\x80z", "a\\x80z"},
      {"\xC3", "\\xc3"},
      {"\xC3(", "\\xc3("},
      {"\xC0\xAF", "\\xc0\\xaf"},
      {"\xE0\x80\xAF", "\\xe0\\x80\\xaf"},
      {"\xED\xA0\x80", "\\xed\\xa0\\x80"},
      {"\xF0\x80\x80\xAF", "\\xf0\\x80\\x80\\xaf"},
      {"\xF4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},
      {"\xF8\x88\x80\x80\x80", "\\xf8\\x88\\x80\\x80\\x80"},
      {"\xE2\x82", "\\xe2\\x82"},
      {"\xF0\x9F\x99", "\\xf0\\x9f\\x99"},
  };
  for (const auto& [bytes, shown] : cases) EXPECT_EQ(printable(bytes), shown);
}

TEST(Printable, EveryPairOfBytesComesOutPrintable) {
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) {
      const char bytes[] = {static_cast<char>(a), static_cast<char>(b)};
      const std::string once = printable(std::string_view(bytes, 2));
      EXPECT_EQ(printable(once), once) << a << " " << b;
      for (const char c : once)
        EXPECT_FALSE(static_cast<unsigned char>(c) < 0x20 || c == 0x7F) << a << " " << b;
    }
  }
}

TEST(FormatFact, IsOneLineWithQuotedValues) {
  EXPECT_EQ(
      format_fact(
          {Level::kInfo, "session-start", "a login", {{"user", "ann"}, {"command", "ls -l"}, {"empty", ""}}}),
      "session-start: a login user=ann command=\"ls -l\" empty=\"\"");
}

TEST(FormatFact, AValueCannotForgeAnotherField) {
  EXPECT_EQ(format_fact({Level::kInfo, "e", "t", {{"k", "x\" uid=0 y=\""}}}),
            "e: t k=\"x\\x22 uid=0 y=\\x22\"");
  EXPECT_EQ(format_fact({Level::kInfo, "e", "t", {{"k", "x\\"}, {"l", "a b"}}}), "e: t k=x\\x5c l=\"a b\"");
  EXPECT_EQ(format_fact({Level::kInfo, "e", "t\nu", {{"k", "a\nuid=0"}}}), "e: t\\x0au k=\"a\\x0auid=0\"");
}

}  // namespace
}  // namespace opelog
