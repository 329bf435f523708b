#include "format/timing_record.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace opelog::format {
namespace {

using Outcome = TimingScanner::Outcome;

std::string data_line(char letter, std::int64_t delay, std::uint64_t size) {
  char line[kDataRecordBytes];
  return std::string(line, encode_data_record(line, letter, delay, size));
}

struct Scanned {
  std::vector<TimingRecord> records;
  Outcome outcome = Outcome::kNeedMore;
  std::string tail, problem;
  std::uint64_t offset = 0;
  bool operator==(const Scanned&) const = default;
};

/// Feeds `bytes` in pieces of `step` and collects what comes out.
Scanned scan(std::string_view bytes, std::size_t step) {
  TimingScanner scanner;
  Scanned scanned;
  TimingRecord record;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    scanner.feed(bytes.substr(at, step));
    while ((scanned.outcome = scanner.next(record)) == Outcome::kRecord) scanned.records.push_back(record);
    if (scanned.outcome == Outcome::kCorrupt) break;
  }
  scanned.tail = scanner.tail();
  scanned.problem = scanner.problem();
  scanned.offset = scanner.offset();
  return scanned;
}

TEST(TimingRecord, DataLinesHaveExactlySixDecimals) {
  EXPECT_EQ(data_line('O', 0, 1), "O 0.000000 1\n");
  EXPECT_EQ(data_line('O', 1, 17), "O 0.000001 17\n");
  EXPECT_EQ(data_line('I', 1234567, 300000), "I 1.234567 300000\n");
  EXPECT_EQ(data_line('O', 86400 * 1000000LL + 42, 4095), "O 86400.000042 4095\n");
}

TEST(TimingRecord, LongestDataLineFitsItsBufferAndBadDelaysAreClamped) {
  EXPECT_EQ(data_line('O', kMaxDelayUs * 2, kMaxDataBytes), "O 1000000000.000000 9223372036854775807\n");
  EXPECT_EQ(data_line('O', -5, 1), "O 0.000000 1\n");
}

TEST(TimingRecord, ResizeReadsBack) {
  EXPECT_EQ(encode_resize(55554, 30, 100), "S 0.055554 SIGWINCH ROWS=30 COLS=100\n");
  const Scanned scanned = scan(encode_resize(55554, 30, 100), 7);
  ASSERT_EQ(scanned.records.size(), 1U);
  const auto& signal = std::get<SignalRecord>(scanned.records[0]);
  int rows = 0;
  int cols = 0;
  EXPECT_TRUE(parse_window_size(signal.value, rows, cols));
  EXPECT_EQ(rows, 30);
  EXPECT_EQ(cols, 100);
}

TEST(TimingRecord, WindowSizesThatAreNoneAreRefused) {
  int rows = 7;
  int cols = 7;
  for (const char* text :
       {"", "ROWS=30", "ROWS=30 COLS=", "ROWS=0 COLS=1", "ROWS=-1 COLS=1", "ROWS=1 COLS=65536",
        "ROWS=1 COLS=1 ", "ROWS=30 COLS=1 ~torn", "COLS=1 ROWS=1", "ROWS=99999999999 COLS=1"}) {
    EXPECT_FALSE(parse_window_size(text, rows, cols)) << text;
  }
  EXPECT_EQ(rows, 7);
  EXPECT_EQ(cols, 7);
}

TEST(TimingRecord, LinesThatAreNoRecordsNameWhatIsWrong) {
  for (const char* line : {"",
                           "O",
                           "O ",
                           "O 0",
                           "O 0.",
                           "O 0.00000 1",
                           "O 0.0000000 1",
                           "O 0.000000",
                           "O 0.000000 ",
                           "O 0.000000 0",
                           "O 0.000000 -1",
                           "O 0.000000 1 ",
                           "O 0.000000 1x",
                           "O 0.000000  1",
                           "O -0.000001 1",
                           "O nan 1",
                           "O inf 1",
                           "O 1e5 1",
                           "O 0,000000 1",
                           "O 0.000000 9223372036854775808",
                           "O 0.000000 99999999999999999999999",
                           "O 1000000001.000000 1",
                           "O 99999999999999999999.000000 1",
                           "X 0.000000 1",
                           "o 0.000000 1",
                           " O 0.000000 1",
                           "O\t0.000000 1",
                           "H 0.000000",
                           "H 0.000000 ",
                           "H 0.000000  v",
                           "S 0.000000 ",
                           "H 0.000000 A\x01 v",
                           "\xff"}) {
    TimingRecord record;
    EXPECT_NE(parse_timing_line(line, false, record), "") << line;
  }
  for (const char* line : {"0.1", "0.1 ", "1 1", "0.1 x", "0.1 1 1", "-0.1 1", "O 0.1 1", ".1 1", "0. 1"}) {
    TimingRecord record;
    EXPECT_NE(parse_timing_line(line, true, record), "") << line;
  }
}

