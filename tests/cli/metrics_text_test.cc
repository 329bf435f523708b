#include "cli/metrics_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <sstream>

#include "cli/control_answer.h"

namespace opelog::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kStatus =
    R"({"ok":true,"version":"1.2\"\\","uptime_s":60,"policy":{"error":"x"},"sessions":3,"held":1,"pending":2,)"
    R"("recorded_total":10,"refused_total":4,"passed_total":5,"failed_total":6,"unrecorded_total":7,"bytes_recorded":99,)"
    R"("limited":16,"disk":{"free":17,"reserve":18,"low":true},)"
    R"("guard":{"directories":[],"flagged":8,"findings":9,"overflows":11},"log_failures":12,"calls_waiting":13,)"
    R"("events":{"session-start":14,"guard-changed":15},"degraded":[{"what":"a","remedy":"b"}]})";

// What Prometheus' parser asks for: every sample behind the HELP and TYPE of its own name, each name once.
void expect_well_formed(const std::string& text) {
  std::istringstream lines(text);
  std::set<std::string> names;
  std::string line, name;
  bool typed = false;
  while (std::getline(lines, line)) {
    if (line.rfind("# HELP ", 0) == 0) {
      name = line.substr(7, line.find(' ', 7) - 7);
      EXPECT_TRUE(names.insert(name).second) << line;
      typed = false;
    } else if (line.rfind("# TYPE ", 0) == 0) {
      EXPECT_EQ(line.substr(7, name.size() + 1), name + " ");
      typed = true;
    } else {
      EXPECT_TRUE(typed) << line;
      EXPECT_EQ(line.substr(0, name.size()), name) << line;
      EXPECT_TRUE(line[name.size()] == ' ' || line[name.size()] == '{') << line;
    }
  }
  EXPECT_EQ(text.back(), '\n');
}

TEST(MetricsText, EveryValueOfTheStatus) {
  const std::string text = metrics_text(*parse_answer(kStatus));
  expect_well_formed(text);
  for (const char* line : {"opelog_up 1\n",
                           "opelog_build_info{version=\"1.2\\\"\\\\\"} 1\n",
                           "opelog_uptime_seconds 60\n",
                           "opelog_degraded 1\n",
                           "opelog_policy_error 1\n",
                           "opelog_sessions 3\n",
                           "opelog_sessions_held 1\n",
                           "opelog_sessions_limited 16\n",
                           "opelog_disk_free_bytes 17\n",
                           "opelog_disk_reserve_bytes 18\n",
                           "opelog_logins_pending 2\n",
                           "opelog_user_calls 13\n",
                           "opelog_logins_total{outcome=\"recorded\"} 10\n",
                           "opelog_logins_total{outcome=\"refused\"} 4\n",
                           "opelog_logins_total{outcome=\"passed\"} 5\n",
                           "opelog_logins_total{outcome=\"failed\"} 6\n",
                           "opelog_logins_total{outcome=\"unrecorded\"} 7\n",
                           "opelog_recorded_bytes_total 99\n",
                           "opelog_guard_flagged_total 8\n",
                           "opelog_guard_findings_total 9\n",
                           "opelog_guard_overflows_total 11\n",
                           "opelog_log_failures_total 12\n",
                           "opelog_events_total{event=\"session-start\"} 14\n",
                           "opelog_events_total{event=\"guard-changed\"} 15\n"})
    EXPECT_THAT(text, HasSubstr(line));
}

TEST(MetricsText, NobodyAnswersIsNotZeroOfEverything) {
  expect_well_formed(metrics_without_daemon());
  EXPECT_THAT(metrics_without_daemon(), HasSubstr("opelog_up 0\n"));
  EXPECT_THAT(metrics_without_daemon(), Not(HasSubstr("opelog_sessions")));
}

}  // namespace
}  // namespace opelog::cli
