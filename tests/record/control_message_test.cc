#include "record/control_message.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "format/json_text.h"

namespace opelog::record {
namespace {

using Json = nlohmann::json;

TEST(ControlRequest, EveryDocumentedRequestIsUnderstood) {
  for (const char* op : {"status", "sessions", "reload", "reopen-log", "freeze", "dump", "thaw"}) {
    const auto request = decode_request(R"({"op":")" + std::string(op) + "\"}");
    ASSERT_TRUE(request) << op << ": " << request.error().message;
    EXPECT_STREQ(request_word(*request), op);
    EXPECT_EQ(needs_root(*request), std::string(op) != "status" && std::string(op) != "sessions");
  }
  const auto kill = decode_request(R"( { "session" : "ab\u00e9" , "op" : "kill" } )");
  ASSERT_TRUE(kill);
  EXPECT_EQ(std::get<KillRequest>(*kill).session, "ab\u00e9");
  EXPECT_EQ(std::get<ThawRequest>(*decode_request(R"({"op":"thaw"})")).seconds, kDefaultThawSeconds);
  EXPECT_EQ(std::get<ThawRequest>(*decode_request(R"({"op":"thaw","seconds":1})")).seconds, 1);
  EXPECT_EQ(std::get<ThawRequest>(*decode_request(R"({"op":"thaw","seconds":86400})")).seconds,
            kMaxThawSeconds);
}

TEST(ControlRequest, RetentionNamesOneRecordingAndNothingElse) {
  for (const char* why : {"age", "size", "user-size", "reserve"}) {
    const auto request = decode_request(R"({"op":"prune","recording":"a_20261122140509_c","why":")" +
                                        std::string(why) + "\"}");
    ASSERT_TRUE(request) << request.error().message;
    EXPECT_STREQ(request_word(*request), "prune");
    EXPECT_TRUE(needs_root(*request));
    EXPECT_EQ(std::get<PruneRequest>(*request).recording, "a_20261122140509_c");
    EXPECT_STREQ(format::prune_word(std::get<PruneRequest>(*request).why), why);
  }
  const auto compressed = decode_request(R"({"op":"compressed","recording":"a"})");
  ASSERT_TRUE(compressed);
  EXPECT_STREQ(request_word(*compressed), "compressed");
  EXPECT_TRUE(needs_root(*compressed));
  for (const char* packet :
       {R"({"op":"prune"})", R"({"op":"prune","recording":"a"})", R"({"op":"prune","why":"age"})",
        R"({"op":"prune","recording":"a","why":"because"})",
        R"({"op":"prune","recording":"a/b","why":"age"})", R"({"op":"prune","recording":"..","why":"age"})",
        R"({"op":"prune","recording":"","why":"age"})",
        R"({"op":"prune","recording":"a\u0000b","why":"age"})",
        R"({"op":"prune","recording":"a","session":"b","why":"age"})", R"({"op":"compressed"})",
        R"({"op":"compressed","recording":"a","why":"age"})", R"({"op":"status","recording":"a"})",
        R"({"op":"kill","session":"a","why":"age"})"}) {
    const auto request = decode_request(packet);
    ASSERT_FALSE(request) << packet;
    EXPECT_EQ(request.error().code, Code::kInvalid);
  }
  EXPECT_EQ(encode_bytes(4711), Packets{R"({"ok":true,"bytes":4711})"});
}

TEST(ControlRequest, AReadingNamesWhatIsReadAndNobody) {
  for (const char* what : {"play", "show", "tail", "commands", "export", "prove"}) {
    const auto request = decode_request(R"({"op":"viewed","recording":"a_20261122140509_c","what":")" +
                                        std::string(what) + "\"}");
    ASSERT_TRUE(request) << request.error().message;
    EXPECT_STREQ(request_word(*request), "viewed");
    EXPECT_FALSE(needs_root(*request));
    EXPECT_EQ(std::get<ViewedRequest>(*request).recording, "a_20261122140509_c");
    EXPECT_STREQ(format::view_word(std::get<ViewedRequest>(*request).what), what);
  }
  for (const char* what : {"search", "report"}) {
    for (const char* recording : {"", R"("recording":"",)"}) {
      const auto request =
          decode_request(std::string(R"({"op":"viewed",)") + recording + R"("what":")" + what + "\"}");
      ASSERT_TRUE(request) << request.error().message;
      EXPECT_EQ(std::get<ViewedRequest>(*request).recording, "");
    }
  }
  for (const char* packet :
       {R"({"op":"viewed"})", R"({"op":"viewed","what":"play"})", R"({"op":"viewed","recording":"a"})",
        R"({"op":"viewed","recording":"a","what":"cat"})", R"({"op":"viewed","recording":"","what":"play"})",
        R"({"op":"viewed","recording":"../a","what":"play"})",
        R"({"op":"viewed","recording":"a\nb","what":"play"})",
        R"({"op":"viewed","recording":"a","what":"search"})",
        R"({"op":"viewed","recording":"a","what":"play","uid":0})",
        R"({"op":"viewed","recording":"a","what":"play","what":"show"})",
        R"({"op":"status","what":"play"})"}) {
    const auto request = decode_request(packet);
    ASSERT_FALSE(request) << packet;
    EXPECT_EQ(request.error().code, Code::kInvalid);
  }
  const auto rotate = decode_request(R"({"op":"rotate-key"})");
  ASSERT_TRUE(rotate);
  EXPECT_TRUE(needs_root(*rotate));
  EXPECT_FALSE(decode_request(R"({"op":"rotate-key","recording":"a"})"));
  EXPECT_EQ(encode_rotated({"n", "o", 7}), Packets{R"({"ok":true,"log":"n","former":"o","size":7})"});
}

