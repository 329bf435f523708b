#include "cli/session_commands_text.h"

#include <gtest/gtest.h>

namespace opelog::cli {
namespace {

replay::ExecEvent process(std::int64_t pid, std::int64_t parent, const std::string& argv, std::int64_t at_us,
                          int code) {
  replay::ExecEvent event;
  event.pid = pid;
  event.ppid = parent;
  event.argv = argv;
  event.at_us = at_us;
  event.end_us = at_us + 10;
  event.exit_code = code;
  event.uid = 1000;
  return event;
}

// make, typed, runs cc, which runs as; then a program of the shell's own.
replay::SessionCommandList some_commands() {
  replay::SessionCommandList list;
  list.events = {process(5, 4, "make", 100, 2), process(6, 5, "cc x.c", 110, 1), process(7, 6, "as", 120, 0),
                 process(8, 4, "tput cols", 300, 0)};
  replay::Command typed;
  typed.text = "make";
  typed.number = 1;
  typed.known = replay::KnownBy::kBoth;
  typed.begin_us = 90;
  typed.end_us = 200;
  typed.status = 2;
  typed.uid = 1000;
  typed.execs = {0, 1, 2};
  replay::Command helper;
  helper.text = "tput cols";
  helper.known = replay::KnownBy::kExec;
  helper.begin_us = 300;
  helper.status = 0;
  helper.helper = true;
  helper.execs = {3};
  list.commands = {typed, helper};
  return list;
}

format::SessionInfo session() {
  format::SessionInfo info;
  info.id = "4f2a";
  info.user = "alice";
  info.uid = 1000;
  return info;
}

TEST(CommandRows, HelpersAndProcessesOnlyIfAllIsAskedFor) {
  const auto list = some_commands();
  const auto few = command_rows(list, session(), {});
  ASSERT_EQ(few.size(), 1u);
  EXPECT_EQ(few[0].text, "make");
  EXPECT_EQ(few[0].number, 1u);
  EXPECT_EQ(few[0].user, "alice");
  EXPECT_EQ(few[0].status, "2");
  EXPECT_EQ(few[0].known, "both");
  const auto all = command_rows(list, session(), {true, false});
  std::string seen;
  for (const CommandRow& row : all) seen += std::to_string(row.depth) + row.text + ";";
  EXPECT_EQ(seen, "0make;1make;2cc x.c;3as;0tput cols;");
  EXPECT_EQ(all.back().known, "helper");
}

TEST(CommandRows, WhatCameBeforeTheRecordingSaysSo) {
  auto list = some_commands();
  for (const std::size_t i : {2, 3}) {
    list.events[i].at_us = list.events[i].end_us = 0;
    list.events[i].before_us = 700;
  }
  replay::Command& early = list.commands[1];
  early.begin_us = early.end_us = 0;
  early.before_us = 700;
  early.execs = {3, 2};
  EXPECT_EQ(command_rows(list, session(), {}).size(), 1u);
  const auto all = command_rows(list, session(), {true, false});
  for (const CommandRow* row : {&all[all.size() - 2], &all.back()}) {
    EXPECT_EQ(row->known, "before") << row->text;
    EXPECT_EQ(row->at_us, -700);
    EXPECT_EQ(row->end_us, -1);
  }
  EXPECT_EQ(all.back().text, "as");
  auto info = session();
  info.started = 1'000'000;
  const std::string json = command_json(list, 1, info, true);
  EXPECT_NE(json.find(R"("at_us":0,"before_us":700,"time_us":999300,"offset")"), std::string::npos) << json;
  EXPECT_NE(json.find(R"("at_us":0,"before_us":700,"pid":7)"), std::string::npos) << json;
  EXPECT_NE(report_json(list, all.back(), info, "r").find(R"("before_us":700)"), std::string::npos);
}

TEST(CommandRows, SayWhatRunsUnderAnotherName) {
  auto list = some_commands();
  list.events[1].exe = "/usr/bin/python3";
  list.events[2].foreign_mounts = true;
  list.commands[0].exe = "/usr/bin/gmake";  // perhaps an alias: its own process says
  list.events[3].exe = "/usr/bin/x\x1b";
  list.commands[1].exe = "/usr/bin/sleep";  // what the process executed last
  list.commands[1].foreign_mounts = true;
  list.commands[1].text = "'a b' c";
  const auto rows = command_rows(list, session(), {true, false});
  ASSERT_EQ(rows.size(), 6u);
  EXPECT_EQ(marked_text(rows[0]), "make");
  EXPECT_EQ(marked_text(rows[2]), "cc (python3) x.c");
  EXPECT_EQ(marked_text(rows[3]), "as  (foreign mounts)");
  EXPECT_EQ(marked_text(rows[4]), "'a b' (x\x1b; foreign mounts) c");
  EXPECT_NE(csv_titles().find(",number,exe,renamed,foreign_mounts\r\n"), std::string::npos);
  EXPECT_NE(csv_line(rows[2], session())
                .find(R"(,"cc x.c",,"/usr/bin/python3","cc is python3",)"
                      "\r\n"),
            std::string::npos)
      << csv_line(rows[2], session());
  EXPECT_NE(csv_line(rows[3], session())
                .find(R"("as",,"","",true)"
                      "\r\n"),
            std::string::npos);
  EXPECT_NE(
      command_json(list, 0, session(), true).find(R"("text":"as","exe":"","cwd":"","foreign_mounts":true)"),
      std::string::npos);
  EXPECT_NE(command_json(list, 0, session(), true).find(R"("renamed":"cc is python3")"), std::string::npos);
  EXPECT_NE(report_json(list, rows[2], session(), "r").find(R"("renamed":"cc is python3")"),
            std::string::npos);
  EXPECT_NE(command_json(list, 1, session(), false).find(R"("foreign_mounts":true)"), std::string::npos);
  EXPECT_NE(report_json(list, rows[3], session(), "r").find(R"("foreign_mounts":true)"), std::string::npos);
  list.commands[0].renamed = "make is zsh";
  EXPECT_EQ(marked_text(command_rows(list, session(), {})[0]), "make  (make is zsh)");
  EXPECT_EQ(menu_label(list.commands[0]), "   1      0:00     2  (make is zsh) make");
  EXPECT_NE(command_json(list, 0, session(), false).find(R"("renamed":"make is zsh")"), std::string::npos);
}

TEST(CommandRows, TheLastObjectSaysWhatABoundLeftOut) {
  auto list = some_commands();
  const auto rows = command_rows(list, session(), {true, false});
  const char* member = "\"left_out\":9";
  EXPECT_EQ(command_json(list, 0, session(), true, true).find("left_out"), std::string::npos);
  list.left_out = 9;
  EXPECT_NE(command_json(list, 0, session(), true, true).find(member), std::string::npos);
  EXPECT_EQ(command_json(list, 0, session(), true).find("left_out"), std::string::npos);
  list.missing = 3;
  EXPECT_NE(command_json(list, 0, session(), true, true).find("\"left_out\":9,\"missing\":3"),
            std::string::npos);
  for (const std::size_t row : {0, 2}) {  // a command, a process
    EXPECT_NE(report_json(list, rows[row], session(), "r", true).find(member), std::string::npos);
    EXPECT_EQ(report_json(list, rows[row], session(), "r").find("left_out"), std::string::npos);
  }
}

TEST(CommandRows, OnlyFailedOnes) {
  auto list = some_commands();
  EXPECT_EQ(command_rows(list, session(), {false, true}).size(), 1u);
  list.commands[0].status = 0;
  EXPECT_TRUE(command_rows(list, session(), {false, true}).empty());
  list.commands[0].status.reset();  // not known is not failed
  EXPECT_TRUE(command_rows(list, session(), {false, true}).empty());
  list.commands[0].status = 137;
  list.commands[0].signal = 9;
  EXPECT_EQ(command_rows(list, session(), {false, true}).at(0).status, "SIG9");
}

TEST(CommandRows, OfOneForTheMenuOfPlay) {
  auto list = some_commands();
  EXPECT_EQ(menu_label(list.commands[0]), "   1      0:00     2  make");
  list.commands[0].text = "echo \x1b[2J\nnext";
  EXPECT_EQ(menu_label(list.commands[0]), "   1      0:00     2  echo \\x1b[2J \\n next");
}

TEST(CommandRows, HostileTextStaysInItsField) {
  auto list = some_commands();
  list.commands[0].text = "echo \"a,b\"\x1b[2J\nnext";
  const auto rows = command_rows(list, session(), {});
  const std::string line = csv_line(rows.at(0), session());
  EXPECT_EQ(line.find('\x1b'), std::string::npos);
  EXPECT_NE(line.find("\"echo \"\"a,b\"\""), std::string::npos) << line;
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  const std::string json = command_json(list, 0, session(), true);
  for (const char c : json) EXPECT_TRUE(c >= 0x20 && c < 0x7f) << static_cast<int>(c);
  EXPECT_NE(json.find("\"processes\":[{"), std::string::npos) << json;
}

TEST(CommandRows, InAReportSayWhenWhoWhereFromAndInWhichRecording) {
  auto list = some_commands();
  list.commands[0].text = "=1+1";
  format::SessionInfo info = session();
  info.started = 1'795'000'000 * kUsPerS;
  info.client = "192.0.2.7";
  info.client_claimed = true;
  const auto rows = command_rows(list, info, {true, false});
  EXPECT_EQ(report_csv_titles().substr(0, 45), "time,session_user,client,recording,session,at");
  const std::string line = report_csv_line(rows.at(0), info, "alice_1", "2026-11-18 12:00:00");
  EXPECT_EQ(line.find("\"2026-11-18 12:00:00\",\"alice\",\"192.0.2.7?\",\"alice_1\",\"4f2a\","), 0u) << line;
  EXPECT_NE(line.find("\"'=1+1\""), std::string::npos) << line;
  const std::string json = report_json(list, rows.at(0), info, "alice_1");
  for (const char* member :
       {R"("time":"2026-11-18T)", R"("recording":"alice_1")", R"("session_user":"alice")",
        R"("client":"192.0.2.7")", R"("number":1)", R"("status":2)"})
    EXPECT_NE(json.find(member), std::string::npos) << json;
  const std::string process = report_json(list, rows.at(2), info, "alice_1");
  for (const char* member : {R"("process":true)", R"("of_number":1)", R"("text":"cc x.c")", R"("status":1)",
                             R"("session_user":"alice")"})
    EXPECT_NE(process.find(member), std::string::npos) << process;
  // A plain script recording knows neither when, who nor an id: its name says which it is.
  const std::string foreign = report_json(list, rows.at(0), {}, "old");
  EXPECT_NE(foreign.find(R"("time":null,"recording":"old","session_user":"")"), std::string::npos) << foreign;
  EXPECT_EQ(report_csv_line(rows.at(0), {}, "old", "").find("\"\",\"\",\"\",\"old\",\"\","), 0u);
}

TEST(CommandRows, AStatusThatIsNotKnownIsAnEmptyCell) {
  auto list = some_commands();
  list.commands[0].status.reset();
  EXPECT_NE(csv_line(command_rows(list, session(), {}).at(0), session()).find(",\"alice\",\"\","),
            std::string::npos);
}

}  // namespace
}  // namespace opelog::cli
