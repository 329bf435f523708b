#include "record/exec_log_io.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <fstream>
#include <sstream>

#include "format/session_header.h"
#include "probe.h"

namespace opelog::record {
namespace {

using namespace test;

bool exec_log_disk_full = false;
std::ptrdiff_t write_or_fail(int fd, const void* data, std::size_t size) {
  if (exec_log_disk_full) {
    errno = ENOSPC;
    return -1;
  }
  return ::write(fd, data, size);
}

class ExecLogTest : public ::testing::Test {
 protected:
  ExecLogTest() : directory_(::open(scratch_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    exec_log_disk_full = false;
    format::WriterOptions options;
    options.directory = directory_.get();
    options.name = "s";
    options.append_only = AppendOnly::kOff;
    options.write = write_or_fail;
    auto created = format::RecordingWriter::create(options, {}, kBegin);
    EXPECT_TRUE(created) << created.error().message;
    writer_ = std::move(*created);
  }
  static ProcessEvent exec(MonoUs when, const std::string& word) {
    format::ExecInfo info;
    info.pid = 10;
    info.argv = {word};
    info.argc = 1;
    info.argument_bytes = word.size() + 1;
    return {1, when, info};
  }
  /// What a reader finds: the notes of what was executed and of what is missing, in order.
  std::vector<format::Note> notes() {
    std::ifstream file(scratch_ / "s.time");
    std::stringstream text;
    text << file.rdbuf();
    format::TimingScanner scanner;
    scanner.feed(text.str());
    format::NoteJoiner joiner;
    format::TimingRecord record;
    std::vector<format::Note> found;
    while (scanner.next(record) == format::TimingScanner::Outcome::kRecord) {
      const auto* header = std::get_if<format::HeaderRecord>(&record);
      bool taken = false;
      if (header == nullptr) continue;
      const auto note = joiner.add(*header, taken);
      if (note && (note->name == "OPELOG_EXEC" || note->name == "OPELOG_EXIT" || note->name == "OPELOG_GAP"))
        found.push_back(*note);
    }
    return found;
  }

  static constexpr MonoUs kBegin = 1000000;
  ScratchDirectory scratch_;
  Fd directory_;
  std::unique_ptr<format::RecordingWriter> writer_;
};

TEST_F(ExecLogTest, SaysWhenAndWhereAndNotWhenItWasTold) {
  ExecLog log(*writer_);
  ASSERT_TRUE(writer_->output("12345", kBegin + 10000));
  log.output(kBegin + 10000);
  ASSERT_TRUE(writer_->output("678", kBegin + 60000));
  log.output(kBegin + 60000);
  log.take(exec(kBegin + 20000, "first"), kBegin + 70000);
  format::ExitInfo end;
  end.pid = 10;
  end.exit_code = 3;
  log.take({1, kBegin + 65000, end}, kBegin + 70000);
  log.take(exec(kBegin - 5, "before"), kBegin + 70000);
  const auto found = notes();
  ASSERT_EQ(found.size(), 3U);
  const auto first = format::decode_exec(found[0]);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->place, (format::ExecPlace{20000, 5}));
  EXPECT_EQ(first->info.argv, (std::vector<std::string>{"first"}));
  const auto exit = format::decode_exit(found[1]);
  ASSERT_TRUE(exit);
  EXPECT_EQ(exit->place, (format::ExecPlace{65000, 8}));
  EXPECT_EQ(exit->info.exit_code, 3);
  EXPECT_EQ(format::decode_exec(found[2])->place, (format::ExecPlace{0, 0, 5}));
  EXPECT_EQ(log.written(), 3U);
}

TEST_F(ExecLogTest, WhatTheRecordRefusesIsStatedWhenItTakesSomethingAgain) {
  ExecLog log(*writer_);
  exec_log_disk_full = true;
  for (int i = 0; i < 3; ++i) log.take(exec(kBegin + 1, "refused"), kBegin + 2);
  log.lost(2, "the ring was full", kBegin + 2);
  exec_log_disk_full = false;
  log.take(exec(kBegin + 3, "taken"), kBegin + 500000);
  log.end(kBegin + 500001);
  const auto found = notes();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_TRUE(format::decode_exec(found[0]));
  const auto gap = format::decode_gap(found[1]);
  ASSERT_TRUE(gap);
  EXPECT_EQ(gap->what, "exec");
  EXPECT_EQ(gap->count, 5U);
}

TEST_F(ExecLogTest, ALossIsStatedAtOnceAndAtTheLatestAtTheEnd) {
  ExecLog log(*writer_);
  log.lost(7, "the ring was full", kBegin + 1);
  EXPECT_EQ(format::decode_gap(notes().at(0))->count, 7U);
  log.lost(0, "the socket was full", kBegin + 2);
  EXPECT_NE(format::decode_gap(notes().at(1))->why.find("nobody knows"), std::string::npos);
  exec_log_disk_full = true;
  log.lost(1, "the ring was full", kBegin + 3);
  exec_log_disk_full = false;
  log.end(kBegin + 500000);
  log.end(kBegin + 500001);
  ASSERT_EQ(notes().size(), 3U);
  EXPECT_EQ(format::decode_gap(notes()[2])->count, 1U);
}

}  // namespace
}  // namespace opelog::record
