#include "replay/command_menu.h"

#include <gtest/gtest.h>

#include "replay/character_widths.h"
#include "replay/screen.h"
#include "replay/transcript.h"

namespace opelog::replay {
namespace {

std::vector<CommandPlace> some_places(int count) {
  std::vector<CommandPlace> places;
  for (int i = 1; i <= count; ++i) places.push_back({i * 10, "command-" + std::to_string(i) + "."});
  return places;
}

// The rows that a terminal of this size shows.
std::vector<std::string> rows_of(const std::string& drawn, int rows, int cols) {
  Screen screen(rows, cols);
  Transcript transcript(screen);
  screen.feed("\x1B[?7l" + drawn, 1, 0);
  screen.finish();
  transcript.finish();
  std::vector<std::string> shown;
  for (const TranscriptEntry& entry : transcript.take()) shown.push_back(entry.text);
  while (!shown.empty() && shown.back().empty()) shown.pop_back();
  return shown;
}

TEST(CommandPlaces, NextAndPreviousLieStrictlyBesideThePosition) {
  const auto places = some_places(3);  // 10, 20, 30
  EXPECT_EQ(place_after(places, 0), 0u);
  EXPECT_EQ(place_after(places, 10), 1u);
  EXPECT_EQ(place_after(places, 30), std::nullopt);
  EXPECT_EQ(place_before(places, 10), std::nullopt);
  EXPECT_EQ(place_before(places, 11), 0u);
  EXPECT_EQ(place_before(places, 99), 2u);
  EXPECT_EQ(place_after({}, 5), std::nullopt);
  EXPECT_EQ(place_before({}, 5), std::nullopt);
}

TEST(CommandMenu, BeginsAtWhatRunsAndMovesWithinTheList) {
  CommandMenu menu(some_places(30), 205, "");
  EXPECT_EQ(menu.chosen_us(), 200);
  EXPECT_EQ(menu.press(MenuKey::kDown, 11), MenuAnswer::kStay);
  EXPECT_EQ(menu.chosen_us(), 210);
  menu.press(MenuKey::kPageUp, 11);
  EXPECT_EQ(menu.chosen_us(), 110);
  menu.press(MenuKey::kLast, 11);
  menu.press(MenuKey::kDown, 11);
  menu.press(MenuKey::kPageDown, 11);
  EXPECT_EQ(menu.chosen_us(), 300);
  menu.press(MenuKey::kFirst, 11);
  menu.press(MenuKey::kUp, 11);
  menu.press(MenuKey::kPageUp, 11);
  EXPECT_EQ(menu.chosen_us(), 10);
  EXPECT_EQ(menu.press(MenuKey::kChoose, 11), MenuAnswer::kJump);
  EXPECT_EQ(menu.press(MenuKey::kBack, 11), MenuAnswer::kBack);
}

TEST(CommandMenu, ShowsThePageOfTheChoiceUnderATitle) {
  CommandMenu menu(some_places(30), 205, "");
  const auto rows = rows_of(menu.draw(11, 60), 11, 60);
  ASSERT_EQ(rows.size(), 11u);
  EXPECT_EQ(rows[0], "command 20 of 30; arrows move, Enter goes there, q back");
  EXPECT_EQ(rows[1], "  command-11.");
  EXPECT_EQ(rows[10], "> command-20.");
  EXPECT_EQ(rows_of(CommandMenu(some_places(3), 0, "none there").draw(5, 60), 5, 60)[0].find("none there"),
            0u);
}

TEST(CommandMenu, AnyTerminalIsLargeEnough) {
  CommandMenu menu(some_places(30), 205, "");
  EXPECT_EQ(rows_of(menu.draw(1, 60), 1, 60), std::vector<std::string>{"> command-20."});
  EXPECT_EQ(rows_of(menu.draw(3, 4), 3, 4), (std::vector<std::string>{"com~", "  c~", "> c~"}));
  EXPECT_EQ(rows_of(menu.draw(2, 1), 2, 1), (std::vector<std::string>{"~", "~"}));
  EXPECT_NE(menu.draw(0, 0).find("> command-20."), std::string::npos) << "a terminal that says no size";
}

TEST(CommandMenu, WithoutCommandsItSaysSoAndGoesBack) {
  CommandMenu menu({}, 5, "");
  EXPECT_NE(menu.draw(24, 80).find("no commands are known of this session"), std::string::npos);
  EXPECT_EQ(menu.press(MenuKey::kDown, 24), MenuAnswer::kStay);
  EXPECT_EQ(menu.press(MenuKey::kChoose, 24), MenuAnswer::kBack);
}

TEST(CommandMenu, HostileLabelsStayData) {
  const std::string drawn = CommandMenu({{1,
                                          "a\x1B[31m\x07\nb\xC2\x9B"
                                          "c"}},
                                        5, "")
                                .draw(24, 80);
  EXPECT_NE(drawn.find("a\\x1b[31m\\x07\\x0ab\\xc2\\x9bc"), std::string::npos) << drawn;
}

TEST(Cells, WideCharactersAreNeverCutInHalf) {
  EXPECT_EQ(cut_to_cells("日本語", 6), "日本語");
  EXPECT_EQ(cut_to_cells("日本語", 5), "日本~");
  EXPECT_EQ(cut_to_cells("日本語", 4), "日~");
  EXPECT_EQ(cut_to_cells("a\xCC\x81"
                         "b",
                         2),
            "a\xCC\x81"
            "b")
      << "a mark takes no cell";
  EXPECT_EQ(cut_to_cells("abc", 2), "a~");
  EXPECT_EQ(cut_to_cells("abc", 0), "");
  EXPECT_EQ(cut_to_cells("\U0001F600\U0001F600", 3), "\U0001F600~");
  EXPECT_EQ(cut_to_cells("\U00020000\U00020000", 3), "\U00020000~") << "a rare ideograph";
}

}  // namespace
}  // namespace opelog::replay
