#include "replay/sanitize.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "../../fuzz/sanitize_oracle.h"

namespace opelog::replay {
namespace {

using namespace std::string_literals;

std::string clean(const std::string& bytes, bool bell = false) {
  Sanitizer sanitizer(Sanitizer::Options{bell});
  std::string out;
  sanitizer.feed(bytes, out);
  sanitizer.finish(out);
  return out;
}

struct Case {
  const char* what;
  std::string in, out;
};

const std::string kQ = "\xEF\xBF\xBD";  // U+FFFD

const Case kAttacks[] = {
    {"OSC 52 writes the clipboard", "a\x1B]52;c;cm0gLXJmIC8=\x07z", "az"},
    {"OSC 52 with ST", "a\x1B]52;c;cm0gLXJmIC8=\x1B\\z", "az"},
    {"title", "a\x1B]0;you won\x07z", "az"},
    {"hyperlink", "a\x1B]8;;http://bad.example\x1B\\click\x1B]8;;\x1B\\z", "aclickz"},
    {"DCS request", "a\x1BP+q544e\x1B\\z", "az"},
    {"DCS programs keys", "a\x1BP1;1|17/726d\x1B\\z", "az"},
    {"APC", "a\x1B_Gi=1;AAAA\x1B\\z", "az"},
    {"PM", "a\x1B^secret\x1B\\z", "az"},
    {"SOS", "a\x1BXsecret\x1B\\z", "az"},
    {"a string broken off by a sequence", "a\x1B]0;t\x1B[31mz", "a\x1B[31mz"},
    {"a string cancelled", "a\x1B]0;t\x18z", "az"},
    {"BEL does not end a DCS", "a\x1BPx\x07y\x1B\\z", "az"},
    {"an unfinished string", "a\x1B]0;t", "a"},
    {"cursor report", "a\x1B[6nz", "az"},
    {"device attributes", "a\x1B[cz\x1B[>c\x1B[=c\x1BZ", "az"},
    {"answerback", "a\x05z", "az"},
    {"DECRQM", "a\x1B[?25$pz", "az"},
    {"window operations", "a\x1B[8;10;10tz\x1B[21t", "az"},
    {"mouse, focus, paste", "a\x1B[?1000h\x1B[?1006h\x1B[?1004h\x1B[?2004hz", "az"},
    {"one allowed mode among others", "a\x1B[?1000;25;2004lz", "a\x1B[?25lz"},
    {"keyboard locked", "a\x1B[2hz", "az"},
    {"132 columns", "a\x1B[?3hz", "az"},
    {"media copy", "a\x1B[5i\x1B[4iz", "az"},
    {"key modes", "a\x1B[>4;2m\x1B[>1u\x1B[=1u\x1B[?1h\x1B=z", "az"},
    {"modes restored from a saved value", "a\x1B[?1000s\x1B[?1000rz", "az"},
    {"scrollback erased", "a\x1B[3J\x1B[2;3J\x1B[03J\x1B[?3Jz", "az"},
    {"8-bit CSI",
     "a\x9B"s
     "31mz",
     "a" + kQ + "31mz"},
    {"8-bit OSC in UTF-8",
     "a\xC2\x9D"s
     "0;t\x07z",
     "a" + kQ + "0;tz"},
    {"8-bit controls switched on", "a\x1B Gz", "az"},
    {"bidi override",
     "a\xE2\x80\xAE"
     "z",
     "a<U+202E>z"},
    {"bidi isolate",
     "a\xE2\x81\xA6"
     "z",
     "a<U+2066>z"},
    {"line separator",
     "a\xE2\x80\xA8"
     "z",
     "a<U+2028>z"},
    {"invisible tags", "a\xF3\xA0\x81\x81z", "a<U+E0041>z"},
    {"overlong slash", "a\xC0\xAFz", "a" + kQ + kQ + "z"},
    {"surrogate", "a\xED\xA0\x80z", "a" + kQ + kQ + kQ + "z"},
    {"character broken off by an escape", "a\xE2\x82\x1B[1mz", "a" + kQ + "\x1B[1mz"},
    {"unfinished character", "a\xE2\x82", "a" + kQ},
    {"unfinished sequence", "a\x1B[31", "a"},
    {"huge repetition", "a\x1B[99999999bz", "az"},
    {"huge parameter list", "a\x1B[" + std::string(2 * kMaxSequence, '1') + "mz", "az"},
    {"mouse highlighting", "a\x1B[1;2;3;4;5Tz", "az"},
    {"control in the middle of a sequence", "a\x1B[3\r1mz", "a\r\x1B[31mz"},
    {"ESC in the middle of a sequence", "a\x1B[3\x1B[1mz", "a\x1B[1mz"},
    {"text behind ESC k stays visible", "a\x1Bkrm -rf /\x1B\\z", "arm -rf /z"},
    {"NUL, DEL, XOFF", "a\0\x7F\x13z"s, "az"},
    {"private SGR", "a\x1B[?4mz", "az"},
    {"bell", "a\az", "az"},
};

const Case kDrawing[] = {
    {"colours", "\x1B[1;38;2;1;2;3mx\x1B[38:5:9my\x1B[m", "\x1B[1;38;2;1;2;3mx\x1B[38:5:9my\x1B[m"},
    {"cursor",
     "\x1B[H\x1B[2;3H\x1B[A\x1B[5d\x1B[7G\x1B"
     "7\x1B"
     "8\x1B[s\x1B[u",
     "\x1B[H\x1B[2;3H\x1B[A\x1B[5d\x1B[7G\x1B"
     "7\x1B"
     "8\x1B[s\x1B[u"},
    {"erase and edit", "\x1B[J\x1B[1J\x1B[2J\x1B[K\x1B[3P\x1B[4@\x1B[2L\x1B[2M\x1B[9X\x1B[?J",
     "\x1B[J\x1B[1J\x1B[2J\x1B[K\x1B[3P\x1B[4@\x1B[2L\x1B[2M\x1B[9X\x1B[?J"},
    {"alternate screen", "\x1B[?1049h\x1B[?25l\x1B[?12;25h\x1B[?1049l",
     "\x1B[?1049h\x1B[?25l\x1B[?12;25h\x1B[?1049l"},
    {"region",
     "\x1B[2;10r\x1BM\x1B"
     "D\x1B[S\x1B[2T",
     "\x1B[2;10r\x1BM\x1B"
     "D\x1B[S\x1B[2T"},
    {"line drawing", "\x1B(0lqk\x1B(B\x0E\x0F", "\x1B(0lqk\x1B(B\x0E\x0F"},
    {"cursor style", "\x1B[2 q", "\x1B[2 q"},
    {"text", "h\xC3\xA9llo \xE2\x82\xAC \xF0\x9F\x98\x80\r\n\tx\b",
     "h\xC3\xA9llo \xE2\x82\xAC \xF0\x9F\x98\x80\r\n\tx\b"},
    {"VT and FF are line feeds", "a\vb\fc", "a\nb\nc"},
    {"insert mode", "\x1B[4hx\x1B[4l", "\x1B[4hx\x1B[4l"},
};

TEST(Sanitizer, AttacksVanishOrBecomeVisible) {
  for (const auto& c : kAttacks) EXPECT_EQ(clean(c.in), c.out) << c.what;
}

TEST(Sanitizer, WhatDrawsComesThroughUnchanged) {
  for (const auto& c : kDrawing) EXPECT_EQ(clean(c.in), c.out) << c.what;
}

TEST(Sanitizer, BellRingsOnlyWhereAskedFor) {
  EXPECT_EQ(clean("a\az", true), "a\az");
}

TEST(Sanitizer, EverySplitOfEveryStringGivesTheSame) {
  const auto check = [](const Case& c) {
    for (std::size_t first = 0; first <= c.in.size(); ++first) {
      for (std::size_t second = first; second <= c.in.size(); second += c.in.size() > 100 ? 97 : 1) {
        Sanitizer sanitizer;
        std::string out;
        sanitizer.feed(std::string_view(c.in).substr(0, first), out);
        sanitizer.feed(std::string_view(c.in).substr(first, second - first), out);
        sanitizer.feed(std::string_view(c.in).substr(second), out);
        sanitizer.finish(out);
        ASSERT_EQ(out, c.out) << c.what << " cut at " << first << " and " << second;
      }
    }
  };
  for (const auto& c : kAttacks) check(c);
  for (const auto& c : kDrawing) check(c);
}

TEST(Sanitizer, AnUnterminatedStringHidesNoMoreThanItsLimit) {
  std::string in = "\x1B]0;" + std::string(kMaxString + 10, 'x') + "seen";
  const std::string out = clean(in);
  ASSERT_LE(out.size(), 20U);
  EXPECT_EQ(out.substr(out.size() - 4), "seen");
}

TEST(Sanitizer, RestoreUndoesWhatWasSetAndNothingElse) {
  const auto restore = [](const std::string& bytes) {
    Sanitizer sanitizer;
    std::string out;
    sanitizer.feed(bytes, out);
    return sanitizer.restore_sequence();
  };
  EXPECT_EQ(restore("plain\r\n"), "");
  EXPECT_EQ(restore("\x1B[31mred"), "\x1B[0m");
  EXPECT_EQ(restore("\x1B[?1049h\x1B[?25l"), "\x1B[?1049l\x1B[?25h");
  EXPECT_EQ(restore("\x1B[?1049h\x1B[?1049l"), "") << "leaving twice would move the cursor";
  EXPECT_EQ(restore("\x1B[1;5r"),
            "\x1B"
            "7\x1B[r\x1B"
            "8");
  EXPECT_NE(restore("\x1B(0").find("\x1B(B"), std::string::npos);
  EXPECT_EQ(restore("\x0E"), "\x0F");
  EXPECT_EQ(restore("\x1B[?7l"), "\x1B[?7h");
  EXPECT_EQ(restore("\x1B[4h"), "\x1B[4l");
  EXPECT_EQ(restore("\x1B[?1000h"), "") << "it never reached the terminal";
}

TEST(Sanitizer, FullResetBecomesClearedScreenAndRestoredModes) {
  EXPECT_EQ(clean("\x1B[?25l\x1B"
                  "cx"),
            "\x1B[?25l\x1B[?25h\x1B[H\x1B[2Jx");
}

TEST(Sanitizer, CountsWhatItLeavesOut) {
  Sanitizer sanitizer;
  std::string out;
  sanitizer.feed("\x1B]0;t\x07\x1B[6n\x1B[31m", out);
  EXPECT_EQ(sanitizer.left_out(), 2U);
}

// Random strings rich in introducers; the oracle is a second reader.
TEST(Sanitizer, RandomBytesNeverLeaveAnythingForbidden) {
  const unsigned seed = 20261122;
  std::mt19937 random(seed);
  static const std::string kRich =
      "\x1B\x1B\x1B[[[]]P_^X?;:01234567890mHJKhlrtnc \"$!#()\x07\x18\x9B\x9D\x90\xC2\xE2\x80\xAE\xF0\x9F\\"s;
  for (int round = 0; round < 20000; ++round) {
    std::string bytes;
    for (int i = 0; i < 40; ++i) {
      bytes += random() % 4 != 0 ? kRich[random() % kRich.size()] : static_cast<char>(random() % 256);
    }
    ASSERT_EQ(what_is_forbidden(clean(bytes), false), "") << "seed " << seed << " round " << round;
  }
}

TEST(Sanitizer, TheOracleSeesWhatIsForbidden) {  // or the tests above prove nothing
  for (const char* bad : {"\x1B]0;t", "\x1BP", "\x1B[6n", "\x1B[?1000h", "\x1B[3J", "\x1B[8;1;1t", "\xC2\x9B",
                          "\x9B", "\x05", "\xE2\x80\xAE",
                          "\x1B"
                          "c",
                          "\x1B[?25;1000h"}) {
    EXPECT_NE(what_is_forbidden(bad, false), "") << bad;
  }
}

}  // namespace
}  // namespace opelog::replay