TEST(ControlRequest, WhatIsNotExactlyARequestIsRefusedWithAReason) {
  const std::string deep(2000, '[');
  for (const std::string& packet :
       std::initializer_list<std::string>{std::string(),
                                          std::string("status"),
                                          std::string("{}"),
                                          std::string(R"({"op":"status"}x)"),
                                          std::string(R"({"op":"status")"),
                                          std::string(R"({"op":"Status"})"),
                                          std::string(R"({"op":1})"),
                                          std::string(R"({"op":null})"),
                                          std::string(R"({"op":["status"]})"),
                                          std::string(R"([{"op":"status"}])"),
                                          std::string(R"("status")"),
                                          std::string("1"),
                                          std::string("null"),
                                          std::string(R"({"op":"status","op":"dump"})"),
                                          std::string(R"({"op":"status","x":1})"),
                                          std::string(R"({"op":{"op":"status"}})"),
                                          std::string(R"({"op":"status","session":"a"})"),
                                          std::string(R"({"op":"kill"})"),
                                          std::string(R"({"op":"kill","session":""})"),
                                          std::string(R"({"op":"kill","session":1})"),
                                          R"({"op":"kill","session":")" + std::string(600, 'a') + "\"}",
                                          std::string(R"({"op":"kill","session":"a","seconds":1})"),
                                          std::string(R"({"op":"thaw","seconds":0})"),
                                          std::string(R"({"op":"thaw","seconds":-1})"),
                                          std::string(R"({"op":"thaw","seconds":86401})"),
                                          std::string(R"({"op":"thaw","seconds":18446744073709551615})"),
                                          std::string(R"({"op":"thaw","seconds":99999999999999999999999})"),
                                          std::string(R"({"op":"thaw","seconds":1.5})"),
                                          std::string(R"({"op":"thaw","seconds":1e2})"),
                                          std::string(R"({"op":"thaw","seconds":"1"})"),
                                          std::string(R"({"op":"thaw","seconds":true})"),
                                          std::string(R"({"op":1,"seconds":"status"})"),
                                          std::string("{\"op\":\"sta\xfftus\"}"),
                                          std::string("{\"op\":\"status\"}\0", 16),
                                          R"({"op":)" + deep,
                                          deep,
                                          R"({"op":"status"})" + std::string(kMaxRequest, ' ')}) {
    const auto request = decode_request(packet);
    ASSERT_FALSE(request) << packet;
    EXPECT_EQ(request.error().code, Code::kInvalid);
    EXPECT_EQ(request.error().message.find("not a control request: "), 0u);
    EXPECT_EQ(request.error().message.find('\n'), std::string::npos);
  }
}

TEST(ControlRequest, EveryTruncationIsRefused) {
  const std::string whole = R"({"op":"kill","session":"a"})";
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_FALSE(decode_request(std::string_view(whole).substr(0, length))) << length;
  }
}

Json only(const Packets& packets) {
  EXPECT_EQ(packets.size(), 1u);
  EXPECT_LE(packets[0].size(), kMaxAnswerPacket);
  return Json::parse(packets[0]);
}

TEST(ControlAnswer, StatusSaysEverythingTheDocumentPromises) {
  StatusAnswer status;
  status.version = "0.1.0";
  status.pid = 42;
  status.started = 1000000;
  status.uptime_s = 7;
  status.policy = {"/etc/opelog/opelog.yaml", "abc", 0, "line 3: broken"};
  status.sessions = 3;
  status.recorded_total = 9;
  status.unrecorded_total = 4;
  status.limited = 6;
  status.disk = {1ULL << 40U, 64 << 20U, true};
  status.guard = {{"/var/log/ope_log"}, 5, 1};
  status.degraded = {{"no append-only flag", "use ext4"}};
  const auto json = only(encode_status(status));
  std::ifstream document(OPELOG_SOURCE_DIR "/docs/formats/control-protocol.md");
  std::ostringstream text;
  text << document.rdbuf();
  ASSERT_TRUE(document.is_open());
  for (const auto& [key, value] : json.items()) {
    EXPECT_NE(text.str().find('"' + key + '"'), std::string::npos) << key << " is not in the document";
  }
  EXPECT_EQ(json["ok"], true);
  EXPECT_EQ(json["started"], "1970-01-01T00:00:01.000000+00:00");
  EXPECT_EQ(json["policy"]["loaded"], "");
  EXPECT_EQ(json["policy"]["error"], "line 3: broken");
  EXPECT_EQ(json["unrecorded_total"], 4);
  EXPECT_EQ(json["limited"], 6);
  EXPECT_EQ(json["disk"]["free"], 1ULL << 40U);
  EXPECT_EQ(json["disk"]["reserve"], 64 << 20U);
  EXPECT_EQ(json["disk"]["low"], true);
  EXPECT_EQ(json["guard"]["directories"][0], "/var/log/ope_log");
  EXPECT_EQ(json["guard"]["flagged"], 5);
  EXPECT_EQ(json["degraded"][0]["remedy"], "use ext4");
}

