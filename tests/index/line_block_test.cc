#include "index/line_block.h"

#include <gtest/gtest.h>

#include "core/clock.h"

namespace opelog::index {
namespace {

LineBlock sample_block() {
  LineBlock block;
  block.add({5 * kUsPerS, 1000, "first"});
  block.add({5 * kUsPerS, 1007, ""});
  block.add({4 * kUsPerS, 500, "earlier, and further up", kGapBefore | kGapBehind});
  block.add({99999 * kUsPerS, 0xffffffffffULL, "late"});
  return block;
}

TEST(LineBlock, ComesBackAsItWas) {
  const LineBlock block = sample_block();
  const auto back = LineBlock::unpack(block.pack());
  ASSERT_TRUE(back);
  ASSERT_EQ(back->lines(), 4U);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(back->line(i).text, block.line(i).text);
    EXPECT_EQ(back->line(i).at_us, block.line(i).at_us);
    EXPECT_EQ(back->line(i).offset, block.line(i).offset);
    EXPECT_EQ(back->line(i).gaps, block.line(i).gaps);
  }
  EXPECT_EQ(back->text(), block.text());
}

TEST(LineBlock, AReaderTellsTheTextOfOneAfterTheOther) {
  BlockReader reader;
  LineBlock many;
  for (int i = 0; i < 300; ++i) many.add({i * kUsPerS, static_cast<std::uint64_t>(i) << 40, "line"});
  for (const LineBlock& block : {many, sample_block(), many, LineBlock()}) {
    const auto text = reader.text(block.pack());
    ASSERT_TRUE(text);
    EXPECT_EQ(*text, block.text());
    const auto whole = reader.block();
    ASSERT_TRUE(whole);
    EXPECT_EQ(whole->text(), block.text());
    ASSERT_EQ(whole->lines(), block.lines());
    if (!block.empty()) {
      EXPECT_EQ(whole->line(block.lines() - 1).offset, block.line(block.lines() - 1).offset);
    }
  }
  EXPECT_FALSE(reader.text("damaged"));
  EXPECT_FALSE(reader.block()) << "nothing is left of the one before";
}

TEST(LineBlock, ALineFeedWithinALineIsABlank) {
  LineBlock block;
  block.add({0, 0, "a\nb"});
  EXPECT_EQ(block.line(0).text, "a b");
  EXPECT_EQ(LineBlock::unpack(block.pack())->lines(), 1U);
}

TEST(LineBlock, NoDamageIsMoreThanAnAnswerOfNone) {
  const std::string packed = sample_block().pack();
  for (std::size_t size = 0; size < packed.size(); ++size)
    EXPECT_FALSE(LineBlock::unpack(packed.substr(0, size))) << size;
  for (std::size_t i = 0; i < packed.size(); ++i) {
    std::string damaged = packed;
    for (int bit = 0; bit < 8; ++bit) {
      damaged[i] = static_cast<char>(packed[i] ^ (1 << bit));
      (void)BlockReader().text(damaged);
      if (const auto block = LineBlock::unpack(damaged)) {
        for (std::size_t k = 0; k < block->lines(); ++k) (void)block->line(k);
      }
    }
  }
}

TEST(LineBlock, IsFullByTextAndByLines) {
  LineBlock block;
  while (!block.full()) block.add({0, 0, "0123456789abcde"});
  EXPECT_EQ(block.text().size(), kBlockBytes);
  block.clear();
  while (!block.full()) block.add({0, 0, ""});
  EXPECT_EQ(block.lines(), kBlockLines);
}

}  // namespace
}  // namespace opelog::index
