#include "core/enrolled.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace opelog {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string error_of(std::string_view text) {
  auto parsed = parse_enrolled(text, "enrolled");
  return parsed.ok() ? "accepted" : parsed.error().message;
}

TEST(Enrolled, LinesCommentsAndBlankLinesAreRead) {
  auto parsed =
      parse_enrolled("# people\n\nann:/bin/bash\nDOM\\bob smith:/usr/bin/zsh\n#x:y\neve:/bin/sh", "enrolled");
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  EXPECT_EQ(*parsed, (std::vector<Enrolled>{
                         {"ann", "/bin/bash"}, {"DOM\\bob smith", "/usr/bin/zsh"}, {"eve", "/bin/sh"}}));
  EXPECT_TRUE(parse_enrolled("", "enrolled")->empty());
}

TEST(Enrolled, WhatIsEncodedIsReadBack) {
  const std::vector<Enrolled> entries{{"ann", "/bin/bash"}, {"j\xC3\xBCrgen", "/opt/sh-1.2/bin/sh"}};
  auto text = encode_enrolled(entries);
  ASSERT_TRUE(text.ok());
  auto parsed = parse_enrolled(*text, "enrolled");
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  EXPECT_EQ(*parsed, entries);
}

TEST(Enrolled, EveryBadLineIsNamedWithItsPlace) {
  const std::pair<std::string, const char*> cases[] = {
      {"ann\n", "enrolled:1:1: no ':'"},
      {"ann:/bin/sh\n:/bin/sh\n", "enrolled:2:1: no user before the ':'"},
      {"ann:\n", "enrolled:1:5: '' is not the absolute path"},
      {"ann:bash\n", "enrolled:1:5: 'bash' is not the absolute path"},
      {"ann:/bin/../bin/sh\n", "enrolled:1:5: '/bin/../bin/sh' is not"},
      {"ann:/\n", "enrolled:1:5: '/' is not"},
      {"ann:/bin/sh \n", "enrolled:1:5: '/bin/sh ' is not"},
      {"ann:/bin/sh:x\n", "enrolled:1:5: '/bin/sh:x' is not"},
      {"ann: /bin/sh\n", "enrolled:1:5: ' /bin/sh' is not"},
      {"ann :/bin/sh\n", "enrolled:1:1: 'ann ' is no user name"},
      {" # comment\n", "enrolled:1:1: no ':'"},
      {" ann:/bin/sh\n", "enrolled:1:1: ' ann' is no user name"},
      {"a/b:/bin/sh\n", "enrolled:1:1: 'a/b' is no user name"},
      {"a\x1B:/bin/sh\n", "enrolled:1:1: 'a\\x1b' is no user name"},
      {std::string("a\0b:/bin/sh\n", 12), "enrolled:1:1: 'a\\x00b' is no user name"},
      {std::string("a:/bin\0/sh\n", 11), "enrolled:1:3: '/bin\\x00/sh' is not"},
      {"ann:/bin/sh\r\n", "enrolled:1:12: a carriage return"},
      {"ann:/usr/bin/opelog-shell\n", "enrolled:1:5: the real shell is opelog-shell itself"},
      {"ann:/bin/sh\nbob:/bin/sh\nann:/bin/zsh\n", "enrolled:3:1: user 'ann' again; line 1 has it already"},
      {std::string(257, 'a') + ":/bin/sh\n", "enrolled:1:1: a user name longer than 256 bytes"},
      {"a:/" + std::string(5000, 'a') + "\n", "enrolled:1:3: "},
  };
  for (const auto& [text, error] : cases) EXPECT_THAT(error_of(text), StartsWith(error));
}

TEST(Enrolled, AFileBeyondItsBoundIsRefused) {
  EXPECT_THAT(error_of(std::string(kEnrolledMaxBytes + 1, '#')), HasSubstr("larger than 1 MiB"));
  EXPECT_EQ(error_of(std::string(kEnrolledMaxBytes, '#')), "accepted");
}

TEST(Enrolled, NothingIsEncodedThatCouldNotBeReadBack) {
  for (const auto& bad : std::vector<Enrolled>{{"", "/bin/sh"},
                                               {"a:b", "/bin/sh"},
                                               {"a\nroot", "/bin/sh"},
                                               {"#a", "/bin/sh"},
                                               {"a", "/bin/sh\nroot:/bin/sh"},
                                               {"a", "sh"},
                                               {"a", "/x/opelog-shell"}}) {
    EXPECT_FALSE(encode_enrolled({bad}).ok()) << bad.user << bad.shell;
    EXPECT_FALSE(check_enrolled(bad).ok());
  }
  EXPECT_THAT(encode_enrolled({{"a", "/bin/sh"}, {"a", "/bin/sh"}}).error().message, HasSubstr("twice"));
}

}  // namespace
}  // namespace opelog
