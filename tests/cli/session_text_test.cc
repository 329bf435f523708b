#include "cli/session_text.h"

#include <gtest/gtest.h>
#include <signal.h>

#include "format/json_text.h"

namespace opelog::cli {
namespace {

format::EndInfo end_of(format::EndReason reason, std::optional<int> code, std::optional<int> signal) {
  format::EndInfo end;
  end.reason = reason;
  end.exit_code = code;
  end.signal = signal;
  return end;
}

TEST(SessionText, TheEndInAWord) {
  using format::EndReason;
  const struct {
    std::optional<format::EndInfo> end;
    const char *exit, *ending;
  } cases[] = {{std::nullopt, "-", "-"},
               {end_of(EndReason::kExit, 0, std::nullopt), "0", "0"},
               {end_of(EndReason::kExit, 137, std::nullopt), "137", "137"},
               {end_of(EndReason::kExit, std::nullopt, SIGKILL), "SIGKILL", "SIGKILL"},
               {end_of(EndReason::kExit, std::nullopt, 9999), "signal 9999", "signal 9999"},
               {end_of(EndReason::kKilled, std::nullopt, SIGHUP), "SIGHUP", "killed"},
               {end_of(EndReason::kHangup, std::nullopt, std::nullopt), "hangup", "hangup"}};
  for (const auto& c : cases) {
    EXPECT_EQ(exit_text(c.end), c.exit);
    EXPECT_EQ(ending_text(c.end), c.ending);
  }
}

TEST(SessionText, TheSizeOfASessionWithoutATerminalIsWhatPassed) {
  format::RecordingSummary s;
  s.log_bytes = 120;
  EXPECT_EQ(size_text(s), "120") << "plain script";
  s.info.id = "0123456789abcdef";
  s.info.terminal = true;
  EXPECT_EQ(size_text(s), "120");
  s.info.terminal = false;
  EXPECT_EQ(size_text(s), "-") << "goes on";
  s.end = end_of(format::EndReason::kExit, 0, std::nullopt);
  s.end->bytes_out = 500;
  s.end->bytes_in = 400;
  s.end->bytes_err = 100;
  EXPECT_EQ(size_text(s), "900");
  s.end->reason = format::EndReason::kCrash;
  EXPECT_EQ(size_text(s), "-") << "the counters went with the daemon";
}

TEST(SessionText, WhatASessionWithoutATerminalWas) {
  format::SessionInfo info;
  EXPECT_EQ(streams_text(info, std::nullopt), "") << "plain script";
  info.id = "0123456789abcdef";
  info.command = "scp -t x";
  auto end = end_of(format::EndReason::kExit, 0, std::nullopt);
  end.bytes_out = 7;
  end.bytes_err = 2;
  end.bytes_in = 4096;
  EXPECT_EQ(
      streams_text(info, end),
      "a session without a terminal: \"scp -t x\", 7 bytes out (2 of them stderr), 4096 in; the bytes are "
      "counted, not recorded");
  EXPECT_EQ(streams_text(info, std::nullopt),
            "a session without a terminal: \"scp -t x\"; the bytes are counted, not recorded");
  info.records_payload = true;
  EXPECT_EQ(streams_text(info, end), "") << "playing shows it";
  end.bytes_out = 0;
  EXPECT_NE(streams_text(info, end).find("there was no output"), std::string::npos);
  info.command.reset();
  EXPECT_NE(streams_text(info, end).find(": a shell, 0 bytes"), std::string::npos) << streams_text(info, end);
  info.command = std::string(100000, 'x');
  EXPECT_LT(streams_text(info, end).size(), 500U);
  info.terminal = true;
  EXPECT_EQ(streams_text(info, end), "");
}

TEST(SessionText, WhatWasLeftToTheShellIsSaid) {
  format::RecordingSummary summary;
  auto& info = summary.info;
  info.id = "0123456789abcdef";
  EXPECT_EQ(kept_text(info), "");
  EXPECT_NE(summary_json(summary).find(R"("kept":{},)"), std::string::npos) << summary_json(summary);
  info.kept = {format::Kept::kDevice, format::Kept::kTerminal, format::Kept::kNot};
  EXPECT_EQ(kept_text(info), "stdin (device), stdout (terminal)");
  EXPECT_NE(summary_json(summary).find(R"("kept":{"stdin":"device","stdout":"terminal"},)"),
            std::string::npos)
      << summary_json(summary);
  const auto end = end_of(format::EndReason::kExit, 0, std::nullopt);
  EXPECT_EQ(
      streams_text(info, end),
      "a session without a terminal: a shell, 0 bytes out (0 of them stderr), 0 in; the bytes are counted, "
      "not recorded; left to the shell, and not counted: stdin (device), stdout (terminal)");
}

TEST(SessionText, JsonIsOneAsciiObjectWhateverTheSessionHolds) {
  format::RecordingSummary summary;
  summary.info.user = "e\x1B\n\xFF\xE2\x80\xAE\"";
  summary.info.command = std::string("a\0b", 3);
  summary.problem = "p\x07";
  const std::string json = summary_json(summary);
  for (const char c : json) EXPECT_TRUE(c >= 0x20 && c < 0x7F);
  const auto value = format::parse_json(json);
  ASSERT_TRUE(value);
  EXPECT_EQ(value->text_or("user", ""), summary.info.user);
  EXPECT_EQ(value->text_or("command", ""), summary.info.command);
  ASSERT_NE(value->find("uid"), nullptr);
  EXPECT_EQ(value->find("uid")->kind, format::JsonValue::Kind::kNull) << "plain script does not know it";
}

}  // namespace
}  // namespace opelog::cli
