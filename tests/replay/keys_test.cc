#include "replay/keys.h"

#include <gtest/gtest.h>

namespace opelog::replay {
namespace {

TEST(KeyReader, KnowsPlainAndSpecialKeys) {
  const struct {
    const char* bytes;
    std::vector<Key> keys;
  } cases[] = {
      {"q", {Key::kQuit}},
      {" .", {Key::kPause, Key::kStep}},
      {"\x1B[C\x1B[D\x1B[A\x1B[B", {Key::kForward, Key::kBack, Key::kFarForward, Key::kFarBack}},
      {"\x1BOC\x1BOD", {Key::kForward, Key::kBack}},
      {"\x1B[H\x1B[F\x1B[1~\x1B[4~", {Key::kBegin, Key::kEnd, Key::kBegin, Key::kEnd}},
      {"\x1B[5~\x1B[6~", {Key::kFarBack, Key::kFarForward}},
      {"+-=", {Key::kFaster, Key::kSlower, Key::kNormalSpeed}},
      {"xyz\x01", {}},
  };
  for (const auto& c : cases) EXPECT_EQ(KeyReader().feed(c.bytes), c.keys) << c.bytes;
}

TEST(KeyReader, ASequenceMayArriveInPieces) {
  KeyReader reader;
  EXPECT_TRUE(reader.feed("\x1B").empty());
  EXPECT_TRUE(reader.feed("[").empty());
  EXPECT_EQ(reader.feed("C"), std::vector<Key>{Key::kForward});
}

TEST(KeyReader, AnswersOfTheTerminalPressNoKeys) {
  KeyReader reader;
  EXPECT_TRUE(
      reader.feed("\x1B[24;80R\x1B[?62;1;6c\x1B]11;rgb:q q q\x1B\\\x1BP1+r544e=q\x1B\\\x1B[200~").empty());
  EXPECT_EQ(reader.feed("q"), std::vector<Key>{Key::kQuit});
}

}  // namespace
}  // namespace opelog::replay
