// docs/formats/seals.md and the code say the same of findings.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "seal/finding.h"
#include "seal/seal_record.h"

namespace opelog::seal {
namespace {

std::vector<std::vector<std::string>> rows_below(const std::string& heading) {
  std::ifstream file(std::string(OPELOG_SOURCE_DIR) + "/docs/formats/seals.md");
  std::vector<std::vector<std::string>> rows;
  bool in = false;
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("#", 0) == 0) in = line == heading;
    if (!in || line.rfind("| `", 0) != 0) continue;
    std::vector<std::string> cells;
    std::istringstream text(line.substr(1));
    for (std::string cell; std::getline(text, cell, '|');) {
      const std::size_t from = cell.find_first_not_of(' ');
      cells.push_back(from == std::string::npos ? ""
                                                : cell.substr(from, cell.find_last_not_of(' ') - from + 1));
    }
    rows.push_back(std::move(cells));
  }
  return rows;
}

TEST(SealsDocument, FindingsWeighAsThePageSays) {
  const auto rows = rows_below("## The verdict");
  ASSERT_GT(rows.size(), 20U);
  for (const auto& row : rows) {
    ASSERT_GE(row.size(), 4U) << row[0];
    const std::string what = row[0].substr(1, row[0].size() - 2);
    EXPECT_EQ(integrity_word(integrity_of(what)), row[2].empty() ? "intact" : row[2]) << what;
    EXPECT_EQ(completeness_word(completeness_of(what)), row[3].empty() ? "complete" : row[3]) << what;
  }
  EXPECT_EQ(integrity_of("no such word"), Integrity::kAltered);
}

TEST(SealsDocument, FindingsOfTheLedgerDamageItAsThePageSays) {
  const auto rows = rows_below("### The ledger and the host");
  ASSERT_GE(rows.size(), 11U);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::string what = rows[i][0].substr(1, rows[i][0].find('`', 1) - 1);
    EXPECT_EQ(damages_ledger(what), i < 7) << what;
  }
}

TEST(SealsDocument, TheMessageHasTheLengthOfThePage) {
  EXPECT_EQ(seal_message({}, {}, {}).size(), kSealMessageBytes);
}

}  // namespace
}  // namespace opelog::seal
