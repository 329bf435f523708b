#include "cli/report_text.h"

#include <gtest/gtest.h>

namespace opelog::cli {
namespace {

replay::Command some(const std::string& text, std::int64_t begin_us, std::optional<int> status) {
  replay::Command command;
  command.text = text;
  command.begin_us = begin_us;
  command.end_us = begin_us + 1000;
  command.status = status;
  return command;
}

TEST(ReportFilter, ByTextStatusAndTime) {
  const auto rm = some("rm -rf x", 5, 1);
  EXPECT_TRUE(report_wants({}, rm, 0));
  EXPECT_TRUE(report_wants({"-rf", {}, false, {}, {}}, rm, 0));
  EXPECT_FALSE(report_wants({"ls", {}, false, {}, {}}, rm, 0));
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

TEST(ReportSums, CountByWhatIsAsked) {
  format::SessionInfo info;
  info.user = "alice";
  info.started = 1000;
  CommandRow fine, bad;
  bad.failed = true;
  ReportSums by_command(ReportBy::kCommand, [](WallUs) { return "day"; });
  by_command.add(some("/bin/ls -l", 0, 0), fine, info);
  by_command.add(some("ls x", 0, 2), bad, info);
  by_command.add(some("cd /", 0, std::nullopt), fine, info);
  ASSERT_EQ(by_command.sums().size(), 2u);
  const auto& ls = by_command.sums().at("ls");
  EXPECT_EQ(ls.commands, 2u);
  EXPECT_EQ(ls.failed, 1u);
  EXPECT_EQ(ls.unknown, 0u);
  EXPECT_EQ(ls.length_us, 2000);
  EXPECT_EQ(by_command.sums().at("cd").unknown, 1u);
  ReportSums by_user(ReportBy::kUser, [](WallUs) { return "day"; });
  by_user.add(some("ls", 0, 0), fine, info);
  EXPECT_EQ(by_user.sums().count("alice"), 1u);
  ReportSums by_day(ReportBy::kDay, [](WallUs at) { return std::to_string(at); });
  by_day.add(some("ls", 5, 0), fine, info);
  EXPECT_EQ(by_day.sums().count("1005"), 1u);
}

}  // namespace
}  // namespace opelog::cli
