// docs/formats/recording.md is the reference: its tables and examples are compared with the code.
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <sstream>

#include "format/exec_record.h"
#include "format/json_text.h"
#include "format/recording_writer_io.h"
#include "format/session_header.h"
#include "format/timing_record.h"
#include "support_io.h"

namespace opelog::format {
namespace {

std::string page() {
  return testing::slurp(std::string(OPELOG_SOURCE_DIR) + "/docs/formats/recording.md");
}

/// Rows of the tables below a heading, cells trimmed of spaces and back quotes.
std::vector<std::vector<std::string>> table_below(const std::string& heading) {
  const std::string text = page();
  const std::size_t at = text.find("\n" + heading + "\n");
  EXPECT_NE(at, std::string::npos) << heading;
  std::istringstream lines(text.substr(at + heading.size() + 2));
  std::vector<std::vector<std::string>> rows;
  std::string line;
  while (std::getline(lines, line) && line.compare(0, 1, "#") != 0) {
    if (line.compare(0, 2, "| ") != 0) continue;
    std::vector<std::string> cells;
    std::istringstream parts(line.substr(1));
    std::string cell;
    while (std::getline(parts, cell, '|')) {
      const std::size_t begin = cell.find_first_not_of(" `");
      const std::size_t end = cell.find_last_not_of(" `");
      cells.push_back(begin == std::string::npos ? "" : cell.substr(begin, end - begin + 1));
    }
    rows.push_back(std::move(cells));
  }
  return rows;
}

/// The fenced text behind "<!-- example: NAME -->".
std::string example(const std::string& name) {
  const std::string text = page();
  const std::string mark = "<!-- example: " + name + " -->\n```\n";
  const std::size_t at = text.find(mark);
  EXPECT_NE(at, std::string::npos) << name;
  const std::size_t begin = at + mark.size();
  return text.substr(begin, text.find("```", begin) - begin);
}

TEST(FormatDocument, LimitsAreThoseOfTheCode) {
  std::map<std::string, std::string> written;
  for (const auto& row : table_below("### Limits")) {
    if (row[0] != "constant") written[row[0]] = row[1];
  }
  const std::map<std::string, std::string> real = {{"kMaxNameBytes", std::to_string(kMaxNameBytes)},
                                                   {"kMaxValueBytes", std::to_string(kMaxValueBytes)},
                                                   {"kSplitValueBytes", std::to_string(kSplitValueBytes)},
                                                   {"kMaxParts", std::to_string(kMaxParts)},
                                                   {"kMaxLineBytes", std::to_string(kMaxLineBytes)},
                                                   {"kMaxDelayUs", std::to_string(kMaxDelayUs)},
                                                   {"kMaxTimeUs", std::to_string(kMaxTimeUs)},
                                                   {"kMaxDataBytes", std::to_string(kMaxDataBytes)},
                                                   {"kMaxFieldBytes", std::to_string(kMaxFieldBytes)},
                                                   {"kMaxTextBytes", std::to_string(kMaxTextBytes)},
                                                   {"kMaxArgumentBytes", std::to_string(kMaxArgumentBytes)},
                                                   {"kMaxAncestors", std::to_string(kMaxAncestors)},
                                                   {"kTimingMergeUs", std::to_string(kTimingMergeUs)},
                                                   {"kTimingWriteUs", std::to_string(kTimingWriteUs)}};
  EXPECT_EQ(written, real);
}

TEST(FormatDocument, NamesAreThoseOfTheCode) {
  std::set<std::string> written;
  for (const auto& row : table_below("### Names")) {
    if (row[0] != "name") written.insert(row[0]);
  }
  std::set<std::string> real;
  for (const std::string_view name :
       {kStartTime,     kTerm,         kTty,          kColumns,        kLines,         kShell,
        kCommand,       kTimingLog,    kOutputLog,    kInputLog,       kDuration,      kExitCode,
        kOpelogSession, kOpelogUser,   kOpelogClient, kOpelogAncestry, kOpelogCommand, kOpelogKept,
        kOpelogPolicy,  kOpelogStream, kOpelogExec,   kOpelogExit,     kOpelogNote,    kOpelogGap,
        kOpelogRepair,  kOpelogTorn,   kOpelogEnd,    kOpelogOpened,   kOpelogSeal,    kOpelogResumed}) {
    real.emplace(name);
  }
  EXPECT_EQ(written, real);
  // None is missing from the list above either: the header is searched for its own constants.
  const std::string header = testing::slurp(std::string(OPELOG_SOURCE_DIR) + "/src/format/timing_record.h");
  std::size_t declared = 0;
  for (std::size_t at = 0; (at = header.find("constexpr std::string_view k", at)) != std::string::npos; ++at)
    ++declared;
  EXPECT_EQ(declared, real.size() + 3);  // and kTornMark, kOurPrefix, kSigwinch
}

TEST(FormatDocument, ReasonsAreThoseOfTheCode) {
  std::set<std::string> written;
  for (const auto& row : table_below("### Reasons of an end")) {
    if (row[0] == "reason") continue;
    EXPECT_TRUE(parse_end_reason(row[0])) << row[0];
    written.insert(row[0]);
  }
  for (int reason = 0; reason <= static_cast<int>(EndReason::kCrash); ++reason) {
    EXPECT_EQ(written.count(end_reason_word(static_cast<EndReason>(reason))), 1U) << reason;
  }
  EXPECT_EQ(written.size(), static_cast<std::size_t>(EndReason::kCrash) + 1);
}

TEST(FormatDocument, WordsOfWhatIsKeptAreThoseOfTheCode) {
  std::set<std::string> written;
  for (const auto& row : table_below("### What is left to the shell")) {
    if (row[0] != "word") written.insert(row[0]);
  }
  std::set<std::string> real;
  for (int kept = static_cast<int>(Kept::kTerminal); kept <= static_cast<int>(Kept::kOther); ++kept)
    real.insert(kept_word(static_cast<Kept>(kept)));
  EXPECT_EQ(written, real);
}

TEST(FormatDocument, MembersOfWhatWasExecutedAreThoseOfTheCode) {
  ExecInfo exec;
  exec.argv_cut = exec.exe_missing = exec.foreign_mounts = true;
  ExitInfo by_code;
  by_code.exit_code = 0;
  ExitInfo by_signal;
  by_signal.signal = 9;
  std::map<std::string, std::string> real;
  const auto take = [&real](const std::string& value, const std::string& of) {
    const auto json = parse_json(value);
    ASSERT_TRUE(json);
    for (const std::string& key : json->keys) {
      std::string& word = real[key];
      word = word.empty() || word == of ? of : "both";
    }
  };
  take(exec_value({0, 0, 1}, exec), "exec");
  take(exit_value({0, 0, 1}, by_code), "exit");
  take(exit_value({}, by_signal), "exit");
  std::map<std::string, std::string> written;
  for (const auto& row : table_below("### What was executed")) {
    if (row[0] != "member") written[row[0]] = row[1];
  }
  EXPECT_EQ(written, real);
}

TEST(FormatDocument, ExamplesAreWhatTheCodeWrites) {
  const SessionInfo info = testing::sample_info();
  EXPECT_EQ(example("first line"), encode_first_line(info));
  EXPECT_EQ(example("header"), encode_header(info, {"alice_20261122140509_192.0.2.7", true, true}));
  char line[kDataRecordBytes];
  std::string records(line, encode_data_record(line, 'O', 12000, 31));
  records.append(line, encode_data_record(line, 'I', 1500000, 3));
  records += encode_resize(40000, 30, 100);
  records += encode_gap(20, {"input", "the terminal did not echo", 8});
  EXPECT_EQ(example("records"), records);
  EndInfo end;
  end.exit_code = 0;
  end.bytes_out = 51;
  EXPECT_EQ(example("end"), encode_end(120, 5123456, end));
  ExecInfo exec;
  exec.pid = 4712;
  exec.parent = 4711;
  exec.uid = exec.loginuid = 1000;
  exec.audit_session = 42;
  exec.tty = "/dev/pts/4";
  exec.file = exec.exe = "/usr/bin/sudo";
  exec.cwd = "/home/alice";
  exec.argv = {"sudo", "tail", "-n", "1", "a b\nc.log"};
  exec.argc = 5;
  exec.argument_bytes = 25;
  ExitInfo exit;
  exit.pid = 4712;
  exit.parent = 4711;
  exit.exit_code = 1;
  exit.execs = 1;
  exit.duration_us = 30000;
  EXPECT_EQ(example("exec"), encode_note(0, kOpelogExec, exec_value({5120000, 4711}, exec)) +
                                 encode_note(0, kOpelogExit, exit_value({5150000, 4730}, exit)));
  SessionInfo kept;
  kept.kept = {Kept::kNot, Kept::kTerminal, Kept::kFile};
  EXPECT_NE(encode_header(kept, {}).find("\n" + example("kept")), std::string::npos);
}

}  // namespace
}  // namespace opelog::format
