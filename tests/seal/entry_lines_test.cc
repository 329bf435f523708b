// EntryLines: wherever a file is cut into pieces the lines are the same, and a line without end takes no
// memory.
#include "seal/entry_lines.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace opelog::seal {
namespace {

std::vector<std::string> lines_of(EntryLines& lines, std::string_view bytes) {
  std::vector<std::string> all;
  lines.feed(bytes, [&all](std::string_view line) {
    all.emplace_back(line);
    return true;
  });
  return all;
}

TEST(EntryLines, AreTheSameWhereverThePiecesEnd) {
  const std::string text = "one\n\nthree\nfo";
  const std::vector<std::string> wanted = {"one", "", "three"};
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    EntryLines lines;
    auto all = lines_of(lines, std::string_view(text).substr(0, cut));
    for (std::string& line : lines_of(lines, std::string_view(text).substr(cut))) all.push_back(line);
    EXPECT_EQ(all, wanted) << cut;
    EXPECT_EQ(lines.rest(), "fo") << cut;
  }
}

TEST(EntryLines, CutWhatIsLongerThanAnyEntry) {
  const std::string longest(kMaxEntryBytes, 'a'), longer(kMaxEntryBytes + 1000, 'b');
  EntryLines whole;
  auto all = lines_of(whole, longest + "\n" + longer + "\nc\n");
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0], longest);
  EXPECT_EQ(all[1].size(), kMaxEntryBytes + 1);
  EXPECT_EQ(all[2], "c");

  EntryLines pieces;
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(lines_of(pieces, longer).empty());
  EXPECT_TRUE(pieces.too_long());
  EXPECT_EQ(pieces.rest().size(), kMaxEntryBytes + 1);
  all = lines_of(pieces, "\nd\n");
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].size(), kMaxEntryBytes + 1);
  EXPECT_EQ(all[1], "d");
  EXPECT_FALSE(pieces.too_long());
}

TEST(EntryLines, StopWhereTheyAreTold) {
  EntryLines lines;
  int taken = 0;
  EXPECT_FALSE(lines.feed("one\ntwo\nthree\n", [&taken](std::string_view) { return ++taken < 2; }));
  EXPECT_EQ(taken, 2);
}

}  // namespace
}  // namespace opelog::seal
