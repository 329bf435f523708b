#include <gtest/gtest.h>

#include <string>
#include <vector>

extern "C" {
#include "shim/fallback.h"
}

namespace {

struct Answer {
  std::size_t wrong_line;
  opelog_fallback_verdict verdict;
  std::string shell;
};

Answer ask(const std::string& text, std::uint32_t uid, std::uint32_t gid = 100,
           std::vector<std::uint32_t> groups = {}) {
  opelog_person person{uid, gid, groups.data(), groups.size()};
  static opelog_fallback_answer answer;
  const std::size_t line = opelog_decide_fallback(text.data(), text.size(), &person, &answer);
  return {line, answer.verdict, answer.shell};
}

const std::string kHead = "opelog-fallback 1\n";

TEST(Fallback, TheFirstRangeThatHoldsTheUidDecides) {
  const std::string text = kHead +
                           "absent refuse\nuid 0 999 pass\nuid 1000 1000 refuse\nuid 1000 2000 pass\nuid "
                           "5000 4294967295 refuse\nend\n";
  EXPECT_EQ(ask(text, 0).verdict, OPELOG_FALLBACK_NOT_A_TARGET);
  EXPECT_EQ(ask(text, 999).verdict, OPELOG_FALLBACK_NOT_A_TARGET);
  EXPECT_EQ(ask(text, 1000).verdict, OPELOG_FALLBACK_REFUSE);
  EXPECT_EQ(ask(text, 1001).verdict, OPELOG_FALLBACK_NOT_A_TARGET);
  EXPECT_EQ(ask(text, 4999).verdict, OPELOG_FALLBACK_NOT_A_TARGET) << "no range: not a target";
  EXPECT_EQ(ask(text, 5000).verdict, OPELOG_FALLBACK_REFUSE);
  EXPECT_EQ(ask(text, 4294967295U).verdict, OPELOG_FALLBACK_REFUSE);
  EXPECT_EQ(ask(text, 5000).wrong_line, 0U);
}

TEST(Fallback, AbsentPassLetsTargetsThrough) {
  const std::string text = kHead + "absent pass\nuid 1000 1000 refuse\nend\n";
  EXPECT_EQ(ask(text, 1000).verdict, OPELOG_FALLBACK_ABSENT_PASS);
  EXPECT_EQ(ask(text, 1001).verdict, OPELOG_FALLBACK_NOT_A_TARGET);
}

TEST(Fallback, WithoutAnAbsentLineTargetsAreRefused) {
  EXPECT_EQ(ask(kHead + "uid 1 1 refuse\nend\n", 1).verdict, OPELOG_FALLBACK_REFUSE);
}

TEST(Fallback, BreakGlassMembersPassWhateverFollows) {
  const std::string text = kHead + "absent refuse\nbreakglass 77\nuid 0 4294967295 refuse\nend\n";
  EXPECT_EQ(ask(text, 1000, 77).verdict, OPELOG_FALLBACK_BREAK_GLASS);
  EXPECT_EQ(ask(text, 1000, 100, {5, 77}).verdict, OPELOG_FALLBACK_BREAK_GLASS);
  EXPECT_EQ(ask(text, 1000, 100, {5, 78}).verdict, OPELOG_FALLBACK_REFUSE);
}

TEST(Fallback, TheFirstShellOfAUidIsTaken) {
  const std::string text = kHead + "shell 1000 /bin/my shell\nshell 1000 /bin/other\nshell 0 /bin/zsh\nend\n";
  EXPECT_EQ(ask(text, 1000).shell, "/bin/my shell");
  EXPECT_EQ(ask(text, 0).shell, "/bin/zsh");
  EXPECT_EQ(ask(text, 7).shell, "");
}

TEST(Fallback, AFileThatWasCutAnywhereIsMalformed) {
  const std::string text = kHead + "absent pass\nbreakglass 7\nshell 1000 /bin/sh\nuid 5 10 refuse\nend\n";
  ASSERT_EQ(ask(text, 6).wrong_line, 0U);
  for (std::size_t n = 0; n < text.size(); ++n) {
    EXPECT_NE(ask(text.substr(0, n), 6).wrong_line, 0U) << n << " bytes";
    EXPECT_EQ(ask(text.substr(0, n), 6).verdict, OPELOG_FALLBACK_REFUSE);
  }
}

TEST(Fallback, AWrongLineIsNamed) {
  const struct {
    const char* line;
    const char* why;
  } rows[] = {
      {"", "empty line"},
      {"absent", "no value"},
      {"absent maybe", "unknown value"},
      {"absent pass ", "blank at the end"},
      {"absent pass\nabsent pass", "twice"},
      {"breakglass", "no gid"},
      {"breakglass -1", "sign"},
      {"breakglass 4294967296", "too large"},
      {"breakglass 07", "leading zero"},
      {"breakglass 1\nbreakglass 1", "twice"},
      {"shell 1", "no path"},
      {"shell 1 bin/sh", "relative"},
      {"shell x /bin/sh", "no number"},
      {"uid 1 2", "no answer"},
      {"uid 2 1 refuse", "backwards"},
      {"uid 1  2 refuse", "two blanks"},
      {"uid 1 2 refuse x", "more"},
      {"uid 1 2 refuse\r", "carriage return"},
      {"uid 18446744073709551617 2 pass", "overflow"},
      {"end\nuid 1 1 pass", "after the end"},
      {"END", "unknown"},
      {"future 1", "unknown"},
  };
  for (const auto& row : rows) {
    const Answer answer = ask(kHead + row.line + "\nend\n", 1);
    EXPECT_GE(answer.wrong_line, 2U) << row.why;
    EXPECT_LE(answer.wrong_line, 3U) << row.why;
    EXPECT_EQ(answer.verdict, OPELOG_FALLBACK_REFUSE) << row.why;
  }
  EXPECT_EQ(ask("opelog-fallback 2\nend\n", 1).wrong_line, 1U);
  EXPECT_EQ(ask("", 1).wrong_line, 1U);
  EXPECT_EQ(ask(kHead + "shell 1 /" + std::string(OPELOG_MAX_PATH, 'x') + "\nend\n", 1).wrong_line, 2U);
  EXPECT_EQ(ask(kHead + std::string("shell 1 /a\0b\nend\n", 17), 1).wrong_line, 2U);
}

TEST(Fallback, OneMebibyteIsReadOneByteMoreIsNot) {
  std::string text = kHead;
  while (text.size() + 17 + 4 <= OPELOG_MAX_FALLBACK) text += "uid 1000 1000 pass\n";
  text.resize(text.rfind('\n', text.size() - 10) + 1);
  text += "shell 1 /";
  text += std::string(OPELOG_MAX_FALLBACK - text.size() - 5, 'x') + "\nend\n";
  ASSERT_EQ(text.size(), OPELOG_MAX_FALLBACK);
  EXPECT_EQ(ask(text, 1000).wrong_line, 0U);
  text.insert(text.size() - 6, "x");
  EXPECT_EQ(ask(text, 1000).wrong_line, 1U);
}

TEST(Fallback, WithoutAFileOnlyRootGetsIn) {
  EXPECT_EQ(opelog_decide_without_fallback(0), OPELOG_FALLBACK_ABSENT_PASS);
  EXPECT_EQ(opelog_decide_without_fallback(1), OPELOG_FALLBACK_REFUSE);
  EXPECT_EQ(opelog_decide_without_fallback(4294967295U), OPELOG_FALLBACK_REFUSE);
}

}  // namespace
