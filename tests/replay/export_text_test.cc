#include "replay/export_text.h"

#include <gtest/gtest.h>

#include <vector>

#include "export_support.h"

namespace opelog::replay {
namespace {

using CutPieces = std::vector<std::pair<std::string, bool>>;

CutPieces cut_all(const std::vector<std::string>& pieces) {
  CutPieces out;
  Utf8Cutter cutter;
  const auto take = [&out](std::string_view c, bool valid) { out.emplace_back(c, valid); };
  for (const auto& piece : pieces) cutter.feed(piece, take);
  cutter.finish(take);
  return out;
}

TEST(ExportText, CutsCharactersAndWhatIsNone) {
  EXPECT_EQ(cut_all({"a\xC3\xA9\xE3\x81\x82\xF0\x9F\x98\x80"}),
            (CutPieces{{"a", true}, {"\xC3\xA9", true}, {"\xE3\x81\x82", true}, {"\xF0\x9F\x98\x80", true}}));
  // Overlong forms, surrogates and what lies beyond Unicode are no characters; an ASCII byte is never eaten.
  EXPECT_EQ(cut_all({"\xC0\x80"}), (CutPieces{{"\xC0", false}, {"\x80", false}}));
  EXPECT_EQ(cut_all({"\xE0\x80"}), (CutPieces{{"\xE0", false}, {"\x80", false}}));
  EXPECT_EQ(cut_all({"\xED\xA0\x80"}), (CutPieces{{"\xED", false}, {"\xA0", false}, {"\x80", false}}));
  EXPECT_EQ(cut_all({"\xF4\x90"}), (CutPieces{{"\xF4", false}, {"\x90", false}}));
  EXPECT_EQ(cut_all({"\xE3\x81q"}), (CutPieces{{"\xE3\x81", false}, {"q", true}}));
  EXPECT_EQ(cut_all({"\xE3\x81"}), (CutPieces{{"\xE3\x81", false}}));
  EXPECT_EQ(cut_all({"\xE3\xE3\x81\x82"}), (CutPieces{{"\xE3", false}, {"\xE3\x81\x82", true}}));
}

TEST(ExportText, HowTheBytesAreCutDoesNotMatter) {
  std::string all;
  for (const auto& piece : testing::hostile_pieces()) all += piece;
  std::vector<std::string> single;
  for (const char c : all) single.emplace_back(1, c);
  EXPECT_EQ(cut_all({all}), cut_all(single));
  std::string joined;
  for (const auto& [bytes, valid] : cut_all(single)) joined += bytes;
  EXPECT_EQ(joined, all);
}

TEST(ExportText, JsonHoldsNoControlAndNothingThatReorders) {
  EXPECT_EQ(json_string("a\"b\\c\r\n\t\x1b\x7f\xC2\x9B\xE2\x80\xAE\xF3\xA0\x81\x81\xE3\x81\x82~\xFF"),
            "\"a\\\"b\\\\c\\r\\n\\t\\u001b\\u007f\\u009b\\u202e\\udb40\\udc41\xE3\x81\x82~\xEF\xBF\xBD\"");
}

TEST(ExportText, HtmlHoldsNoMarkup) {
  std::string out;
  append_html(out, "<a href=\"x\" title='y'>&\x1b\xE2\x80\xAE\xFF");
  EXPECT_EQ(out, "&lt;a href=&quot;x&quot; title=&#39;y&#39;&gt;&amp;\xEF\xBF\xBD&lt;U+202E&gt;\xEF\xBF\xBD");
}

TEST(ExportText, Times) {
  EXPECT_EQ(seconds_text(0), "0.000000");
  EXPECT_EQ(seconds_text(1000005), "1.000005");
  EXPECT_EQ(seconds_text(-1), "0.000000");
  EXPECT_EQ(elapsed_text(INT64_C(97954000000)), "27:12:34");
}

}  // namespace
}  // namespace opelog::replay
