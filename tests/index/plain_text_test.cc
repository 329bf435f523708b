#include "index/plain_text.h"

#include <gtest/gtest.h>

#include "replay/transcript.h"

namespace opelog::index {
namespace {

std::string plain(const std::string& bytes, std::size_t piece) {
  std::string out;
  PlainText text([&out](const TextLine& line) {
    out += std::to_string(line.offset) + ":" + std::string(line.text) + "\n";
  });
  for (std::size_t i = 0; i < bytes.size(); i += piece) text.feed(bytes.substr(i, piece), 0, 100 + i);
  text.finish();
  return out;
}

TEST(PlainText, SequencesAreDroppedAndLinesAreToldHoweverTheyAreCut) {
  const std::string bytes = "one \x1B[31mred\x1B[0m\r\n\x1B]0;title\x07\u65E5\u672C\ttwo\n\n\x1B[5;5Hlast";
  const std::string whole = plain(bytes, 1000);
  EXPECT_NE(whole.find(":one red\n"), std::string::npos) << whole;
  EXPECT_NE(whole.find(":\u65E5\u672C two\n"), std::string::npos) << whole;
  EXPECT_NE(whole.find(":last\n"), std::string::npos) << whole;
  const auto texts = [](const std::string& all) {
    std::string out;
    for (std::size_t i = 0; i < all.size();) {
      const std::size_t end = all.find('\n', i);
      out += all.substr(all.find(':', i), end - all.find(':', i)) + "\n";
      i = end + 1;
    }
    return out;
  };
  for (std::size_t piece = 1; piece < 9; ++piece)
    EXPECT_EQ(texts(plain(bytes, piece)), texts(whole)) << piece;
}

TEST(PlainText, ALineEndsWhereOutputIsMissing) {
  std::string out;
  PlainText text([&out](const TextLine& line) {
    out += std::to_string(line.offset) + ":" + std::string(line.text) + "\n";
  });
  text.feed("one pass", 0, 0);
  text.gap();
  text.feed("word\r\n\x1b[3", 0, 8);
  text.gap();
  text.feed("1m\r\n", 0, 17);
  text.finish();
  EXPECT_EQ(out, "0:one pass\n8:word\n17:1m\n");
}

TEST(PlainText, ALineWithoutEndIsCutAndBidiControlsAreVisible) {
  std::size_t longest = 0;
  PlainText text([&longest](const TextLine& line) { longest = std::max(longest, line.text.size()); });
  for (int i = 0; i < 100; ++i) text.feed(std::string(10000, 'x'), 0, 0);
  text.finish();
  EXPECT_LE(longest, replay::kMaxLine + replay::kMaxTextPiece);
  EXPECT_NE(plain("a\u202Eb", 100).find("a<U+202E>b"), std::string::npos);
}

}  // namespace
}  // namespace opelog::index
