#include "replay/export_asciicast.h"

#include <gtest/gtest.h>

#include <random>

#include "export_support.h"

namespace opelog::replay {
namespace {

using testing::export_all;
using testing::lines_of;
using testing::of_kind;
using testing::resized;
using testing::shown;
using Kind = ExportEvent::Kind;

TEST(Asciicast, HeaderAndEveryKindOfEvent) {
  ExportEvent end = of_kind(Kind::kEnd, 3000001);
  end.exit_status = 137;
  const std::vector<ExportEvent> events = {shown(1000000, "$ "), of_kind(Kind::kInput, 1500000, "ls\r"),
                                           of_kind(Kind::kCommand, 2000000, "ls -l"),
                                           resized(2000000, 30, 100), end};
  EXPECT_EQ(
      lines_of(export_all(ExportFormat::kAsciicast2, events).main),
      (std::vector<std::string>{
          R"({"version":2,"width":80,"height":24,"timestamp":1795356309,"title":"alice@web1 from 192.0.2.7, 2026-11-22 14:05:09 UTC","env":{"TERM":"xterm","SHELL":"/bin/bash"}})",
          R"([1.000000,"o","$ "])", R"([1.500000,"i","ls\r"])", R"([2.000000,"m","ls -l"])",
          R"([2.000000,"r","100x30"])"}));
  EXPECT_EQ(
      lines_of(export_all(ExportFormat::kAsciicast3, events).main),
      (std::vector<std::string>{
          R"({"version":3,"term":{"cols":80,"rows":24,"type":"xterm"},"timestamp":1795356309,"title":"alice@web1 from 192.0.2.7, 2026-11-22 14:05:09 UTC","env":{"SHELL":"/bin/bash"}})",
          R"([1.000000,"o","$ "])", R"([0.500000,"i","ls\r"])", R"([0.500000,"m","ls -l"])",
          R"([0.000000,"r","100x30"])", R"([1.000001,"x","137"])"}));
}

TEST(Asciicast, ACharacterOfTwoRecordsComesWithTheSecond) {
  const auto lines = lines_of(
      export_all(ExportFormat::kAsciicast2, {shown(1000000, "a\xE3"), shown(2000000, "\x81"),
                                             of_kind(Kind::kCommand, 2500000, "x"), shown(3000000, "\x82z")})
          .main);
  ASSERT_EQ(lines.size(), 4U);
  EXPECT_EQ(lines[1], R"([1.000000,"o","a"])");
  EXPECT_EQ(lines[2], R"([2.500000,"m","x"])");
  EXPECT_EQ(lines[3], "[3.000000,\"o\",\"\xE3\x81\x82z\"]");
  // Input has its own.
  const auto both =
      lines_of(export_all(ExportFormat::kAsciicast3,
                          {shown(1, "\xE3"), of_kind(Kind::kInput, 2, "\x81"), shown(3, "\x81\x82")})
                   .main);
  EXPECT_EQ(both[1], "[0.000002,\"i\",\"\xEF\xBF\xBD\"]");
  EXPECT_EQ(both[2], "[0.000001,\"o\",\"\xE3\x81\x82\"]");
}

TEST(Asciicast, HostileBytesAreDataAndEveryLineIsJson) {
  for (const ExportFormat format : {ExportFormat::kAsciicast2, ExportFormat::kAsciicast3}) {
    ExportHeader header = testing::export_header();
    header.info.user = "al\x1b]0;ice\"\n";
    header.info.term = "x\xFF\"},";
    header.info.shell = "\xE2\x80\xAE";
    header.info.command = "echo \n\x07\xED\xA0\x80";
    std::vector<ExportEvent> events;
    for (const auto& piece : testing::hostile_pieces()) {
      events.push_back(shown(5, piece));
      events.push_back(of_kind(Kind::kCommand, 5, piece));
      events.push_back(of_kind(Kind::kInput, 5, piece));
    }
    const auto lines = lines_of(export_all(*make_export_writer(format), header, events).main);
    std::string output;
    for (const auto& line : lines) {
      const auto value = format::parse_json(line);
      ASSERT_TRUE(value) << line;
      for (const char c : line) EXPECT_GE(static_cast<unsigned char>(c), 0x20) << line;
      EXPECT_EQ(line.find("\xE2\x80\xAE"), std::string::npos) << line;
      EXPECT_EQ(line.find("\xC2\x9B"), std::string::npos) << line;
      if (value->kind == format::JsonValue::Kind::kArray) {
        ASSERT_EQ(value->items.size(), 3U);
        if (value->items[1].string == "o") output += value->items[2].string;
      }
    }
    EXPECT_EQ(
        output,
        "\x1b]0;evil \"\\ title\x07\xE3\x81\x82 and \xEF\xBF\xBDx"
        "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF"
        "\xBF\xBD" +
            std::string("\0\x01\x7F", 3) +
            "\xC2\x9B\xE2\x80\xAE\xE2\x80\xA8\xF3\xA0\x81\x81</span><script>alert(1)</script>&\"'\r\n]}\n"
            "[0,\"o\",\"forged\"]\n\xEF\xBF\xBD");
  }
}

TEST(Asciicast, AFloodWithoutDelaysKeepsOrderAndTimesNeverDrift) {
  std::mt19937 random(3);
  std::vector<ExportEvent> events;
  std::string all;
  std::int64_t now = 0;
  for (int i = 0; i < 20000; ++i) {
    if (i % 100 == 0) now += 1 + static_cast<std::int64_t>(random() % 333333);
    events.push_back(shown(now, std::string(1, static_cast<char>('a' + i % 26))));
    all += events.back().bytes;
  }
  const auto lines = lines_of(export_all(ExportFormat::kAsciicast3, events).main);
  ASSERT_EQ(lines.size(), events.size() + 1);
  std::int64_t sum = 0;
  std::string output;
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const std::size_t dot = lines[i].find('.');
    sum += std::stoll(lines[i].substr(1, dot - 1)) * 1000000 + std::stoll(lines[i].substr(dot + 1, 6));
    output += format::parse_json(lines[i])->items[2].string;
  }
  EXPECT_EQ(sum, now);
  EXPECT_EQ(output, all);
}

TEST(Asciicast, NothingStandsBehindTheExit) {
  ExportEvent end = of_kind(Kind::kEnd, 2);
  end.exit_status = 0;
  const auto lines = lines_of(export_all(ExportFormat::kAsciicast3, {shown(1, "\xE3"), end}).main);
  EXPECT_EQ(lines.at(1), "[0.000000,\"o\",\"\xEF\xBF\xBD\"]");
  EXPECT_EQ(lines.at(2), "[0.000002,\"x\",\"0\"]");
}

TEST(Asciicast, AnUnknownSizeAndNoEventsAreStillAFile) {
  ExportHeader header;
  AsciicastWriter writer(2);
  EXPECT_EQ(export_all(writer, header, {}).main,
            "{\"version\":2,\"width\":80,\"height\":24,\"title\":\"somebody\"}\n");
}

TEST(Asciicast, APartBeginsAtZero) {
  ExportHeader header = testing::export_header();
  header.from_us = 10000000;
  AsciicastWriter writer(2);
  const auto lines = lines_of(export_all(writer, header, {shown(10500000, "x")}).main);
  EXPECT_NE(lines[0].find("\"timestamp\":1795356319,"), std::string::npos) << lines[0];
  EXPECT_EQ(lines[1], R"([0.500000,"o","x"])");
}

}  // namespace
}  // namespace opelog::replay
