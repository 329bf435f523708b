#include "replay/exec_events.h"

#include <gtest/gtest.h>

#include "format/exec_record.h"

namespace opelog::replay {
namespace {

using format::ExecInfo;
using format::ExecPlace;
using format::ExitInfo;

std::string exec_of(std::int64_t pid, std::vector<std::string> argv, std::int64_t at_us = 5) {
  ExecInfo info;
  info.pid = pid;
  info.parent = 1;
  info.argv = std::move(argv);
  return format::exec_value(ExecPlace{at_us, 7}, info);
}

std::string exit_of(std::int64_t pid, int code, std::int64_t at_us = 9) {
  ExitInfo info;
  info.pid = pid;
  info.exit_code = code;
  return format::exit_value(ExecPlace{at_us, 8}, info);
}

TEST(ExecEvents, WhatRanBeforeTheStartEndsWithNothingOfTheSession) {
  const auto before = [](std::int64_t pid) {
    ExecInfo info;
    info.pid = pid;
    info.argv = {"early"};
    return format::exec_value(ExecPlace{0, 0, 500}, info);
  };
  ExitInfo end;
  end.pid = 40;
  end.exit_code = 3;
  ExecEvents events;
  events.note("OPELOG_EXEC", before(40));
  events.note("OPELOG_EXEC", before(41));
  events.note("OPELOG_EXIT", format::exit_value(ExecPlace{0, 0, 400}, end));
  events.note("OPELOG_EXEC", exec_of(41, {"another"}));
  events.note("OPELOG_EXIT", exit_of(41, 5));
  ASSERT_EQ(events.events().size(), 3u);
  EXPECT_EQ(events.events()[0].before_us, 500);
  EXPECT_EQ(events.events()[0].exit_code, 3);
  EXPECT_EQ(events.events()[1].exit_code, -1) << "its number was used again";
  EXPECT_EQ(events.events()[2].exit_code, 5);
  EXPECT_EQ(events.events()[2].before_us, 0);
}

TEST(ExecEvents, WhatIsNotKeptIsCountedAndEndsNothingElse) {
  ExecEvents events;
  events.note("OPELOG_EXEC", exec_of(40, {"first"}));
  events.note("OPELOG_EXEC", exec_of(41, {"second"}));
  events.keep_no_more();
  events.note("OPELOG_EXIT", exit_of(40, 2));
  events.note("OPELOG_EXEC", exec_of(41, {"another"}));
  events.note("OPELOG_EXIT", exit_of(41, 3));
  ASSERT_EQ(events.events().size(), 2u);
  EXPECT_EQ(events.events()[0].exit_code, 2);
  EXPECT_EQ(events.events()[1].exit_code, -1) << "the exit of what is not kept";
  EXPECT_EQ(events.left_out(), 1u);
}

TEST(ExecEvents, AnExecAndItsExitAreOneEvent) {
  ExecEvents events;
  EXPECT_TRUE(events.note("OPELOG_EXEC", exec_of(40, {"ls", "-l", "a b"})));
  EXPECT_EQ(events.events()[0].end_us, -1);
  EXPECT_TRUE(events.note("OPELOG_EXIT", exit_of(40, 2)));
  ASSERT_EQ(events.events().size(), 1u);
  const ExecEvent& event = events.events()[0];
  EXPECT_EQ(event.argv, "ls -l 'a b'");
  EXPECT_EQ(event.at_us, 5);
  EXPECT_EQ(event.end_us, 9);
  EXPECT_EQ(event.offset, 7u);
  EXPECT_EQ(event.exit_code, 2);
}

TEST(ExecEvents, WhatAProcessExecutesInTurnHasItsExit) {
  ExecEvents events;
  events.note("OPELOG_EXEC", exec_of(40, {"env", "A=1", "ls"}));
  events.note("OPELOG_EXEC", exec_of(40, {"ls"}, 6));
  events.note("OPELOG_EXIT", exit_of(40, 3));
  events.note("OPELOG_EXEC", exec_of(40, {"another"}, 20));  // the number again
  ASSERT_EQ(events.events().size(), 3u);
  EXPECT_EQ(events.events()[0].exit_code, 3);
  EXPECT_EQ(events.events()[1].exit_code, 3);
  EXPECT_EQ(events.events()[2].exit_code, -1);
}

TEST(ExecEvents, OthersAreNotOursAndWhatIsMissingIsCounted) {
  ExecEvents events;
  EXPECT_FALSE(events.note("OPELOG_STREAM", "1"));
  EXPECT_TRUE(events.note("OPELOG_EXEC", "{\"pid\":"));
  EXPECT_EQ(events.unreadable(), 1u);
  EXPECT_TRUE(events.note("OPELOG_EXIT", exit_of(99, 0)));
  EXPECT_TRUE(events.events().empty());
  events.gap({"output", "", 5, 0});
  EXPECT_EQ(events.missing(), 0u);
  events.gap({"exec", "", 0, 12});
  events.gap({"exec", "nobody knows", 0, 0});
  EXPECT_EQ(events.missing(), 13u);
}

TEST(CommandLine, QuotesWhatAShellWouldNotLeaveAsItIs) {
  EXPECT_EQ(command_line({"grep", "-E", "a|b", "", "it's", "x/y_z.c"}),
            "grep -E 'a|b' '' 'it'\\''s' x/y_z.c");
}

}  // namespace
}  // namespace opelog::replay