TEST(TimingRecord, NamesUpToTheirLimitAndNoLonger) {
  TimingRecord record;
  EXPECT_EQ(parse_timing_line("H 0.000000 " + std::string(kMaxNameBytes, 'N') + " v", false, record), "");
  EXPECT_NE(parse_timing_line("H 0.000000 " + std::string(kMaxNameBytes + 1, 'N') + " v", false, record), "");
}

TEST(TimingRecord, ClassicLinesTakeAnyDecimalsAndADecimalComma) {
  const Scanned scanned = scan("0.5 3\n1,25 4\n0.123456789 5\n0.000000 0\n", 3);
  EXPECT_EQ(scanned.outcome, Outcome::kNeedMore);
  const std::vector<TimingRecord> expected = {OutputRecord{500000, 3}, OutputRecord{1250000, 4},
                                              OutputRecord{123456, 5}, OutputRecord{0, 0}};
  EXPECT_EQ(scanned.records, expected);
}

TEST(TimingRecord, NotesAreOneShortAsciiLineEachWhateverTheValue) {
  std::mt19937 random(20261122);
  for (int round = 0; round < 300; ++round) {
    std::string value(random() % 5000, '\0');
    for (char& c : value) c = static_cast<char>(random() % 4 == 0 ? random() % 256 : 32 + random() % 95);
    const std::string lines = encode_note(7, round % 2 == 0 ? "OPELOG_NOTE" : "bad name\n\x01", value);
    const Scanned scanned = scan(lines, 4096);
    ASSERT_EQ(scanned.outcome, Outcome::kNeedMore) << scanned.problem;
    ASSERT_EQ(scanned.tail, "");
    ASSERT_FALSE(scanned.records.empty());
    ASSERT_EQ(delay_of(scanned.records.front()), 7);
    for (std::size_t i = 0; i < scanned.records.size(); ++i) {
      const auto& header = std::get<HeaderRecord>(scanned.records[i]);
      ASSERT_LE(header.name.size(), kMaxNameBytes);
      ASSERT_LE(header.value.size(), kMaxValueBytes);
      ASSERT_FALSE(header.value.empty());
      if (i > 0) {
        ASSERT_EQ(header.delay_us, 0);
      }
      for (const char c : header.name + header.value)
        ASSERT_TRUE(c >= 0x20 && c < 0x7e) << static_cast<int>(c);
    }
  }
}

TEST(TimingRecord, NotesBeyondTheirPartsAreCutAndSaySo) {
  const std::string lines = encode_note(0, "OPELOG_NOTE", std::string(2000000, 'x'));
  const Scanned scanned = scan(lines, 65536);
  ASSERT_EQ(scanned.records.size(), kMaxParts);
  const auto& last = std::get<HeaderRecord>(scanned.records.back());
  EXPECT_EQ(last.name, "OPELOG_NOTE:1024/1024");
  EXPECT_EQ(last.value.substr(last.value.size() - 5), kTornMark);
  EXPECT_LE(last.value.size(), kMaxValueBytes);
}

TEST(TimingRecord, TextHeadersArePrintableAndWithinTheirLimit) {
  for (const std::string& text : {std::string("plain"), std::string("new\nline \x1b[31m \x7f ~torn"),
                                  std::string(5000, 'x'), std::string(5000, '\n'), [] {
                                    std::string s;
                                    for (int i = 0; i < 3000; ++i) s += "\xc3\xa9";
                                    return s;
                                  }()}) {
    const std::string line = encode_text_header("COMMAND", text);
    const Scanned scanned = scan(line, 4096);
    ASSERT_EQ(scanned.records.size(), 1U) << scanned.problem;
    const auto& header = std::get<HeaderRecord>(scanned.records[0]);
    EXPECT_LE(header.value.size(), kMaxValueBytes);
    EXPECT_EQ(header.value.find('~'), std::string::npos);
    for (const char c : header.value) EXPECT_FALSE(static_cast<unsigned char>(c) < 0x20 || c == 0x7f);
  }
}

TEST(TimingScanner, PiecesOfAnySizeGiveTheSame) {
  std::string file = encode_note(0, "OPELOG_NOTE", std::string(3000, 'y'));
  for (int i = 1; i < 200; ++i)
    file += data_line(i % 3 == 0 ? 'I' : 'O', i * 977, static_cast<std::uint64_t>(i));
  file += "O 0.00";
  const Scanned whole = scan(file, file.size());
  EXPECT_EQ(whole.outcome, Outcome::kNeedMore);
  EXPECT_EQ(whole.tail, "O 0.00");
  EXPECT_EQ(whole.records.size(), 199U + 4U);
  for (const std::size_t step : {1U, 2U, 3U, 17U, 999U, 4096U}) EXPECT_EQ(scan(file, step), whole) << step;
}

