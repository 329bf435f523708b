#include "replay/exporter.h"

#include <gtest/gtest.h>

#include "export_support.h"

namespace opelog::replay {
namespace {

using format::Event;
using testing::lines_of;

Event read_output(std::int64_t at_us, std::string bytes) {
  Event event;
  event.at_us = at_us;
  event.bytes = std::move(bytes);
  return event;
}

Event read_exec(std::int64_t at_us, std::int64_t happened_us, std::int64_t pid, std::int64_t parent,
                std::vector<std::string> argv, std::uint64_t out = 10) {
  format::ExecInfo info;
  info.pid = pid;
  info.parent = parent;
  info.argv = std::move(argv);
  Event event;
  event.kind = Event::Kind::kNote;
  event.at_us = at_us;
  event.name = format::kOpelogExec;
  event.value = format::exec_value({happened_us, out}, info);
  return event;
}

std::vector<std::string> exported(const ExportOptions& options, const std::vector<Event>& events) {
  Exporter exporter(options, testing::export_header().info);
  ExportBytes out;
  for (const Event& event : events)
    if (!exporter.take(event, out)) break;
  exporter.finish(out);
  auto lines = lines_of(out.main);
  lines.erase(lines.begin());
  return lines;
}

TEST(Exporter, ACommandStandsWhereItHappenedAlthoughItsRecordIsLate) {
  EXPECT_EQ(exported({}, {read_output(900000, "$ "), read_exec(950000, 100, 7, 1, {"-bash"}, 0),
                          read_output(1000000, "ls\r\n"), read_output(1010000, "file\r\n"),
                          read_output(1020000, "$ "), read_exec(1090000, 1005000, 8, 7, {"ls", "a b"})}),
            (std::vector<std::string>{R"([0.900000,"o","$ "])", R"([1.000000,"o","ls\r\n"])",
                                      R"([1.005000,"m","ls a b"])", R"([1.010000,"o","file\r\n"])",
                                      R"([1.020000,"o","$ "])"}));
}

TEST(Exporter, OnlyCommandsOfInteractiveShellsAreMarked) {
  const auto lines = exported(
      {}, {read_exec(0, 0, 7, 1, {"-bash"}, 0), read_exec(1, 1, 8, 7, {"id", "-u"}, 0),  // a start-up file
           read_exec(2, 2, 9, 7, {"sh", "x.sh"}), read_exec(3, 3, 10, 9, {"sleep"}),
           read_exec(4, 4, 11, 7, {"sudo", "-s"}), read_exec(5, 5, 12, 11, {"/bin/bash"}),
           read_exec(6, 6, 13, 12, {"whoami"}), read_exec(7, 7, 14, 12, {"bash", "-c", "true"}),
           read_exec(8, 8, 15, 14, {"true"})});
  EXPECT_EQ(lines,
            (std::vector<std::string>{R"([0.000002,"m","sh x.sh"])", R"([0.000004,"m","sudo -s"])",
                                      R"([0.000006,"m","whoami"])", R"([0.000007,"m","bash -c true"])"}));
}

TEST(Exporter, APartHasItsOwnSizeAndTimes) {
  Event resize;
  resize.kind = Event::Kind::kResize;
  resize.at_us = 2000000;
  resize.rows = 50;
  resize.cols = 132;
  ExportOptions options;
  options.from_us = 3000000;
  options.to_us = 5000000;
  Exporter exporter(options, testing::export_header().info);
  ExportBytes out;
  EXPECT_TRUE(exporter.take(read_output(1000000, "secret"), out));
  EXPECT_TRUE(exporter.take(resize, out));
  EXPECT_TRUE(exporter.take(read_output(3000000, "first"), out));
  EXPECT_TRUE(exporter.take(read_output(5000000, "last"), out));
  EXPECT_TRUE(exporter.take(read_output(5000001, "behind"), out));
  EXPECT_FALSE(exporter.take(read_output(9000000, "more"), out));
  exporter.finish(out);
  const auto lines = lines_of(out.main);
  ASSERT_EQ(lines.size(), 3U) << out.main;
  EXPECT_NE(lines[0].find("\"width\":132,\"height\":50"), std::string::npos) << lines[0];
  EXPECT_EQ(lines[1], R"([0.000000,"o","first"])");
  EXPECT_EQ(lines[2], R"([2.000000,"o","last"])");
}

TEST(Exporter, AFloodIsHeldInBoundsAndNothingGoesBackInTime) {
  std::vector<Event> events{read_exec(0, 0, 7, 1, {"-bash"}, 0)};
  for (int i = 0; i < 10000; ++i) events.push_back(read_output(1000, "x"));
  events.push_back(read_exec(1000, 500, 8, 7, {"late"}));
  events.push_back(read_output(1000, "y"));
  Exporter exporter({}, testing::export_header().info);
  ExportBytes out;
  for (const Event& event : events) exporter.take(event, out);
  // What is not out yet is at most what may be held.
  EXPECT_GT(lines_of(out.main).size(), events.size() - kExportHoldEvents - 10);
  exporter.finish(out);
  const auto lines = lines_of(out.main);
  EXPECT_EQ(lines.size(), 10000U + 3);
  for (std::size_t i = 1; i < lines.size(); ++i) EXPECT_EQ(lines[i].substr(0, 9), "[0.001000") << i;
}

TEST(Exporter, WhatIsTooLateStandsWhereItCame) {
  ExportOptions options;
  options.format = ExportFormat::kHtml;
  Exporter exporter(options, testing::export_header().info);
  ExportBytes out;
  for (const Event& event :
       {read_exec(0, 0, 7, 1, {"-bash"}, 0), read_output(9000000, "x"), read_output(10000000, "y"),
        read_exec(10000000, 3000000, 8, 7, {"late"}), read_output(20000000, "z")})
    exporter.take(event, out);
  exporter.finish(out);
  EXPECT_NE(out.main.find("<time>0:00:09</time><span>late<"), std::string::npos) << out.main;
}

TEST(Exporter, InputOnlyWhereItIsAskedFor) {
  Event input = read_output(5, "pw");
  input.kind = Event::Kind::kInput;
  EXPECT_TRUE(exported({}, {input}).empty());
  ExportOptions options;
  options.input = true;
  EXPECT_EQ(exported(options, {input}), (std::vector<std::string>{R"([0.000005,"i","pw"])"}));
}

TEST(Exporter, AGapIsStated) {
  Event gap;
  gap.kind = Event::Kind::kGap;
  gap.gap = format::GapInfo{"output", "disk \x1b full", 12, 0};
  EXPECT_EQ(
      exported({}, {gap}),
      (std::vector<std::string>{R"([0.000000,"m","not recorded: output, 12 bytes: disk \\x1b full"])"}));
}

}  // namespace
}  // namespace opelog::replay
