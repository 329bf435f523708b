#include "index/trigrams.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>
#include <sstream>

namespace opelog::index {
namespace {

std::set<std::string> words_in(const std::string& text) {
  std::istringstream stream(text);
  return {std::istream_iterator<std::string>(stream), {}};
}

TEST(Trigrams, AreDistinctFoldedAndWithinOneLine) {
  TrigramWords words;
  EXPECT_EQ(words_in(words.of("abcabc")).size(), 3U);
  EXPECT_EQ(words.of("ABC"), words.of("abc"));
  EXPECT_EQ(words.of("ab\ncd"), "");
  EXPECT_EQ(words.of("ab"), "");
  EXPECT_EQ(words.of("abc").size(), 5U);
}

TEST(Trigrams, ATextHoldsTheQueryOfEachOfItsParts) {
  std::mt19937 random(1);  // NOLINT: the same every time
  TrigramWords words;
  for (int round = 0; round < 500; ++round) {
    std::string text;
    for (int i = 0; i < 300; ++i)
      text += static_cast<char>(random() % 4 == 0 ? random() : 'A' + random() % 60);
    for (char& c : text) c = c == '\n' ? ' ' : c;
    const auto whole = words_in(words.of(text));
    const std::string part = text.substr(random() % 200, random() % 100);
    for (const auto& word : words_in(trigram_query(part, false))) ASSERT_EQ(whole.count(word), 1U) << round;
  }
}

TEST(Trigrams, WhatMayStandInAnotherCaseIsNotAskedFor) {
  EXPECT_EQ(trigram_query("\u00C9t\u00C9", true), "") << "\u00E9 has other bytes";
  EXPECT_NE(trigram_query("\u00C9t\u00C9", false), "");
  EXPECT_EQ(trigram_query("RM -RF", true), trigram_query("rm -rf", false));
}

TEST(Trigrams, ALongLiteralAsksABoundedQuestion) {
  std::string text;
  for (int i = 0; i < 4000; ++i) text += std::to_string(i);
  EXPECT_LE(words_in(trigram_query(text, false)).size(), kMaxQueryWords);
}

}  // namespace
}  // namespace opelog::index
