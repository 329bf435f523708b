#include "cli/report_text.h"

#include <gtest/gtest.h>

namespace opelog::cli {
namespace {

CommandRow some(const std::string& text, std::int64_t at_us, std::optional<int> code) {
  CommandRow row;
  row.text = text;
  row.at_us = at_us;
  row.end_us = at_us + 1000;
  row.code = code;
  row.failed = code.value_or(0) != 0;
  return row;
}

TEST(ReportFilter, ByTextStatusAndTime) {
  const auto rm = some("rm -rf x", 5, 1);
  EXPECT_TRUE(report_wants({}, rm, 0));
  EXPECT_TRUE(report_wants({"-rf", {}, false, {}, {}}, rm, 0));
  EXPECT_FALSE(report_wants({"ls", {}, false, {}, {}}, rm, 0));
  auto foo = some("./foo -rf x", 5, 0);
  EXPECT_FALSE(report_wants({"rm", {}, false, {}, {}}, foo, 0));
  foo.renamed = "foo is rm";
  EXPECT_TRUE(report_wants({"rm", {}, false, {}, {}}, foo, 0));
  EXPECT_TRUE(report_wants({"", 1, false, {}, {}}, rm, 0));
  EXPECT_FALSE(report_wants({"", 0, false, {}, {}}, rm, 0));
  EXPECT_TRUE(report_wants({"", {}, true, {}, {}}, rm, 0));
  EXPECT_FALSE(report_wants({"", {}, true, {}, {}}, some("ls", 5, 0), 0));
  EXPECT_FALSE(report_wants({"", {}, true, {}, {}}, some("cd", 5, std::nullopt), 0))
      << "not known is not failed";
  EXPECT_TRUE(report_wants({"", {}, false, 1005, 1005}, rm, 1000));
  EXPECT_FALSE(report_wants({"", {}, false, 1006, {}}, rm, 1000));
  EXPECT_FALSE(report_wants({"", {}, false, {}, 1004}, rm, 1000));
  EXPECT_FALSE(report_wants({"", {}, false, 1, {}}, rm, 0)) << "when it was is not known";
}

// A script that removes something and fails in it, `ls` that is its own process, and a program of bind -x.
replay::SessionCommandList with_processes() {
  replay::SessionCommandList list;
  const auto ran = [&](std::int64_t pid, std::int64_t parent, const std::string& argv, int code) {
    replay::ExecEvent event;
    event.pid = pid;
    event.ppid = parent;
    event.argv = argv;
    event.at_us = static_cast<std::int64_t>(list.events.size()) * 100;
    event.exit_code = code;
    list.events.push_back(event);
  };
  ran(5, 4, "sh ./clean.sh", 0);
  ran(6, 5, "rm -rf /srv", 1);
  ran(7, 4, "ls x", 2);
  ran(8, 4, "curl -o x", 0);
  for (const std::size_t i : {0, 2, 3}) {
    replay::Command command;
    command.text = i == 0 ? "./clean.sh" : list.events[i].argv;
    command.known = i == 3 ? replay::KnownBy::kExec : replay::KnownBy::kBoth;
    command.begin_us = list.events[i].at_us;
    command.status = list.events[i].exit_code;
    command.helper = i == 3;
    command.execs = {i};
    if (i == 0) command.execs.push_back(1);
    list.commands.push_back(command);
  }
  return list;
}

std::string texts_of(const ReportRows& report) {
  std::string texts;
  for (const CommandRow& row : report.rows) texts += row.text + ";";
  return texts;
}

TEST(ReportRows, WithoutAnyFilterOnlyCommandsAndTheRestIsCounted) {
  const ReportRows report = report_rows(with_processes(), {}, {});
  EXPECT_EQ(texts_of(report), "./clean.sh;ls x;");
  EXPECT_EQ(report.processes, 2u);
  EXPECT_EQ(report.helpers, 1u);
}

TEST(ReportRows, WhatRanInAScriptOrForTheShellIsLookedAtWhenATextOrAStatusIsAskedFor) {
  ReportFilter filter;
  filter.command = "rm -rf";
  EXPECT_EQ(texts_of(report_rows(with_processes(), {}, filter)), "rm -rf /srv;");
  filter.command = "curl";
  EXPECT_EQ(texts_of(report_rows(with_processes(), {}, filter)), "curl -o x;");
  filter = {};
  filter.failed = true;
  const ReportRows failed = report_rows(with_processes(), {}, filter);
  EXPECT_EQ(texts_of(failed), "rm -rf /srv;ls x;") << "ls only once";
  auto alias = with_processes();
  alias.commands[1].text = "ll x";
  const ReportRows once = report_rows(alias, {}, filter);
  EXPECT_EQ(texts_of(once), "rm -rf /srv;ll x;");
  EXPECT_EQ(once.processes, 1u) << "left out, and counted";
  ReportFilter text;
  text.command = "ls";
  EXPECT_EQ(texts_of(report_rows(alias, {}, text)), "ls x;") << "who looks for the program finds it";
  EXPECT_EQ(failed.processes + failed.helpers, 0u);
  filter = {};
  filter.status = 1;
  EXPECT_EQ(texts_of(report_rows(with_processes(), {}, filter)), "rm -rf /srv;");
}

TEST(ReportRows, AllIsEverything) {
  ReportFilter filter;
  filter.all = true;
  const ReportRows report = report_rows(with_processes(), {}, filter);
  EXPECT_EQ(texts_of(report), "./clean.sh;sh ./clean.sh;rm -rf /srv;ls x;curl -o x;");
  EXPECT_EQ(report.processes + report.helpers, 0u);
}

TEST(ReportRows, AProcessWhoseCommandHasNoStatusIsFoundByItsOwn) {
  auto list = with_processes();
  list.commands[1].status.reset();
  ReportFilter filter;
  filter.failed = true;
  EXPECT_EQ(texts_of(report_rows(list, {}, filter)), "rm -rf /srv;ls x;");
}

TEST(ReportSums, CountByWhatIsAsked) {
  format::SessionInfo info;
  info.user = "alice";
  info.started = 1000;
  ReportSums by_command(ReportBy::kCommand, [](WallUs) { return "day"; });
  by_command.add(some("/bin/ls -l", 0, 0), info);
  by_command.add(some("ls x", 0, 2), info);
  by_command.add(some("cd /", 0, std::nullopt), info);
  ASSERT_EQ(by_command.sums().size(), 2u);
  const auto& ls = by_command.sums().at("ls");
  EXPECT_EQ(ls.commands, 2u);
  EXPECT_EQ(ls.failed, 1u);
  EXPECT_EQ(ls.unknown, 0u);
  EXPECT_EQ(ls.length_us, 2000);
  EXPECT_EQ(by_command.sums().at("cd").unknown, 1u);
  auto hidden = some("./foo -i", 0, 0);
  hidden.renamed = "foo is zsh, bar is rm";
  by_command.add(hidden, info);
  hidden.text = "baz; ./foo -i";
  by_command.add(hidden, info);
  EXPECT_EQ(by_command.sums().count("foo is zsh"), 1u);
  EXPECT_EQ(by_command.sums().count("baz;"), 1u);
  ReportSums by_user(ReportBy::kUser, [](WallUs) { return "day"; });
  by_user.add(some("ls", 0, 0), info);
  EXPECT_EQ(by_user.sums().count("alice"), 1u);
  ReportSums by_day(ReportBy::kDay, [](WallUs at) { return std::to_string(at); });
  by_day.add(some("ls", 5, 0), info);
  EXPECT_EQ(by_day.sums().count("1005"), 1u);
}

}  // namespace
}  // namespace opelog::cli
