#include "replay/terminal_parser.h"

#include <gtest/gtest.h>

#include <string>

namespace opelog::replay {
namespace {

// Writes the tokens down, runs of text joined.
class Written final : public TerminalHandler {
 public:
  void text(std::string_view utf8) override {
    EXPECT_LE(utf8.size(), kMaxTextPiece);
    if (!in_text_) out += "T:";
    in_text_ = true;
    out += utf8;
  }
  void control(char c) override { say("C:" + std::to_string(static_cast<int>(c))); }
  void csi(const Csi& csi) override {
    std::string word = "S:";
    if (csi.leader != 0) word += csi.leader;
    for (std::size_t i = 0; i < csi.count; ++i) word += std::to_string(csi.params[i]) + ",";
    if (csi.intermediate != 0) word += csi.intermediate;
    say(word + csi.final);
  }
  void escape(char intermediate, char final) override {
    say(std::string("E:") + (intermediate != 0 ? std::string(1, intermediate) : "") + final);
  }
  void osc(std::string_view bytes) override { say("O:" + std::string(bytes)); }
  std::string out;

 private:
  void say(const std::string& word) {
    if (in_text_) out += ' ';
    in_text_ = false;
    out += word + " ";
  }
  bool in_text_ = false;
};

TEST(TerminalParser, CutsWholeTokensHoweverTheBytesCome) {
  const struct {
    std::string bytes, tokens;
  } cases[] = {
      {"ab\n\x1b[1;2Hc", "T:ab C:10 S:1,2,H T:c"},
      {"\x1b[;5m", "S:-1,5,m "},
      {"\x1b[?2004h", "S:?2004,h "},
      {"\x1b[99999999999999999999A", "S:9999,A "},
      {"\x1b[4:3m", "S:4,3,m "},
      {"\x1b[1 q", "S:1, q "},
      {"\x1b[1\n2A", "C:10 S:12,A "},
      {"\x1b[1\x18"
       "2A",
       "T:2A"},
      {"\x1b[1\x1b[2A", "S:2,A "},
      {"\x1b[1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1Ax", "T:x"},
      {"\x1b(0", "E:(0 "},
      {"\x1b]133;A\x07x", "O:133;A T:x"},
      {"\x1b]133;A\x1b\\x", "O:133;A E:\\ T:x"},
      {"\x1bPq\x07#\x1b\\x", "E:\\ T:x"},
      {"\xE6\x97\xA5", "T:日"},
      {"\xE6\x97x", "T:\xEF\xBF\xBDx"},
      {"\xED\xA0\x80", "T:\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
      {"\xC2\x9B"
       "1mx",
       "T:1mx"},
      {std::string("a\0b\x7f"
                   "c",
                   5),
       "T:abc"},
  };
  for (const auto& c : cases) {
    TerminalParser parser;
    Written whole;
    parser.feed(c.bytes, whole);
    EXPECT_EQ(whole.out, c.tokens);
    EXPECT_EQ(parser.position(), c.bytes.size());
    TerminalParser slow;
    Written cut;
    for (const char byte : c.bytes) slow.feed({&byte, 1}, cut);
    EXPECT_EQ(cut.out, c.tokens);
  }
}

TEST(TerminalParser, AnUnterminatedStringDoesNotHideTheRest) {
  TerminalParser parser;
  Written written;
  parser.feed("\x1b]" + std::string(kMaxVanishing, 'x') + "seen", written);
  EXPECT_EQ(written.out, "T:seen");
}

}  // namespace
}  // namespace opelog::replay
