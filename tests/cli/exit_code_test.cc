#include "cli/exit_code.h"

#include <gtest/gtest.h>

#include "../format/support_io.h"

namespace opelog::cli {
namespace {

TEST(ExitCode, EachFailureHasItsOwn) {
  EXPECT_EQ(exit_code_of(Code::kInvalid), 5);
  EXPECT_EQ(exit_code_of(Code::kNotFound), 3);
  EXPECT_EQ(exit_code_of(Code::kExists), 1);
  EXPECT_EQ(exit_code_of(Code::kDenied), 4);
  EXPECT_EQ(exit_code_of(Code::kGone), 6);
  EXPECT_EQ(exit_code_of(Code::kIo), 7);
  EXPECT_EQ(exit_code_of(Code::kLimit), 7);
  EXPECT_EQ(exit_code_of(Code::kUnsupported), 7);
}

TEST(ExitCode, TheDocumentListsThemAll) {
  const std::string page = format::testing::slurp(OPELOG_SOURCE_DIR "/docs/exit-codes.md");
  for (const char* row :
       {"| 0 |", "| 1 |", "| 2 |", "| 3 |", "| 4 |", "| 5 |", "| 6 |", "| 7 |", "| 128+N |"}) {
    EXPECT_NE(page.find(row), std::string::npos) << row;
  }
}

}  // namespace
}  // namespace opelog::cli
