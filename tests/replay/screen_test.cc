#include "replay/screen.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace opelog::replay {
namespace {

using namespace std::string_literals;

std::vector<std::string> shown(const Screen& screen) {
  std::vector<std::string> rows;
  for (int r = 0; r < screen.rows(); ++r) rows.push_back(row_text(screen.row(r)));
  while (!rows.empty() && rows.back().empty()) rows.pop_back();
  return rows;
}

using Rows = std::vector<std::string>;

TEST(Screen, DrawsWhatATerminalDraws) {
  const struct {
    const char* what;
    std::string bytes;
    Rows rows;
  } cases[] = {
      {"text", "one\r\ntwo", {"one", "two"}},
      {"Backspace", "helo\b\x1b[1@l", {"hello"}},
      {"erase to the end", "abcdef\b\b\x1b[K", {"abcd"}},
      {"delete characters", "abcdef\r\x1b[2P", {"cdef"}},
      {"cursor addressing", "\x1b[2;3Hx\x1b[1;1Hy", {"y", "  x"}},
      {"wrap", "0123456789ab", {"0123456789", "ab"}},
      {"full row and line feed", "0123456789\r\nab", {"0123456789", "ab"}},
      {"wide characters", "a日本", {"a日本"}},
      {"a wide character wraps whole", "012345678日", {"012345678", "日"}},
      {"half a wide character vanishes", "日本\r\x1b[Cx", {" x本"}},
      {"combining", "e\xCC\x81x", {"e\xCC\x81x"}},
      {"marks without end",
       "e" +
           [] {
             std::string s;
             for (int i = 0; i < 3000; ++i) s += "\xCC\x81";
             return s;
           }() +
           "x",
       {"e\xCC\x81\xCC\x81x"}},
      {"bidi becomes visible",
       "a\xE2\x80\xAE"
       "b",
       {"a<U+202E>b"}},
      {"invalid UTF-8", "a\xFF\xC3(", {"a\xEF\xBF\xBD\xEF\xBF\xBD("}},
      {"line drawing", "\x1b(0qx\x1b(Bq", {"─│q"}},
      {"repeat", "-\x1b[4b", {"-----"}},
      {"repeat a wide character at the edge", "日\x1b[9999b", {"日日日日日", "日日日日"}},
      {"repeat of nothing", "\x1b[5bx", {"x"}},
      {"too many numbers vanish", "\x1b[1;2;3;4;5;6;7;8;9;1;2;3;4;5;6;7;8;9;1;2;3mx", {"x"}},
      {"title", "\x1b]0;secret\x07x", {"x"}},
      {"a string that does not end", "\x1b]0;sec\x1b[1mret", {"ret"}},
      {"C1 in UTF-8",
       "a\xC2\x85\xC2\x9b"
       "5mb",
       {"a5mb"}},
      {"insert mode", "ac\b\x1b[4hb\x1b[4l", {"abc"}},
      {"tabs", "a\tb", {"a       b"}},
      {"save and restore",
       "ab\x1b[s\r\ncd\x1b[uX\x1b"
       "7\r\n\x1b"
       "8Y",
       {"abXY", "cd"}},
      {"insert line", "a\r\nb\x1b[1;1H\x1b[L", {"", "a", "b"}},
      {"scroll region", "a\r\nb\r\nc\x1b[1;2r\x1b[2;1H\nx", {"b", "x", "c"}},
      {"alternate screen comes and goes", "a\x1b[?1049hXYZ\x1b[?1049lb", {"ab"}},
      {"reset",
       "abc\x1b"
       "cx",
       {"x"}},
      {"soft reset on the alternate screen", "m\x1b[?1049hz\x1b[!p\x1b[?1049l", {"m"}},
  };
  for (const auto& c : cases) {
    Screen screen(6, 10);
    screen.feed(c.bytes, 1, 0);
    EXPECT_EQ(shown(screen), c.rows) << c.what;
    Screen cut(6, 10);
    for (std::size_t i = 0; i < c.bytes.size(); ++i) cut.feed(std::string_view(c.bytes).substr(i, 1), 1, i);
    EXPECT_EQ(shown(cut), c.rows) << c.what << ", byte by byte";
  }
}

class Left final : public ScreenWatcher {
 public:
  void row_left(std::uint64_t number, const Row& row) override {
    numbers.push_back(number);
    rows.push_back(row_text(row) + (row.wrapped ? "\\" : ""));
    times.push_back(row.first_us);
    offsets.push_back(row.first_offset);
  }
  std::vector<std::uint64_t> numbers, offsets;
  std::vector<std::int64_t> times;
  Rows rows;
};

TEST(Screen, RowsLeaveInOrderWithTimeAndPlace) {
  Screen screen(2, 10);
  Left left;
  screen.watch(left);
  screen.feed("a\r\n", 5, 100);
  screen.feed("b\r\n", 6, 103);
  screen.feed("0123456789abc\r\n", 7, 106);
  screen.feed("\x1b[H\x1b[2Jx", 8, 121);
  screen.finish();
  EXPECT_EQ(left.rows, (Rows{"a", "b", "0123456789\\", "abc", "x"}));
  EXPECT_EQ(left.times, (std::vector<std::int64_t>{5, 6, 7, 7, 8}));
  EXPECT_EQ(left.offsets, (std::vector<std::uint64_t>{100, 103, 106, 116, 128}));
  for (std::size_t i = 1; i < left.numbers.size(); ++i) EXPECT_LT(left.numbers[i - 1], left.numbers[i]);
}

TEST(Screen, SurvivesEverySize) {
  for (const auto& [rows, cols] : std::vector<std::pair<int, int>>{
           {0, 0}, {1, 1}, {-5, -5}, {1, 1000000}, {1000000, 1}, {65535, 65535}, {2, 3}}) {
    Screen screen(rows, cols);
    EXPECT_LE(screen.rows(), kMaxRows);
    EXPECT_LE(screen.cols(), kMaxCols);
    EXPECT_GE(screen.cols(), 2);
    screen.feed(
        "日本語\r\n\x1b[5;9r\x1b[999;999H日x\x1b"
        "7\t\x1b[?6h\x1bM\x1b[3L",
        0, 0);
    for (const auto& [r, c] :
         std::vector<std::pair<int, int>>{{1, 1}, {24, 80}, {3, 2}, {0, 7}, {9999, 9999}, {2, 2}}) {
      screen.resize(r, c);
      screen.feed(
          "\x1b"
          "8日\x1b[2M\x1b[999;999H\n\n\x1b[?1049h\x1b"
          "8q\x1b[99X",
          0, 0);
      screen.resize(c, r);
      screen.feed("\x1b[?1049l\x1b[4hxy日\x1b[4l\x1b[10;20r\n\n\n\n", 0, 0);
    }
    screen.finish();
  }
}

TEST(Screen, MarksWithoutEndDoNotPileUpInTheLibrary) {  // they would take hours
  Screen screen(4, 10);
  std::string marks = "e";
  for (int i = 0; i < 500'000; ++i) marks += "\xCC\x81";
  screen.feed(marks, 0, 0);
  EXPECT_EQ(shown(screen), (Rows{"e\xCC\x81\xCC\x81"}));
}

TEST(Screen, KeepsTheCursorsRowWhenItShrinks) {
  Screen screen(4, 10);
  Left left;
  screen.watch(left);
  screen.feed("a\r\nb\r\nc\r\nd", 1, 0);
  screen.resize(2, 10);
  EXPECT_EQ(left.rows, (Rows{"a", "b"}));
  EXPECT_EQ(shown(screen), (Rows{"c", "d"}));
  screen.feed("!", 1, 9);
  EXPECT_EQ(shown(screen), (Rows{"c", "d!"}));
}

TEST(Screen, RandomSequencesNeverLeaveTheScreen) {
  std::mt19937 random(7);
  const std::string alphabet =
      "\x1b\x1b\x1b[[[??;;0123456789hlrHJKLMPXST@ABCDmsu78c\n\r\b\t\xE6\x97\xA5\xCC\x81 ab";
  for (int round = 0; round < 300; ++round) {
    Screen screen(1 + static_cast<int>(random() % 6), 1 + static_cast<int>(random() % 12));
    for (int i = 0; i < 40; ++i) {
      std::string bytes;
      for (int k = 0; k < 30; ++k) bytes += alphabet[random() % alphabet.size()];
      screen.feed(bytes, i, 0);
      if (random() % 5 == 0)
        screen.resize(1 + static_cast<int>(random() % 8), 1 + static_cast<int>(random() % 16));
      const Position at = screen.cursor();
      ASSERT_TRUE(at.row >= 0 && at.row < screen.rows() && at.col >= 0 && at.col < screen.cols());
    }
    screen.finish();
  }
}

// All that can be seen of a screen, and all that its watchers are told, as text.
class Witness final : public ScreenWatcher {
 public:
  explicit Witness(Screen& screen) : screen_(screen) { screen.watch(*this); }
  void row_left(std::uint64_t number, const Row& row) override { say("left", number), say_row(row); }
  void marked(Mark mark, int status) override { say("mark", mark, status), say_place(); }
  void line_feed() override { say("line feed"), say_place(); }
  void alternate(bool entered) override { say("alternate", entered), say_place(); }
  void paused() override {
    say("paused"), say_place();
    for (int r = 0; r < screen_.rows(); ++r) say_row(screen_.row(r));
  }
  std::string said;

 private:
  void say(const char* what) { said += what + "\n"s; }
  template <typename... Numbers>
  void say(const char* what, Numbers... numbers) {
    said += what;
    ((said += ' ' + std::to_string(static_cast<std::int64_t>(numbers))), ...);
    said += '\n';
  }
  void say_place() {
    say("at", screen_.cursor().row, screen_.cursor().col, screen_.now().offset, screen_.glyphs(),
        screen_.line_feeds(), screen_.last_step(), screen_.main_row());
  }
  void say_row(const Row& row) {
    say("row", row.wrapped, row.first_us, row.last_us);
    if (row.first_us >= 0) say("offsets", row.first_offset, row.last_offset);
    for (const Cell& cell : row.cells)
      say("cell", cell.point, cell.marks[0], cell.marks[1], cell.width, cell.reverse);
  }
  Screen& screen_;
};

std::string witnessed(const std::string& bytes, int rows, int cols, std::size_t piece, DrawnBy by) {
  Screen screen(rows, cols, by);
  Witness witness(screen);
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    screen.feed(std::string_view(bytes).substr(at, piece), static_cast<std::int64_t>(at), at);
    if (at / piece % 4 == 3) screen.resize(rows + static_cast<int>(at % 3), cols - static_cast<int>(at % 2));
  }
  screen.finish();
  return witness.said;
}

std::string anything_a_program_writes(std::mt19937& random) {
  static const std::vector<std::string> kBits = {"a",
                                                 "words and words",
                                                 "\r\n",
                                                 "\n",
                                                 "\r",
                                                 "\b",
                                                 "\t",
                                                 "\v",
                                                 "日本",
                                                 "e\xCC\x81",
                                                 "\xCC\x81",
                                                 "\xE3\x82\x99",
                                                 "\xE2\x80\x8B",
                                                 "\xF0\x9F\x98\x80",
                                                 "\xEF\xBF\xBF",
                                                 "\xF0\xA0\x80\x80",
                                                 "\xC2\x85",
                                                 "\xFF",
                                                 "\x0E",
                                                 "\x0F",
                                                 "\x1b(0",
                                                 "\x1b(B",
                                                 "\x1b)0",
                                                 "\x1b[4h",
                                                 "\x1b[4l",
                                                 "\x1b[20h",
                                                 "\x1b[20l",
                                                 "\x1b[?6h",
                                                 "\x1b[?6l",
                                                 "\x1b[?7l",
                                                 "\x1b[?7h",
                                                 "\x1b[?1049h",
                                                 "\x1b[?1049l",
                                                 "\x1b[!p",
                                                 "\x1b\x63",
                                                 "\x1b\x37",
                                                 "\x1b\x38",
                                                 "\x1bH",
                                                 "\x1b[g",
                                                 "\x1b[3g",
                                                 "\x1b[I",
                                                 "\x1b[Z",
                                                 "\x1bM",
                                                 "\x1b\x44",
                                                 "\x1b\x45",
                                                 "\x1b[7m",
                                                 "\x1b[m",
                                                 "\x1b[?2004h",
                                                 "\x1b]133;B\x07",
                                                 "\x1b[b",
                                                 "\x1b[9b",
                                                 "\x1b[?K",
                                                 "\x1b[r",
                                                 "\x1b[2J",
                                                 "\x1b[J"};
  std::string bytes;
  const bool plain = random() % 2 == 0;
  for (int i = 0; i < 150; ++i) switch (random() % 6) {
      case 0:
        bytes += "\x1b[" + std::to_string(random() % 15) + ';' + std::to_string(random() % 26) +
                 "HHHfr"[random() % (plain ? 4 : 5)];
        break;
      case 1:
        bytes += "\x1b[" + (random() % 2 == 0 ? ""s : std::to_string(random() % 12)) +
                 "KKABCDEFGd`aeJ@LMPSTX"[random() % (plain ? 11 : 21)];
        break;
      case 2:
        bytes += std::string(random() % 30, static_cast<char>('a' + random() % 26));
        break;
      default:
        bytes += kBits[random() % (plain ? 9 : kBits.size())];
    }
  return bytes;
}

TEST(Screen, DrawsWithoutLibvtermWhatLibvtermWouldDraw) {
  std::mt19937 random(1);
  for (int i = 0; i < 300; ++i) {
    const std::string bytes = anything_a_program_writes(random);
    const int rows = 1 + static_cast<int>(random() % 12), cols = 2 + static_cast<int>(random() % 24);
    const std::size_t piece = 10 + random() % 200;
    ASSERT_EQ(witnessed(bytes, rows, cols, piece, DrawnBy::kScreen),
              witnessed(bytes, rows, cols, piece, DrawnBy::kLibvterm))
        << "input " << i << ", " << rows << " x " << cols << ", pieces of " << piece;
  }
}

}  // namespace
}  // namespace opelog::replay
