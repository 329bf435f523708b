#include "core/journal_entry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace opelog {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(JournalEntry, CarriesTextPriorityEventAndFields) {
  EXPECT_EQ(encode_journal_entry(
                {Level::kWarning, "session-start", "a login", {{"session-id", "ab12"}, {"user", "ann"}}},
                "opelogd"),
            "MESSAGE=session-start: a login session-id=ab12 "
            "user=ann\nPRIORITY=4\nSYSLOG_IDENTIFIER=opelogd\nEVENT=session-start\nMESSAGE_ID="
            "0708439aa5024879bc55ed6d5e35051f\nOPELOG_SESSION_ID="
            "ab12\nOPELOG_USER=ann\n");
}

TEST(JournalEntry, AValueWithALineFeedGoesWithItsLengthAndForgesNothing) {
  const std::string entry =
      encode_journal_entry({Level::kInfo, "e", "t", {{"command", "a\nPRIORITY=0"}}}, "p");
  EXPECT_THAT(entry, HasSubstr(std::string("OPELOG_COMMAND\n\x0C\0\0\0\0\0\0\0a\nPRIORITY=0\n", 36)));
}

TEST(JournalEntry, TheMessageIsOneLineOfWholeCharactersHoweverLong) {
  std::string euros;
  while (euros.size() < 2 * kLogValueMaxBytes) euros += "\xe2\x82\xac";
  for (const std::size_t shift : {0, 1, 2}) {
    const std::string entry =
        encode_journal_entry({Level::kInfo, std::string(shift, 'e'), euros, {{"k", "a\nb"}}}, "p");
    const std::string message = entry.substr(0, entry.find("\nPRIORITY="));
    EXPECT_EQ(message.find('\n'), std::string::npos);
    EXPECT_EQ(printable(message), message) << "a piece of a character at the cut";
  }
}

TEST(JournalEntry, FieldNamesAreWhatJournaldAccepts) {
  EXPECT_EQ(journal_field_name("session-id"), "OPELOG_SESSION_ID");
  EXPECT_EQ(journal_field_name("a=b\nc\xFF"), "OPELOG_A_B_C_");
  EXPECT_EQ(journal_field_name(std::string(100, 'x')).size(), 64u);
}

TEST(JournalEntry, HugeValuesAndManyFieldsAreCutToADatagram) {
  Fact fact{Level::kInfo, "e", "t", {}};
  for (int i = 0; i < 100; ++i) fact.fields.emplace_back("k" + std::to_string(i), std::string(1 << 16, 'x'));
  const std::string entry = encode_journal_entry(fact, "p");
  EXPECT_LE(entry.size(), kLogEntryMaxBytes);
  EXPECT_THAT(entry, HasSubstr("xxx...\n"));
  EXPECT_LE(encode_syslog_line(fact, "p", 1, "now").size(), kLogValueMaxBytes);
}

TEST(JournalEntry, TheSyslogLineIsOneLine) {
  const std::string line =
      encode_syslog_line({Level::kError, "e", "te\nxt", {{"k", "v\nw"}}}, "opelogd", 42, "Nov 22 17:05:09");
  EXPECT_EQ(line, "<27>Nov 22 17:05:09 opelogd[42]: e: te\\x0axt k=v\\x0aw");
  EXPECT_THAT(line, Not(HasSubstr("\n")));
}

TEST(JournalEntry, LevelsMapToSeverities) {
  EXPECT_EQ(syslog_priority(Level::kDebug), 7);
  EXPECT_EQ(syslog_priority(Level::kInfo), 6);
  EXPECT_EQ(syslog_priority(Level::kWarning), 4);
  EXPECT_EQ(syslog_priority(Level::kError), 3);
}

}  // namespace
}  // namespace opelog