TEST(TimingScanner, TornTailIsKeptAndNotTakenForARecord) {
  const Scanned scanned = scan("O 0.000001 5\nO 0.000001 5", 100);
  EXPECT_EQ(scanned.records.size(), 1U);
  EXPECT_EQ(scanned.outcome, Outcome::kNeedMore);
  EXPECT_EQ(scanned.tail, "O 0.000001 5");
  EXPECT_EQ(scanned.offset, 13U);
}

TEST(TimingScanner, CorruptIsStickyAndSaysWhere) {
  TimingScanner scanner;
  scanner.feed("O 0.000001 5\nQ\nO 0.000001 5\n");
  TimingRecord record;
  EXPECT_EQ(scanner.next(record), Outcome::kRecord);
  EXPECT_EQ(scanner.next(record), Outcome::kCorrupt);
  EXPECT_EQ(scanner.offset(), 13U);
  EXPECT_FALSE(scanner.problem().empty());
  scanner.feed("O 0.000001 5\n");
  EXPECT_EQ(scanner.next(record), Outcome::kCorrupt);
}

TEST(TimingScanner, LinesLongerThanTheLimitAreCorruptWithoutBeingKept) {
  TimingScanner scanner;
  TimingRecord record;
  const std::string piece(1000, 'x');
  Outcome outcome = Outcome::kNeedMore;
  std::size_t fed = 0;
  while (outcome == Outcome::kNeedMore && fed < 10 * kMaxLineBytes) {
    scanner.feed(piece);
    fed += piece.size();
    outcome = scanner.next(record);
  }
  EXPECT_EQ(outcome, Outcome::kCorrupt);
  EXPECT_LE(fed, kMaxLineBytes + 2 * piece.size());
}

TEST(TornLine, EveryPrefixOfEveryRecordBecomesAValidRecordOfTheSameKind) {
  const std::vector<std::string> lines = {
      data_line('O', 1234567890, 4095),
      data_line('I', 17, 3),
      data_line('O', 0, 1),
      encode_resize(99, 24, 80),
      encode_note(0, "OPELOG_END", R"({"reason":"exit","exit_code":0})"),
      encode_note(0, "OPELOG_NOTE", "text with a ~torn mark and \n newline"),
      encode_note(5, "OPELOG_NOTE", ""),
      encode_text_header("START_TIME", "2026-11-22 17:06:26+00:00")};
  for (const std::string& line : lines) {
    for (std::size_t length = 1; length < line.size(); ++length) {
      const std::string tail = line.substr(0, length);
      std::string suffix;
      ASSERT_TRUE(complete_torn_line(tail, 77, 5, suffix)) << tail;
      ASSERT_EQ(suffix.back(), '\n');
      const std::string whole = tail + suffix.substr(0, suffix.size() - 1);
      TimingRecord record;
      ASSERT_EQ(parse_timing_line(whole, false, record), "") << whole;
      ASSERT_EQ(record.index(), std::string_view("OISH").find(line[0])) << whole;
      if (const auto* header = std::get_if<HeaderRecord>(&record)) {
        ASSERT_LE(header->value.size(), kMaxValueBytes);
        // Never passed off as what it was going to be, unless all of it was there.
        const bool complete = whole + "\n" == line;
        const bool marked = header->value.size() >= kTornMark.size() &&
                            header->value.substr(header->value.size() - kTornMark.size()) == kTornMark;
        ASSERT_NE(complete, marked) << whole;
      }
    }
  }
}

TEST(TornLine, SizesTakeTheBytesThatAreThere) {
  std::string suffix;
  EXPECT_TRUE(complete_torn_line("O 0.0012", 300, 0, suffix));
  EXPECT_EQ(suffix, "00 300\n");
  EXPECT_TRUE(complete_torn_line("O 0.000001 5", 52, 0, suffix));
  EXPECT_EQ(suffix, "2\n");
  EXPECT_TRUE(complete_torn_line("O 0.000001 5", 73, 0, suffix));
  EXPECT_EQ(suffix, "\n");
  EXPECT_TRUE(complete_torn_line("I 0.000001 ", 73, 9, suffix));
  EXPECT_EQ(suffix, "9\n");
  EXPECT_TRUE(complete_torn_line("O", 0, 0, suffix));
  EXPECT_EQ(suffix, " 0.000000 1\n");  // never a record of no bytes
}

TEST(TornLine, WhatIsNoBeginningOfARecordIsNotCompleted) {
  std::string suffix;
  for (const char* tail : {"x", "O0", "O x", "O 0.0000001", "O 0.x", "O 0.000001 0", "O 0.000001 5x",
                           "H 0.000000  ", "O 99999999999.0", "\x00"}) {
    if (*tail == '\0') continue;
    EXPECT_FALSE(complete_torn_line(tail, 5, 5, suffix)) << tail;
  }
}

}  // namespace
}  // namespace opelog::format
