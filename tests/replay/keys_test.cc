#include "replay/keys.h"

#include <gtest/gtest.h>

namespace opelog::replay {
namespace {

std::vector<Key> played(KeyReader& reader, std::string_view bytes) {
  std::vector<Key> keys;
  for (const Stroke& stroke : reader.feed(bytes))
    if (const auto key = play_key(stroke)) keys.push_back(*key);
  return keys;
}

std::vector<MenuKey> chosen(std::string_view bytes) {
  KeyReader reader;
  std::vector<MenuKey> keys;
  for (const Stroke& stroke : reader.feed(bytes))
    if (const auto key = menu_key(stroke)) keys.push_back(*key);
  return keys;
}

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
      {"c[]", {Key::kCommands, Key::kPreviousCommand, Key::kNextCommand}},
      {"xyz\x01\r", {}},
  };
  for (const auto& c : cases) {
    KeyReader reader;
    EXPECT_EQ(played(reader, c.bytes), c.keys) << c.bytes;
  }
}

TEST(KeyReader, ASequenceMayArriveInPieces) {
  KeyReader reader;
  EXPECT_TRUE(reader.feed("\x1B").empty());
  EXPECT_TRUE(reader.feed("[").empty());
  EXPECT_EQ(played(reader, "C"), std::vector<Key>{Key::kForward});
}

TEST(KeyReader, AnswersOfTheTerminalPressNoKeys) {
  KeyReader reader;
  EXPECT_TRUE(
      played(reader, "\x1B[24;80R\x1B[?62;1;6c\x1B]11;rgb:q q q\x1B\\\x1BP1+r544e=q\x1B\\\x1B[200~").empty());
  EXPECT_EQ(played(reader, "q"), std::vector<Key>{Key::kQuit});
}

TEST(KeyReader, TheSameKeysMoveInTheList) {
  EXPECT_EQ(chosen("\x1B[A\x1BOBjk"),
            (std::vector<MenuKey>{MenuKey::kUp, MenuKey::kDown, MenuKey::kDown, MenuKey::kUp}));
  EXPECT_EQ(chosen("\x1B[5~\x1B[6~gG\rqc"),
            (std::vector<MenuKey>{MenuKey::kPageUp, MenuKey::kPageDown, MenuKey::kFirst, MenuKey::kLast,
                                  MenuKey::kChoose, MenuKey::kBack, MenuKey::kBack}));
}

TEST(KeyReader, EscAloneIsAKeyOnceNothingFollows) {
  KeyReader reader;
  reader.feed("\x1B");
  ASSERT_TRUE(reader.escape_begun());
  EXPECT_EQ(menu_key(reader.escape()), MenuKey::kBack);
  EXPECT_FALSE(reader.escape_begun());
  EXPECT_EQ(played(reader, "q"), std::vector<Key>{Key::kQuit}) << "it is no part of a sequence";
  reader.feed("\x1B[");
  EXPECT_FALSE(reader.escape_begun()) << "a sequence has begun";
}

}  // namespace
}  // namespace opelog::replay
