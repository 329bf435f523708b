#include "cli/control_answer.h"

#include <gtest/gtest.h>

namespace opelog::cli {
namespace {

TEST(ControlAnswer, AGoodOneIsItsObject) {
  const auto answer = parse_answer(R"({"ok":true,"pid":7})");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->number_or("pid", 0), 7);
}

TEST(ControlAnswer, ARefusalIsItsError) {
  const auto answer = parse_answer(R"({"ok":false,"code":"denied","message":"only root"})");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kDenied);
  EXPECT_EQ(answer.error().message, "only root");
}

TEST(ControlAnswer, GoneMeansTheSessionNotTheDaemon) {
  EXPECT_EQ(parse_answer(R"({"ok":false,"code":"gone","message":"ended"})").error().code, Code::kNotFound);
}

TEST(ControlAnswer, AnythingElseIsInvalid) {
  for (const char* packet :
       {"", "garbage", "[]", "true", "{\"ok\":true", "{\"ok\":false}", "{\"ok\":false,\"code\":\"odd\"}"}) {
    const auto answer = parse_answer(packet);
    ASSERT_FALSE(answer) << packet;
    EXPECT_EQ(answer.error().code, Code::kInvalid) << packet;
  }
}

TEST(ControlAnswer, RequestsAreEscaped) {
  EXPECT_EQ(encode_request("status"), R"({"op":"status"})");
  EXPECT_EQ(encode_request("kill", "session", std::string_view("a\"\n")),
            R"({"op":"kill","session":"a\"\u000a"})");
  EXPECT_EQ(encode_request("thaw", "seconds", 300), R"({"op":"thaw","seconds":300})");
}

TEST(ControlAnswer, JsonComesBackAsPureAscii) {
  const auto answer = parse_answer("{\"ok\":true,\"a\":[1,-2,null,false,{\"b\":\"\xE2\x80\xAE\x7F\"}]}");
  ASSERT_TRUE(answer);
  const std::string json = to_json(*answer);
  for (const char c : json) EXPECT_TRUE(c >= 0x20 && c < 0x7F);
  EXPECT_EQ(json.substr(0, 36), R"({"ok":true,"a":[1,-2,null,false,{"b")");
}

}  // namespace
}  // namespace opelog::cli
