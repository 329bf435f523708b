#include "replay/export_tlog.h"

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

// What a reader of the documented format makes of the messages.
struct TlogRead {
  std::string output, input;
  std::vector<std::string> windows;
  std::int64_t end_ms = 0;
};

std::string take_characters(const std::string& text, std::size_t& at, std::uint64_t count) {
  const std::size_t begin = at;
  for (; count > 0; --count) {
    ++at;
    while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U) ++at;
  }
  return text.substr(begin, at - begin);
}

void read_tlog_message(const std::string& line, TlogRead& read) {
  const auto value = format::parse_json(line);
  ASSERT_TRUE(value) << line;
  EXPECT_EQ(value->text_or("ver", ""), "2.3");
  ASSERT_NE(value->find("time"), nullptr);
  std::int64_t now = value->number_or("pos", -1);
  ASSERT_GE(now, read.end_ms);
  const std::string timing = value->text_or("timing", "");
  const std::string texts[2] = {value->text_or("out_txt", ""), value->text_or("in_txt", "")};
  const format::JsonValue* bytes[2] = {value->find("out_bin"), value->find("in_bin")};
  ASSERT_TRUE(bytes[0] != nullptr && bytes[1] != nullptr);
  std::size_t text_at[2] = {0, 0}, byte_at[2] = {0, 0}, i = 0;
  const auto number = [&] {
    std::size_t used = 0;
    const auto n = std::stoull(timing.substr(i), &used);
    i += used;
    return n;
  };
  while (i < timing.size()) {
    const char mark = timing[i++];
    const auto first = number();
    const std::size_t s = mark == '<' || mark == '[' ? 1 : 0;
    std::string& to = s == 1 ? read.input : read.output;
    if (mark == '+') {
      ASSERT_GT(first, 0U);
      now += static_cast<std::int64_t>(first);
    } else if (mark == '=') {
      ASSERT_EQ(timing[i++], 'x');
      read.windows.push_back(std::to_string(first) + "x" + std::to_string(number()));
    } else if (mark == '>' || mark == '<') {
      to += take_characters(texts[s], text_at[s], first);
    } else {
      ASSERT_TRUE(mark == ']' || mark == '[') << timing;
      ASSERT_EQ(timing[i++], '/');
      for (std::uint64_t n = number(); n > 0; --n)
        to += static_cast<char>(bytes[s]->items.at(byte_at[s]++).magnitude);
      const std::string marks = take_characters(texts[s], text_at[s], first);
      EXPECT_EQ(marks.size(), 3 * first);
    }
  }
  for (std::size_t s = 0; s < 2; ++s) {
    EXPECT_EQ(text_at[s], texts[s].size()) << line;
    EXPECT_EQ(byte_at[s], bytes[s]->items.size()) << line;
  }
  read.end_ms = now;
}

TlogRead read_tlog(const std::vector<ExportEvent>& events) {
  TlogRead read;
  std::uint64_t id = 0;
  for (const auto& line : lines_of(export_all(ExportFormat::kTlog, events).main)) {
    read_tlog_message(line, read);
    EXPECT_EQ(format::parse_json(line)->number_u_or("id", 0), ++id);
    EXPECT_LT(line.size(), 2 * kTlogPayload + 500);
  }
  return read;
}

TEST(Tlog, OneMessageAsTheFormatSays) {
  EXPECT_EQ(export_all(ExportFormat::kTlog, {shown(1500, "$ "), of_kind(ExportEvent::Kind::kInput, 3000, "l"),
                                             shown(3999, "l\xFFz"), resized(5000000, 30, 100)})
                .main,
            "{\"ver\":\"2.3\",\"host\":\"web1\",\"rec\":\"0123456789abcdef\",\"user\":\"alice\",\"term\":"
            "\"xterm\",\"session\":42,\"id\":1,\"pos\":0,\"time\":1795356309.123,"
            "\"timing\":\"=80x24+1>2+2<1>1]1/1>1+4997=100x30\",\"in_txt\":\"l\",\"in_bin\":[],"
            "\"out_txt\":\"$ l\xEF\xBF\xBDz\",\"out_bin\":[255]}\n");
}

TEST(Tlog, HostileBytesComeBackExactly) {
  std::vector<ExportEvent> events;
  std::string all;
  for (const auto& piece : testing::hostile_pieces()) {
    all += piece;
    events.push_back(shown(0, piece));
    events.push_back(of_kind(ExportEvent::Kind::kInput, 0, piece));
  }
  const TlogRead read = read_tlog(events);
  EXPECT_EQ(read.output, all);
  EXPECT_EQ(read.input, all);
}

TEST(Tlog, NoiseOverManyMessagesComesBackExactlyAndOnTime) {
  std::mt19937 random(17);
  std::vector<ExportEvent> events;
  std::string out, in;
  std::int64_t now = 0;
  for (int i = 0; i < 3000; ++i) {
    now += static_cast<std::int64_t>(random() % 3000);
    std::string bytes(1 + random() % (i % 100 == 0 ? 9000 : 40), '\0');
    for (char& c : bytes) c = static_cast<char>(i % 3 == 0 ? 'a' + random() % 26 : random());
    if (random() % 8 == 0) {
      in += bytes;
      events.push_back(of_kind(ExportEvent::Kind::kInput, now, bytes));
    } else if (random() % 50 == 0) {
      events.push_back(
          resized(now, 1 + static_cast<int>(random() % 300), 1 + static_cast<int>(random() % 300)));
    } else {
      out += bytes;
      events.push_back(shown(now, bytes));
    }
  }
  events.push_back(resized(now, 1, 1));
  const TlogRead read = read_tlog(events);
  EXPECT_TRUE(read.output == out);
  EXPECT_TRUE(read.input == in);
  EXPECT_EQ(read.end_ms, now / 1000);
  EXPECT_EQ(read.windows.front(), "80x24");
  EXPECT_EQ(read.windows.back(), "1x1");
}

TEST(Tlog, HostileNamesStayNames) {
  ExportHeader header = testing::export_header();
  header.info.user = "a\",\"id\":0,\"x\":\"\n";
  header.info.audit_session = 0;
  TlogWriter writer;
  const auto value = format::parse_json(lines_of(export_all(writer, header, {}).main).at(0));
  ASSERT_TRUE(value);
  EXPECT_EQ(value->text_or("user", ""), "a\",\"id\":0,\"x\":\"\\x0a");
  EXPECT_EQ(value->number_or("session", 0), 4294967295);
  EXPECT_EQ(value->number_or("id", 0), 1);
}

}  // namespace
}  // namespace opelog::replay
