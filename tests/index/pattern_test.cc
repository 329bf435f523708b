#include "index/pattern.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "index/trigrams.h"

namespace opelog::index {
namespace {

std::string matched(PatternKind kind, const std::string& pattern, const std::string& line,
                    bool any_case = false) {
  const auto compiled = Pattern::compile(kind, pattern, any_case);
  if (!compiled) return "error: " + compiled.error().message;
  const auto match = compiled->find(line);
  return match ? "[" + line.substr(match->begin, match->size) + "]" : "none";
}

TEST(Pattern, FindsSubstringsWordsAndExpressions) {
  const struct {
    PatternKind kind;
    const char* pattern;
    const char* line;
    bool any_case;
    const char* found;
  } cases[] = {
      {PatternKind::kSubstring, "a.c", "abc a.c", false, "[a.c]"},
      {PatternKind::kSubstring, "ABC", "abc", false, "none"},
      {PatternKind::kSubstring, "ABC", "xabcx", true, "[abc]"},
      {PatternKind::kSubstring, "\u00C9T\u00C9", "\u00E9t\u00E9", true, "[\u00E9t\u00E9]"},
      {PatternKind::kWord, "rm", "firm farm rm -rf", false, "[rm]"},
      {PatternKind::kWord, "rm", "firm farmed rm_", false, "none"},
      {PatternKind::kWord, "rm", "\u00E9rm", false, "none"},
      {PatternKind::kWord, "-rf", "rm -rf x", false, "[-rf]"},
      {PatternKind::kWord, "RM", "firm Rm", true, "[Rm]"},
      {PatternKind::kRegex, "a(b|c)+d", "xabcbdx", false, "[abcbd]"},
      {PatternKind::kRegex, "^b", "ab", false, "none"},
      {PatternKind::kRegex, "x*", "abc", false, "[]"},
  };
  for (const auto& c : cases)
    EXPECT_EQ(matched(c.kind, c.pattern, c.line, c.any_case), c.found) << c.pattern << " in " << c.line;
}

TEST(Pattern, WhatIsNoPatternIsRefusedWithAReason) {
  EXPECT_EQ(matched(PatternKind::kSubstring, "", "x"), "error: an empty pattern matches everything");
  EXPECT_EQ(matched(PatternKind::kRegex, "a(", "x").find("error: the pattern is no regular expression: "),
            0U);
  EXPECT_EQ(matched(PatternKind::kRegex, "(a)\\1", "x").find("error: "), 0U) << "no back references";
  EXPECT_EQ(matched(PatternKind::kRegex, "((a{1000}){1000}){1000}", "x").find("error: "), 0U);
  EXPECT_EQ(matched(PatternKind::kSubstring, std::string(kMaxPatternBytes + 1, 'x'), "x").find("error: "),
            0U);
}

TEST(Pattern, AQuickLookAtManyLinesMissesNone) {
  const std::string text = "first\nsecond one\nthird\n";
  for (const char* pattern : {"d o", "[a-z]+$", "^second", "t.?$", "first", "d[^x]*one", "(?:^third)",
                              "\\w{5} one$", "^$|^second one$", "(?i)^THIRD$", "\\Asecond", "third\\z",
                              "(?-m)^third", "\\Qthird", "(^f|d$)", "[^x]$"}) {
    const auto compiled = Pattern::compile(PatternKind::kRegex, pattern, false);
    ASSERT_TRUE(compiled);
    EXPECT_TRUE(compiled->may_match(text)) << pattern;
  }
  for (const char* pattern :
       {"one[0-9]", "^one", "second$", "(first|one)\\s(second|third)", "\\d", "first[^x]second"})
    EXPECT_FALSE(Pattern::compile(PatternKind::kRegex, pattern, false)->may_match(text)) << pattern;
  EXPECT_FALSE(Pattern::compile(PatternKind::kSubstring, "FOURTH", true)->may_match(text));
  EXPECT_TRUE(Pattern::compile(PatternKind::kSubstring, "SECOND", true)->may_match(text));
}

TEST(Pattern, WhatBlowsUpABacktrackerIsLinear) {
  // Years in PCRE; the test would not end.
  EXPECT_EQ(
      matched(PatternKind::kRegex, "(a|a)*(a|aa)*(x+x+)+y", std::string(60000, 'a') + std::string(5000, 'x')),
      "none");
  EXPECT_EQ(matched(PatternKind::kRegex, "^(([a-z])+.)+[A-Z]([a-z])+$", std::string(65000, 'a')), "none");
}

std::string query_for(PatternKind kind, const std::string& pattern, bool any_case = false) {
  return Pattern::compile(kind, pattern, any_case)->query();
}

TEST(Pattern, TheQueryHoldsWhatAMatchNeeds) {
  const auto word = [](const char* literal) { return trigram_query(literal, false); };
  EXPECT_EQ(query_for(PatternKind::kSubstring, "abcd"), word("abcd"));
  EXPECT_EQ(query_for(PatternKind::kSubstring, "ab"), "");
  const auto either = [](const std::string& a, const std::string& b) { return ::testing::AnyOf(a, b); };
  const std::string abc = word("abc"), xyz = word("xyz");
  EXPECT_THAT(query_for(PatternKind::kRegex, "abc.*xyz"),
              either("(" + abc + " " + xyz + ")", "(" + xyz + " " + abc + ")"));
  EXPECT_THAT(query_for(PatternKind::kRegex, "abc|xyz"),
              either("(" + abc + ") OR (" + xyz + ")", "(" + xyz + ") OR (" + abc + ")"));
  EXPECT_EQ(query_for(PatternKind::kRegex, "(abc)?xyz"), "(" + word("xyz") + ")");
  EXPECT_EQ(query_for(PatternKind::kRegex, "(abc)?"), "");
  EXPECT_EQ(query_for(PatternKind::kRegex, "[0-9]+"), "");
  EXPECT_EQ(query_for(PatternKind::kRegex, "ABC", true), "(" + word("abc") + ")");
}

}  // namespace
}  // namespace opelog::index
