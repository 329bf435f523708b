#include "format/exec_record.h"

#include <gtest/gtest.h>

#include <random>

#include "format/timing_record.h"

namespace opelog::format {
namespace {

/// The note as a reader gets it: written, split, scanned, joined. Every line is checked against the format's
/// rules.
Note through_the_file(std::string_view name, const std::string& value) {
  const std::string lines = encode_note(0, name, value);
  TimingScanner scanner;
  NoteJoiner joiner;
  TimingRecord record;
  std::optional<Note> whole;
  std::size_t begin = 0;
  for (std::size_t end; (end = lines.find('\n', begin)) != std::string::npos; begin = end + 1) {
    EXPECT_LE(end - begin, 12 + kMaxNameBytes + kMaxValueBytes);
    for (const char c : lines.substr(begin, end - begin)) EXPECT_TRUE(c >= 0x20 && c < 0x7f && c != '~');
  }
  scanner.feed(lines);
  while (scanner.next(record) == TimingScanner::Outcome::kRecord) {
    EXPECT_FALSE(whole) << "records behind the last part";
    bool taken = false;
    whole = joiner.add(std::get<HeaderRecord>(record), taken);
    EXPECT_TRUE(taken);
  }
  EXPECT_TRUE(whole);
  return whole.value_or(Note{});
}

ExecInfo round_trip(const ExecInfo& info, const ExecPlace& place = {}) {
  const auto back = decode_exec(through_the_file(kOpelogExec, exec_value(place, info)));
  EXPECT_TRUE(back);
  if (!back) return {};
  EXPECT_EQ(back->place, place);
  return back->info;
}

ExecInfo exec_of(std::vector<std::string> argv) {
  ExecInfo info;
  info.pid = 4194304;
  info.parent = 1;
  info.uid = 1000;
  info.file = info.exe = "/usr/bin/true";
  info.cwd = "/";
  info.argv = std::move(argv);
  info.argc = info.argv.size();
  for (const std::string& one : info.argv) info.argument_bytes += one.size() + 1;
  return info;
}

TEST(ExecRecord, ComesBackEqual) {
  ExecInfo info = exec_of({"ls", "-l", "", "日本語"});
  info.loginuid = 1000;
  info.audit_session = 7;
  info.tty = "/dev/pts/0";
  info.foreign_mounts = true;
  EXPECT_EQ(round_trip(info, {INT64_C(86400000000), UINT64_C(1) << 40}), info);
}

TEST(ExecRecord, HostileArgumentsAreDataAndComeBackEqual) {
  EXPECT_EQ(round_trip(exec_of({"a\nH 0.000000 OPELOG_END {\"reason\":\"exit\"}\n", "\x1b]52;c;eA==\x07"}))
                .argv.size(),
            2U);
  for (const std::string& one :
       {std::string("\n"), std::string("\xff\xfe\xc0\x80"), std::string("\xed\xb2\x80"),
        std::string("\"\\}~torn"), std::string(1, '\x7f'), std::string("\xf0\x9f\x92\xa9"),
        std::string("\xe2\x80\xae")}) {
    ExecInfo info = exec_of({one, one + one});
    info.file = info.exe = info.cwd = info.tty = "/" + one;
    EXPECT_EQ(round_trip(info), info);
  }
}

TEST(ExecRecord, EightKibibytesOfAnyBytesComeBackEqual) {
  std::mt19937 random(20261125);
  for (int round = 0; round < 20; ++round) {
    std::vector<std::string> argv(1);
    for (std::size_t i = 1; i < kMaxArgumentBytes; ++i) {
      // The worst first: every byte escaped.
      const auto byte = static_cast<char>(round == 0 ? 0xff : random() % 256);
      if (byte == 0) {
        argv.emplace_back();
      } else {
        argv.back() += byte;
      }
    }
    const ExecInfo info = exec_of(std::move(argv));
    ASSERT_EQ(info.argument_bytes, kMaxArgumentBytes);
    EXPECT_EQ(round_trip(info), info) << "round " << round;
  }
  // As many arguments as there can be.
  const ExecInfo empty = exec_of(std::vector<std::string>(kMaxArgumentBytes));
  EXPECT_EQ(round_trip(empty), empty);
}

TEST(ExecRecord, WhatIsCutSaysSoAndKeepsTheTrueLength) {
  ExecInfo info = exec_of({"echo", std::string(10000, 'x'), "last"});
  const ExecInfo back = round_trip(info);
  EXPECT_TRUE(back.argv_cut);
  EXPECT_EQ(back.argc, 3U);
  EXPECT_EQ(back.argument_bytes, 10011U);
  ASSERT_EQ(back.argv.size(), 2U);
  EXPECT_EQ(back.argv[1].size(), kMaxArgumentBytes - 5);
  // Cut in the kernel already.
  info = exec_of({"echo", "x"});
  info.argv_cut = info.cwd_cut = info.exe_cut = true;
  info.argc = 5000;
  info.argument_bytes = 2000000;
  EXPECT_EQ(round_trip(info), info);
  // A path keeps its end.
  info = exec_of({"x"});
  info.exe = "/" + std::string(kMaxFieldBytes, 'd') + "/tail";
  EXPECT_EQ(round_trip(info).exe, info.exe.substr(info.exe.size() - kMaxFieldBytes));
  EXPECT_TRUE(round_trip(info).exe_cut);
}

TEST(ExecRecord, ALastArgumentWithoutItsNulKeepsItsLength) {
  ExecInfo info = exec_of({"a", "b"});
  info.argument_bytes = 3;
  EXPECT_EQ(round_trip(info), info);
}

TEST(ExecRecord, WhatIsMissingSaysSo) {
  ExecInfo info = exec_of({});
  info.argv_missing = info.exe_missing = info.cwd_missing = true;
  EXPECT_EQ(round_trip(info), info);
}

TEST(ExecRecord, AnEndComesBackEqual) {
  ExitInfo info;
  info.pid = 12;
  info.parent = 11;
  info.execs = 3;
  info.duration_us = 123456789;
  for (const auto& [code, signal] : std::vector<std::pair<std::optional<int>, std::optional<int>>>{
           {0, std::nullopt}, {255, std::nullopt}, {std::nullopt, 9}, {std::nullopt, std::nullopt}}) {
    info.exit_code = code;
    info.signal = signal;
    const auto back = decode_exit(through_the_file(kOpelogExit, exit_value({1, 2}, info)));
    ASSERT_TRUE(back);
    EXPECT_EQ(back->info, info);
    EXPECT_EQ(back->place, (ExecPlace{1, 2}));
  }
}

TEST(ExecRecord, WhatCameBeforeTheStartSaysHowLongBefore) {
  const ExecPlace before{0, 0, 700000};
  EXPECT_EQ(decode_exec(through_the_file(kOpelogExec, exec_value(before, exec_of({"a"}))))->place, before);
  EXPECT_EQ(decode_exit(through_the_file(kOpelogExit, exit_value(before, {})))->place, before);
  const auto both = decode_exec({"OPELOG_EXEC", R"({"at_us":5,"before_us":7})", false});
  EXPECT_EQ(both->place, (ExecPlace{5, 0, 0}));
  const auto odd = decode_exec({"OPELOG_EXEC", R"({"at_us":0,"before_us":-7})", false});
  EXPECT_EQ(odd->place.before_us, 0);
}

TEST(ExecRecord, ForeignNotesAreNone) {
  EXPECT_FALSE(decode_exec({"OPELOG_EXIT", "{}", false}));
  EXPECT_FALSE(decode_exit({"OPELOG_EXEC", "{}", false}));
  EXPECT_FALSE(decode_exec({"OPELOG_EXEC", R"({"pid":1})", true}));
  EXPECT_FALSE(decode_exec({"OPELOG_EXEC", "[]", false}));
  EXPECT_FALSE(decode_exec({"OPELOG_EXEC", R"({"pid":)", false}));
  const auto odd = decode_exec(
      {"OPELOG_EXEC", R"({"pid":"x","argv":[1,"a",{}],"at_us":-5,"uid":4294967296,"cut":"argv"})", false});
  ASSERT_TRUE(odd);
  EXPECT_EQ(odd->info.argv, (std::vector<std::string>{"", "a", ""}));
  EXPECT_EQ(odd->place.at_us, 0);
  EXPECT_EQ(odd->info.uid, 0U);
  EXPECT_FALSE(odd->info.argv_cut);
  const auto exit = decode_exit({"OPELOG_EXIT", R"({"exit_code":256,"signal":-1})", false});
  ASSERT_TRUE(exit);
  EXPECT_FALSE(exit->info.exit_code || exit->info.signal);
}

}  // namespace
}  // namespace opelog::format
