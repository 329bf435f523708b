#include <gtest/gtest.h>

#include "support_io.h"

namespace opelog::cli {
namespace {

using testing::opelog;

const std::vector<std::vector<std::string>> kCommands = {{"ls"},
                                                         {"play"},
                                                         {"show"},
                                                         {"tail"},
                                                         {"status"},
                                                         {"kill"},
                                                         {"policy"},
                                                         {"policy", "check"},
                                                         {"policy", "explain"},
                                                         {"rec"},
                                                         {"enroll"},
                                                         {"unenroll"},
                                                         {"doctor"},
                                                         {"thaw"},
                                                         {"freeze"},
                                                         {"reload"},
                                                         {"reopen-log"},
                                                         {"dump"}};

TEST(Help, IsACommandToo) {
  EXPECT_EQ(opelog({"help"}).out, opelog({"--help"}).out);
  EXPECT_EQ(opelog({"help", "policy", "check"}).out, opelog({"policy", "check", "--help"}).out);
  EXPECT_EQ(opelog({"-V"}).out, opelog({"--version"}).out);
  EXPECT_EQ(opelog({"help", "polcy"}).status, 2);
  EXPECT_EQ(opelog({"help", "polcy"}).err,
            "opelog: 'polcy' is no command of opelog; did you mean 'policy'?\n");
}

TEST(Help, EverySubcommandHasExamples) {
  for (auto words : kCommands) {
    words.push_back("--help");
    const auto ran = opelog(words);
    EXPECT_EQ(ran.status, 0) << words[0];
    EXPECT_NE(ran.out.find("Example"), std::string::npos) << words[0];
    EXPECT_EQ(ran.err, "");
  }
  const auto ran = opelog({"--help"});
  for (const auto& words : kCommands)
    EXPECT_NE(ran.out.find("\n  " + words[0] + " "), std::string::npos) << words[0];
}

TEST(Help, PlayListsItsKeys) {
  EXPECT_NE(opelog({"play", "--help"}).out.find("space, p"), std::string::npos);
}

TEST(Help, VersionIsOneLine) {
  EXPECT_EQ(opelog({"--version"}).out, "opelog " OPELOG_VERSION "\n");
}

TEST(Usage, WrongArgumentsAreOneLineAndExitTwo) {
  const std::vector<std::vector<std::string>> cases = {{},
                                                       {"nonsense"},
                                                       {"play"},
                                                       {"play", "--speed", "fast", "x"},
                                                       {"play", "--speed", "-1", "x"},
                                                       {"policy"},
                                                       {"policy", "nonsense"},
                                                       {"tail", "-n", "-1", "x"},
                                                       {"kill"},
                                                       {"enroll"},
                                                       {"--config"},
                                                       {"ls", "\x1B]0;x\x07"}};
  for (const auto& words : cases) {
    const auto ran = opelog(words);
    EXPECT_EQ(ran.status, 2) << (words.empty() ? "" : words[0]);
    EXPECT_EQ(ran.err.find("opelog: "), 0U) << ran.err;
    EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
    EXPECT_EQ(ran.err.find('\x07'), std::string::npos);
    EXPECT_EQ(ran.out, "");
  }
}

TEST(Usage, AWordThatIsNoCommandIsNamedWithTheNearest) {
  const struct {
    std::vector<std::string> words;
    const char* says;
  } cases[] = {
      {{"plya", "4f2a"}, "opelog: 'plya' is no command of opelog; did you mean 'play'? `opelog --help`"},
      {{"nonsense"}, "opelog: 'nonsense' is no command of opelog; `opelog --help` tells what is possible\n"},
      {{"policy", "explian"},
       "opelog: 'explian' is no command of opelog policy; did you mean 'explain'? `opelog policy --help`"},
      {{"--nonsense"}, "opelog: '--nonsense' is no option of opelog; `opelog --help`"},
      {{"--confg", "x"},
       "opelog: '--confg' is no option of opelog; did you mean '--config'? `opelog --help`"},
      {{"ls", "--sinc", "today"},
       "opelog: The following arguments were not expected: today --sinc; did you mean '--since'? `opelog ls "
       "--help`"},
      {{"ls", "--sinec=today"},
       "opelog: The following argument was not expected: --sinec=today; did you mean '--since'? `opelog ls"},
      {{"status", "--contrl", "x"},
       "opelog: The following arguments were not expected: x --contrl; did you "
       "mean '--control'? `opelog status --help`"},
      {{"ls", "-Z"}, "opelog: The following argument was not expected: -Z; `opelog ls --help`"},
      {{"ls", "extra"}, "opelog: The following argument was not expected: extra; `opelog ls --help`"},
  };
  for (const auto& c : cases) {
    const auto ran = opelog(c.words);
    EXPECT_EQ(ran.status, 2);
    EXPECT_EQ(ran.err.find(c.says), 0U) << ran.err;
  }
}

TEST(Help, NamesTheWholeCommandAndSpeaksInWords) {
  EXPECT_NE(opelog({"ls", "--help"}).out.find("Usage: opelog ls "), std::string::npos);
  EXPECT_NE(opelog({"policy", "explain", "--help"}).out.find("Usage: opelog policy explain "),
            std::string::npos);
  for (auto words : kCommands) {
    words.push_back("--help");
    const auto ran = opelog(words);
    for (const char* jargon : {"FLOAT", "TEXT", "INT in", "UINT", "DIR:DIR", " docs/"})
      EXPECT_EQ(ran.out.find(jargon), std::string::npos) << words[0] << ": " << jargon;
  }
}

TEST(Usage, SharedOptionsMayStandBehindTheSubcommand) {
  EXPECT_EQ(opelog({"--control", "/nonexistent/s", "status"}).status, 6);
  EXPECT_EQ(opelog({"status", "--control", "/nonexistent/s"}).status, 6);
}

TEST(Output, AFullDeviceIsAFailure) {
  const auto ran =
      format::testing::run({"/bin/sh", "-c", std::string(OPELOG_BINARY) + " --help > /dev/full"});
  EXPECT_EQ(ran.status, 7);
  EXPECT_NE(ran.err.find("No space left"), std::string::npos) << ran.err;
}

TEST(Output, ClosedDescriptorsAreNoAccident) {
  const auto ran =
      format::testing::run({"/bin/sh", "-c", std::string(OPELOG_BINARY) + " --help <&- >&- 2>&-"});
  EXPECT_EQ(ran.status, 7);
}

}  // namespace
}  // namespace opelog::cli
