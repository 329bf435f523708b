#include "cli/table.h"

#include <gtest/gtest.h>

namespace opelog::cli {
namespace {

Table sample() {
  Table table({{"NAME", false, 4}, {"N", true, 0}});
  table.add({{"alice", "32"}, {"1", ""}});
  table.add({{"christopher", ""}, {"12345", ""}});
  return table;
}

TEST(Table, IsAsWideAsItsCells) {
  EXPECT_EQ(sample().text(0, false), "NAME            N\nalice           1\nchristopher 12345\n");
}

TEST(Table, ShrinksWhatMayShrinkToFit) {
  EXPECT_EQ(sample().text(12, false), "NAME       N\nalice      1\nchris~ 12345\n");
  EXPECT_EQ(sample().text(1, false), "NAME     N\nali~     1\nchr~ 12345\n") << "never below the least width";
}

TEST(Table, ColoursOnlyWhereAskedFor) {
  EXPECT_EQ(sample().text(0, false).find('\x1B'), std::string::npos);
  EXPECT_NE(sample().text(0, true).find("\x1B[32malice\x1B[0m"), std::string::npos);
}

TEST(Table, MakesHostileCellsSafe) {
  Table table({{"NAME", false, 0}});
  table.add({{"a\x1B]0;x\x07\n", ""}});
  EXPECT_EQ(table.text(0, true).find('\x07'), std::string::npos);
  EXPECT_NE(table.text(0, false).find("a\\x1b]0;x\\x07\\x0a"), std::string::npos);
}

TEST(Table, CountsCharactersNotBytes) {
  Table table({{"A", false, 2}, {"B", false, 0}});
  table.add({{"\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9", ""}, {"x", ""}});
  EXPECT_EQ(table.text(0, false), "A    B\n\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9 x\n");
  EXPECT_EQ(table.text(4, false), "A  B\n\xC3\xA9~ x\n");
}

TEST(Table, OneHugeCellDoesNotWidenEveryRow) {
  Table table({{"A", false, 0}, {"B", false, 0}});
  table.add({{std::string(65536, 'x'), ""}, {"y", ""}});
  table.add({{"x", ""}, {"y", ""}});
  const std::string text = table.text(0, false);
  EXPECT_LT(text.size(), 3 * 300U);
  EXPECT_NE(text.find("x~ y\n"), std::string::npos) << "cut, and said so";
}

TEST(Table, WithoutRowsIsNothing) {
  EXPECT_EQ(Table({{"A", false, 0}}).text(80, true), "");
}

}  // namespace
}  // namespace opelog::cli