TEST(ControlAnswer, AStatusFullOfLongTextsStillFitsAPacket) {
  StatusAnswer status;
  status.degraded.resize(500, {std::string(5000, 'x'), std::string(5000, 'y')});
  status.guard.directories.resize(500, std::string(4000, 'd'));
  EXPECT_EQ(only(encode_status(status))["ok"], true);
  status.degraded.assign(500, {std::string(5000, '\x01'), std::string(5000, '\x01')});
  EXPECT_EQ(only(encode_status(status))["code"], "limit");
}

TEST(ControlAnswer, ManySessionsComeInSeveralPacketsOfWhichOnlyTheLastSaysNoMore) {
  std::vector<SessionRow> rows(1500);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i].id = std::to_string(i);
    rows[i].name = "user_20261122140509_192.0.2.7";
    rows[i].uid = 1000;
    rows[i].terminal = true;
  }
  rows[7].client = std::string(100000, '\x02');  // cannot be, and must not break the packets
  const auto packets = encode_sessions(rows);
  EXPECT_GT(packets.size(), 3u);
  std::size_t next = 0;
  for (std::size_t i = 0; i < packets.size(); ++i) {
    EXPECT_LE(packets[i].size(), kMaxAnswerPacket);
    const auto part = Json::parse(packets[i]);
    EXPECT_EQ(part.contains("more"), i + 1 < packets.size());
    for (const auto& row : part["sessions"]) EXPECT_EQ(row["id"], std::to_string(next++));
  }
  EXPECT_EQ(next, rows.size());
}

TEST(ControlAnswer, NoSessionIsOnePacketWithAnEmptyList) {
  const auto json = only(encode_sessions({}));
  EXPECT_TRUE(json["sessions"].is_array());
  EXPECT_TRUE(json["sessions"].empty());
  EXPECT_FALSE(json.contains("more"));
}

TEST(ControlAnswer, ALongDumpComesBackWholeAndItsCharactersUncut) {
  std::string text;
  for (int i = 0; text.size() < 300000; ++i) text += std::to_string(i) + " \u00e4\u20ac\U0001F600\x01\n";
  std::string joined;
  const auto packets = encode_dump(text);
  for (const auto& packet : packets) {
    EXPECT_LE(packet.size(), kMaxAnswerPacket);
    joined += Json::parse(packet)["dump"].get<std::string>();
    EXPECT_EQ(Json::parse(packet).contains("more"), &packet != &packets.back());
  }
  EXPECT_EQ(joined, text);
  EXPECT_EQ(only(encode_dump(""))["dump"], "");
  for (const auto& packet : encode_dump(std::string(100000, '\x80')))
    EXPECT_LE(packet.size(), kMaxAnswerPacket);
}

// As in recordings: format/json_text.h says how.
TEST(ControlAnswer, BytesThatAreNoTextComeBackAsTheSameBytes) {
  std::vector<SessionRow> rows(1);
  rows[0].user = "a\xff\xc3\x28\x1b[2J\"";
  const auto packets = encode_sessions(rows);
  const auto value = format::parse_json(packets.at(0));
  ASSERT_TRUE(value);
  EXPECT_EQ(value->find("sessions")->items.at(0).text_or("user", ""), rows[0].user);
  for (const char c : packets[0]) EXPECT_TRUE(c >= ' ' && c <= '~');
}

TEST(ControlAnswer, TheShortOnes) {
  EXPECT_EQ(encode_ok().at(0), R"({"ok":true})");
  EXPECT_EQ(encode_killed("ab").at(0), R"({"ok":true,"session":"ab"})");
  EXPECT_EQ(encode_reloaded("d").at(0), R"({"ok":true,"digest":"d"})");
  EXPECT_EQ(encode_files(3).at(0), R"({"ok":true,"files":3})");
  EXPECT_EQ(encode_error({Code::kDenied, "no\n", 0}).at(0),
            R"({"ok":false,"code":"denied","message":"no\u000a"})");
}

}  // namespace
}  // namespace opelog::record
