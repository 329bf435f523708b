#include "cli/csv_text.h"

#include <gtest/gtest.h>

namespace opelog::cli {
namespace {

TEST(CsvText, NoSpreadsheetTakesItForAFormula) {
  EXPECT_EQ(csv_text("=HYPERLINK(\"x\")"), "\"'=HYPERLINK(\"\"x\"\")\"");
  for (const char* text : {"+1", "-1", "@SUM(A1)", "\t=1", "\r=1"})
    EXPECT_EQ(csv_text(text).substr(0, 2), "\"'") << text;
}

TEST(CsvText, WhatIsNoneStaysAsItIs) {
  EXPECT_EQ(csv_text(""), "\"\"");
  EXPECT_EQ(csv_text("ls -l, a=1 +2"), "\"ls -l, a=1 +2\"");
  EXPECT_EQ(csv_text("a\x1b[2J\nb"), "\"a\\x1b[2J\\x0ab\"");
}

}  // namespace
}  // namespace opelog::cli
