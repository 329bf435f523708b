#include "format/session_header.h"

#include <gtest/gtest.h>

#include <random>

#include "support_io.h"

namespace opelog::format {
namespace {

/// Notes out of encoded lines, the way every reader gets them.
std::vector<Note> notes_of(const std::string& lines) {
  TimingScanner scanner;
  NoteJoiner joiner;
  TimingRecord record;
  std::vector<Note> notes;
  scanner.feed(lines);
  while (scanner.next(record) == TimingScanner::Outcome::kRecord) {
    for (bool taken = false; !taken;) {
      if (auto note = joiner.add(std::get<HeaderRecord>(record), taken)) notes.push_back(std::move(*note));
    }
  }
  EXPECT_EQ(scanner.problem(), "");
  EXPECT_EQ(scanner.tail(), "");
  if (auto note = joiner.drain()) notes.push_back(std::move(*note));
  return notes;
}

HeaderDecoder decode(const std::string& lines) {
  HeaderDecoder decoder;
  for (const Note& note : notes_of(lines)) EXPECT_TRUE(decoder.take(note)) << note.name;
  return decoder;
}

std::string hostile(std::mt19937& random, std::size_t longest) {
  static const std::string kNasty[] = {"\n",
                                       "\r\n",
                                       "\"",
                                       "]",
                                       "\\",
                                       "\x1b]52;c;x\x07",
                                       "~torn",
                                       " ",
                                       "O 0.1 5\n",
                                       "\xff\xfe",
                                       std::string(1, '\0'),
                                       "\xe2\x80\xae",
                                       "H 0.000000 OPELOG_END x\n",
                                       ":1/2",
                                       "{}",
                                       "\xf0\x9f\x98\x80"};
  std::string text;
  while (text.size() < random() % (longest + 1)) {
    text += random() % 2 == 0 ? kNasty[random() % std::size(kNasty)]
                              : std::string(1, static_cast<char>(random() % 256));
  }
  return text;
}

TEST(SessionHeader, ReadsBackWhatItWrote) {
  const SessionInfo info = testing::sample_info();
  const HeaderDecoder decoder = decode(encode_header(info, {"base", true, false}));
  EXPECT_EQ(decoder.info, info);
  EXPECT_TRUE(decoder.native);
  EXPECT_TRUE(decoder.append_only);
  EXPECT_EQ(decoder.output_log, "base.log");
  EXPECT_EQ(decoder.input_log, "");
}

TEST(SessionHeader, DefaultsReadBackToo) {
  const HeaderDecoder decoder = decode(encode_header(SessionInfo{}, {"b", false, true}));
  EXPECT_EQ(decoder.info, SessionInfo{});
  EXPECT_FALSE(decoder.append_only);
  EXPECT_EQ(decoder.input_log, "b.in");
}

TEST(SessionHeader, HostileStringsComeBackByteForByteAndAddNoLines) {
  std::mt19937 random(20261122);
  for (int round = 0; round < 300; ++round) {
    SessionInfo info = testing::sample_info();
    for (std::string* field : {&info.id, &info.host, &info.user, &info.client, &info.how, &info.tty,
                               &info.inner_tty, &info.term, &info.shell, &info.rule, &info.policy_digest}) {
      *field = hostile(random, 60);
    }
    info.ancestry = {{-1, 0xffffffff, hostile(random, 300)}, {1, 0, hostile(random, 10)}};
    if (random() % 2 == 0) info.command = hostile(random, 4000);
    if (random() % 2 == 0) info.original = hostile(random, 4000);
    info.terminal = random() % 2 == 0;
    info.records_input = random() % 2 == 0;
    info.client_claimed = random() % 2 == 0;
    for (Kept& kept : info.kept) kept = static_cast<Kept>(random() % 5);
    const std::string lines = encode_header(info, {"b", true, true});
    ASSERT_EQ(decode(lines).info, info);
    for (const char c : lines) ASSERT_TRUE(c == '\n' || static_cast<unsigned char>(c) >= 0x20) << round;
    ASSERT_EQ(lines.compare(0, 26, "H 0.000000 OPELOG_SESSION "), 0);
  }
}

TEST(SessionHeader, WhatIsLeftToTheShellIsStatedAndNothingElseIs) {
  const HeaderFacts facts{"b", true, false};
  SessionInfo info = testing::sample_info();
  const std::string ordinary = encode_header(info, facts);
  EXPECT_EQ(ordinary.find("OPELOG_KEPT"), std::string::npos);
  info.kept = {Kept::kDevice, Kept::kNot, Kept::kOther};
  const std::string line = "H 0.000000 OPELOG_KEPT {\"stdin\":\"device\",\"stderr\":\"other\"}\n";
  std::string lines = encode_header(info, facts);
  ASSERT_NE(lines.find(line), std::string::npos) << lines;
  EXPECT_EQ(lines.erase(lines.find(line), line.size()), ordinary);
  // Words of a later version, and what is no word at all.
  const HeaderDecoder decoder =
      decode("H 0.000000 OPELOG_KEPT {\"stdin\":\"teapot\",\"stdout\":7,\"stdlog\":\"file\"}\n");
  EXPECT_EQ(decoder.info.kept, (std::array<Kept, 3>{Kept::kOther, Kept::kOther, Kept::kNot}));
}

TEST(SessionHeader, CommandsAsLongAsTheKernelTakesComeBackWhole) {
  SessionInfo info = testing::sample_info();
  info.command = std::string(kMaxTextBytes, '\n');
  EXPECT_EQ(decode(encode_header(info, {"b", true, false})).info, info);
}

TEST(SessionHeader, LongerStringsAreCutAndTheNoteSaysWhich) {
  SessionInfo info = testing::sample_info();
  info.rule = std::string(kMaxFieldBytes + 1, 'r');
  const std::string lines = encode_header(info, {"b", true, false});
  EXPECT_EQ(decode(lines).info.rule.size(), kMaxFieldBytes);
  bool said = false;
  for (const Note& note : notes_of(lines)) {
    said = said || (note.name == kOpelogPolicy && note.value.find(R"("cut":["rule"])") != std::string::npos);
  }
  EXPECT_TRUE(said);
}

TEST(SessionHeader, FirstLineIsWrittenAsScriptWritesIt) {
  SessionInfo info = testing::sample_info();
  info.term = "xterm";
  info.inner_tty = "/dev/pts/0";
  info.started = 1795365942000000;
  EXPECT_EQ(encode_first_line(info),
            "Script started on 2026-11-22 16:45:42+00:00 [TERM=\"xterm\" TTY=\"/dev/pts/0\" "
            "COLUMNS=\"80\" LINES=\"24\"]\n");
  info.command = "echo hi; exit 3";
  EXPECT_EQ(encode_first_line(info),
            "Script started on 2026-11-22 16:45:42+00:00 [COMMAND=\"echo hi; exit 3\" "
            "TERM=\"xterm\" TTY=\"/dev/pts/0\" COLUMNS=\"80\" LINES=\"24\"]\n");
  info.command.reset();
  info.terminal = false;
  EXPECT_EQ(encode_first_line(info),
            "Script started on 2026-11-22 16:45:42+00:00 [<not executed on terminal>]\n");
}

TEST(SessionHeader, HostileTermAndCommandStayOneQuotedLine) {
  SessionInfo info = testing::sample_info();
  info.term = "x\"] \nScript started on 1999 [\x1b[2J";
  info.command = std::string(100000, '"') + "\n";
  const std::string line = encode_first_line(info);
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
  EXPECT_EQ(std::count(line.begin(), line.end(), '"'), 10);
  EXPECT_EQ(line.find('\x1b'), std::string::npos);
  EXPECT_LT(line.size(), 3000U);
}

TEST(SessionHeader, EndsAndGapsReadBack) {
  for (const auto& [code, signal] :
       {std::pair<std::optional<int>, std::optional<int>>{0, {}}, {37, {}}, {{}, 9}, {{}, {}}}) {
    for (const EndReason reason :
         {EndReason::kExit, EndReason::kHangup, EndReason::kKilled, EndReason::kShim, EndReason::kFailure,
          EndReason::kShutdown, EndReason::kLimit, EndReason::kIdle, EndReason::kCrash}) {
      EndInfo end;
      end.reason = reason;
      end.exit_code = code;
      end.signal = signal;
      end.bytes_out = 0xffffffffffffffff;
      end.bytes_err = 5;
      end.bytes_in = 6;
      const auto notes = notes_of(encode_end(12, 507956, end));
      ASSERT_FALSE(notes.empty());
      const auto read = decode_end(notes.back());
      ASSERT_TRUE(read);
      EXPECT_EQ(read->info, end);
      EXPECT_EQ(read->duration_us, 507956);
      EXPECT_EQ(notes[0].name, kDuration);
      EXPECT_EQ(notes[0].value, "0.507956");
      if (code || signal) {
        EXPECT_EQ(notes[1].value, std::to_string(code ? *code : 128 + *signal));
      }
    }
  }
  const GapInfo gap{"output", "the disk was full: \"\n~torn", 77};
  const auto notes = notes_of(encode_gap(5, gap));
  ASSERT_EQ(notes.size(), 1U);
  EXPECT_EQ(decode_gap(notes[0]), gap);
}

TEST(SessionHeader, AnyJsonInOurNotesIsTakenWithoutHarm) {
  HeaderDecoder decoder;
  for (const char* json : {"", "x", "[]", "{}", "{\"id\":5}", "{\"id\":\"a\",\"rows\":99999999999999999999}",
                           "{\"started_us\":-1.5}", "{\"uid\":4294967296}", "{\"port\":65536}",
                           "{\"ancestors\":5}", "{\"ancestors\":[1,{}]}", "{\"terminal\":\"yes\"}"}) {
    for (const std::string_view name :
         {kOpelogSession, kOpelogUser, kOpelogClient, kOpelogAncestry, kOpelogKept, kOpelogPolicy}) {
      EXPECT_TRUE(decoder.take(Note{std::string(name), json, false}));
    }
  }
  EXPECT_EQ(decoder.info.uid, 0U);
  EXPECT_EQ(decoder.info.client_port, 0);
}

TEST(NoteJoiner, PartsOutOfOrderComeOutTorn) {
  const auto torn = [](const std::vector<std::string>& names) {
    NoteJoiner joiner;
    std::vector<std::pair<std::string, bool>> out;
    for (const std::string& name : names) {
      for (bool taken = false; !taken;) {
        if (auto note = joiner.add(HeaderRecord{0, name, "v"}, taken))
          out.emplace_back(note->name + "=" + note->value, note->torn);
      }
    }
    if (auto note = joiner.drain()) out.emplace_back(note->name + "=" + note->value, note->torn);
    return out;
  };
  using Pairs = std::vector<std::pair<std::string, bool>>;
  EXPECT_EQ(torn({"A:1/2", "A:2/2"}), (Pairs{{"A=vv", false}}));
  EXPECT_EQ(torn({"A:1/2", "B"}), (Pairs{{"A=v", true}, {"B=v", false}}));
  EXPECT_EQ(torn({"A:2/2"}), (Pairs{{"A=v", true}}));
  EXPECT_EQ(torn({"A:1/3", "A:1/3"}), (Pairs{{"A=v", true}, {"A=v", true}}));
  EXPECT_EQ(torn({"A:1/3", "A:2/2"}), (Pairs{{"A=v", true}, {"A=v", true}}));
  EXPECT_EQ(torn({"A:1/3"}), (Pairs{{"A=v", true}}));
  EXPECT_EQ(torn({"A:0/1", "A:2/1", "A:1/9999", ":1/1"}),
            (Pairs{{"A:0/1=v", false}, {"A:2/1=v", false}, {"A:1/9999=v", false}, {":1/1=v", false}}));
}

TEST(StartTime, IsReadWithItsZone) {
  EXPECT_EQ(parse_start_time("1970-01-01 00:00:00+00:00"), 0);
  EXPECT_EQ(parse_start_time("2026-11-22 16:45:42+00:00"), 1795365942000000);
  EXPECT_EQ(parse_start_time("2026-11-22T17:45:42+01:00"), 1795365942000000);
  EXPECT_EQ(parse_start_time("2024-02-29 23:59:59-05:30"), 1709270999000000);
  for (const char* text : {"", "2026-11-22", "2026-13-22 16:45:42+00:00", "2026-11-22 16:45:42 00:00",
                           "aaaa-11-22 16:45:42+00:00"}) {
    EXPECT_FALSE(parse_start_time(text)) << text;
  }
}

}  // namespace
}  // namespace opelog::format
