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

Command ran(std::int64_t at_us, std::string text) {
  Command command;
  command.begin_us = at_us;
  command.text = std::move(text);
  return command;
}

std::vector<std::string> exported(const ExportOptions& options, const std::vector<Event>& events,
                                  const std::vector<Command>& commands = {}) {
  Exporter exporter(options, testing::export_header().info, commands);
  ExportBytes out;
  for (const Event& event : events)
    if (!exporter.take(event, out)) break;
  exporter.finish(out);
  auto lines = lines_of(out.main);
  lines.erase(lines.begin());
  return lines;
}

TEST(Exporter, ACommandStandsWhereItBegan) {
  EXPECT_EQ(
      exported({},
               {read_output(900000, "$ "), read_output(1000000, "ls\r\n"), read_output(1010000, "file\r\n")},
               {ran(1000000, "ls"), ran(1010000, "late")}),
      (std::vector<std::string>{R"([0.900000,"o","$ "])", R"([1.000000,"o","ls\r\n"])",
                                R"([1.000000,"m","ls"])", R"([1.010000,"o","file\r\n"])",
                                R"([1.010000,"m","late"])"}));
}

TEST(Exporter, HelpersAreNotMarkedAndNothingStandsBehindTheEnd) {
  Event end;
  end.kind = Event::Kind::kEnd;
  end.at_us = 5;
  end.end = format::EndInfo();
  end.end->exit_code = 0;
  Command helper = ran(1, "tput");
  helper.helper = true;
  ExportOptions options;
  options.format = ExportFormat::kAsciicast3;
  EXPECT_EQ(exported(options, {read_output(2, "x"), end}, {helper, ran(5, "exit")}),
            (std::vector<std::string>{R"([0.000002,"o","x"])", R"([0.000003,"m","exit"])",
                                      R"([0.000000,"x","0"])"}));
}

TEST(Exporter, ALongCommandOfSeveralLinesIsOneShortLine) {
  EXPECT_EQ(exported({}, {}, {ran(0, "for i in 1\ndo id\x1b\ndone")}),
            (std::vector<std::string>{R"([0.000000,"m","for i in 1 \\n do id\\x1b \\n done"])"}));
  const auto lines = exported({}, {}, {ran(0, std::string(kMaxMarker, 'x') + "y")});
  EXPECT_EQ(lines.at(0), "[0.000000,\"m\",\"" + std::string(kMaxMarker - 3, 'x') + "...\"]");
  Command hidden = ran(0, "./foo -i");
  hidden.renamed = "foo is z\x1b";
  EXPECT_EQ(exported({}, {}, {hidden}).at(0), R"x([0.000000,"m","./foo -i  (foo is z\\x1b)"])x");
}

TEST(Exporter, APartHasItsOwnCommands) {
  ExportOptions options;
  options.from_us = 10;
  options.to_us = 20;
  EXPECT_EQ(
      exported(options, {read_output(12, "x"), read_output(30, "y")},
               {ran(5, "a"), ran(11, "b"), ran(19, "c"), ran(25, "d")}),
      (std::vector<std::string>{R"([0.000001,"m","b"])", R"([0.000002,"o","x"])", R"([0.000009,"m","c"])"}));
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
  Exporter exporter(options, testing::export_header().info, {});
  ExportBytes out;
  EXPECT_TRUE(exporter.take(read_output(1000000, "secret"), out));
  EXPECT_TRUE(exporter.take(resize, out));
  EXPECT_TRUE(exporter.take(read_output(3000000, "first"), out));
  EXPECT_TRUE(exporter.take(read_output(5000000, "last"), out));
  EXPECT_FALSE(exporter.take(read_output(5000001, "behind"), out));
  exporter.finish(out);
  const auto lines = lines_of(out.main);
  ASSERT_EQ(lines.size(), 3U) << out.main;
  EXPECT_NE(lines[0].find("\"width\":132,\"height\":50"), std::string::npos) << lines[0];
  EXPECT_EQ(lines[1], R"([0.000000,"o","first"])");
  EXPECT_EQ(lines[2], R"([2.000000,"o","last"])");
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

TEST(Exporter, APartHasWhatAGapBeforeItEnded) {
  Event gap;
  gap.kind = Event::Kind::kGap;
  gap.at_us = 1;
  gap.gap = format::GapInfo{"output", "full", 12, 0};
  ExportOptions options;
  options.format = ExportFormat::kText;
  options.from_us = 2;
  // The first line is left out by exported().
  EXPECT_EQ(exported(options, {read_output(0, "16"), gap, read_output(3, "38\r\nnext\r\n")}),
            (std::vector<std::string>{"next"}));
  gap.gap->what = "input";
  EXPECT_TRUE(exported(options, {read_output(0, "16"), gap, read_output(3, "38\r\nnext\r\n")}).empty());
}

}  // namespace
}  // namespace opelog::replay
