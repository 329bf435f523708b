#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

extern "C" {
#include "shim/text.h"
}

namespace {

std::string join(const char* first, std::vector<std::string> words) {
  std::vector<char*> pointers;
  for (auto& w : words) pointers.push_back(w.data());
  pointers.push_back(nullptr);
  char* text = opelog_join_words(first, pointers.data());
  std::string result(text);
  free(text);
  return result;
}

std::string safe(std::string text) {
  opelog_make_safe(text.data(), text.size());
  return text;
}

TEST(Text, PlainWordsStayAsTheyAre) {
  EXPECT_EQ(join(nullptr, {"ls", "-l", "/tmp/a_b@c:%+=,."}), "ls -l /tmp/a_b@c:%+=,.");
}

TEST(Text, AFirstTextIsNotQuoted) {
  EXPECT_EQ(join("echo $0", {"a b"}), "echo $0 'a b'");
}

TEST(Text, AShellReadsTheQuotedWordsBackUnchanged) {
  const std::vector<std::string> words = {"",   "a b",   "it's", "$HOME `id` \"x\"", "\n", "*",
                                          "~",  "\\",    "'''",  "\xff\xfe",         "-c", ";rm",
                                          "!x", "\t\x01"};
  const std::string line = "printf '%s|' " + join(nullptr, words);
  std::string expected;
  for (const auto& w : words) expected += w + "|";
  FILE* pipe = popen(line.c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  std::string got;
  for (int c = 0; (c = fgetc(pipe)) != EOF;) got += static_cast<char>(c);
  EXPECT_EQ(pclose(pipe), 0);
  EXPECT_EQ(got, expected);
}

TEST(Text, ControlCharactersBecomeQuestionMarks) {
  EXPECT_EQ(safe("a\x1b[31m\x07\x7f\r\tb\n"), "a?[31m???\tb\n");
  EXPECT_EQ(safe("\xc2\x9b"
                 "31m"),
            "??31m");
  EXPECT_EQ(safe("\x9b"
                 "31m"),
            "?31m");
  EXPECT_EQ(safe("gr\xc3\xbc\xc3\x9f\xe2\x82\xac"), "gr\xc3\xbc\xc3\x9f\xe2\x82\xac");
}

TEST(Text, PrintableAsciiHasNoControlCharacters) {
  EXPECT_TRUE(opelog_is_printable_ascii("xterm-256color ~", 16));
  EXPECT_TRUE(opelog_is_printable_ascii("", 0));
  for (const char* bad : {"a\n", "a\x7f", "a\x80", "\x1b"})
    EXPECT_FALSE(opelog_is_printable_ascii(bad, std::string(bad).size()));
}

}  // namespace
