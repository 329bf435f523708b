#include "cli/status_text.h"

#include <gtest/gtest.h>

#include "cli/control_answer.h"

namespace opelog::cli {
namespace {

constexpr const char* kAnswer =
    R"({"ok":true,"version":"0.1.0","pid":77,"started":"x","uptime_s":3723,"policy":{"file":"/etc/opelog/opelog.yaml",)"
    R"("digest":"abcdefabcdefabcdef","loaded":"x","error":""},"sessions":3,"pending":1,"recorded_total":10,"refused_total":2,)"
    R"("passed_total":30,"failed_total":0,"unrecorded_total":6,"guard":{"directories":["/var/log/ope_log"],"flagged":5,"findings":0},"degraded":[]})";

TEST(StatusText, TellsPeopleWhatTheDaemonSays) {
  const auto answer = parse_answer(kAnswer);
  ASSERT_TRUE(answer);
  const std::string text = status_text(*answer);
  EXPECT_NE(text.find("pid 77, for 1:02:03"), std::string::npos) << text;
  EXPECT_NE(text.find("3 live, 1 logging in"), std::string::npos);
  EXPECT_NE(text.find("/var/log/ope_log"), std::string::npos);
  EXPECT_NE(text.find("5 files of others made append-only"), std::string::npos) << text;
  EXPECT_FALSE(is_degraded(*answer));
}

TEST(StatusText, DegradedAndABrokenPolicyStandOut) {
  const auto degraded =
      parse_answer(R"({"ok":true,"degraded":[{"what":"no append-only flag","remedy":"use ext4"}]})");
  EXPECT_TRUE(is_degraded(*degraded));
  EXPECT_NE(status_text(*degraded).find("no append-only flag; use ext4"), std::string::npos);
  const auto broken = parse_answer(R"({"ok":true,"policy":{"error":"x.yaml:3:1: no"}})");
  EXPECT_TRUE(is_degraded(*broken));
  EXPECT_NE(status_text(*broken).find("x.yaml:3:1: no"), std::string::npos);
}

TEST(StatusText, HeldSessionsStandOut) {
  auto answer = parse_answer(R"({"ok":true,"sessions":3,"held":2,"pending":0})");
  EXPECT_NE(status_text(*answer).find("3 live, 2 held because the record takes nothing, 0 logging in"),
            std::string::npos);
  answer = parse_answer(R"({"ok":true,"sessions":3,"held":0,"limited":1,"pending":0})");
  EXPECT_NE(status_text(*answer).find("3 live, 1 faster than their rate, 0 logging in"), std::string::npos);
}

TEST(StatusText, AnEmptyAnswerIsNoAccident) {
  EXPECT_NE(status_text(format::JsonValue{}).find("running"), std::string::npos);
}

}  // namespace
}  // namespace opelog::cli
