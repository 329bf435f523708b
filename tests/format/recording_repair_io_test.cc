#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/append_only_io.h"
#include "core/host_id_io.h"
#include "format/recording_directory_io.h"
#include "format/recording_writer_io.h"
#include "support_io.h"

namespace opelog::format {
namespace {

using testing::kName;
using testing::options_for;
using testing::read_all;
using testing::sample_info;
using testing::slurp;
using testing::spill;
using testing::TempDir;

constexpr WallUs kNow = 1795400000000000;

struct Bytes {
  std::string log, time, in, data;
};

/// The files of a small session that never ended.
Bytes make_crashed(const TempDir& dir) {
  WriterOptions options = options_for(dir);
  options.input = true;
  {
    SessionInfo info = sample_info();
    info.boot_id = boot_id();
    auto writer = RecordingWriter::create(options, info, 0);
    EXPECT_TRUE(writer.ok());
    (void)*(*writer)->output("first line\r\n", 1000);
    (void)*(*writer)->input("ls\r", 20000);
    EXPECT_TRUE((*writer)->resized(30, 100, 30000).ok());
    (void)*(*writer)->output(std::string("\0\xff\x1b[m binary", 12), 50000);
    EXPECT_TRUE((*writer)->note("OPELOG_NOTE", "a \"note\"\n", 60000).ok());
    (void)*(*writer)->output("last words\r\n", 70000);
  }
  Bytes bytes;
  bytes.log = slurp(dir.file(std::string(kName) + ".log"));
  bytes.time = slurp(dir.file(std::string(kName) + ".time"));
  bytes.in = slurp(dir.file(std::string(kName) + ".in"));
  bytes.data = bytes.log.substr(bytes.log.find('\n') + 1);
  return bytes;
}

// After another boot zeros at the end may be what a power cut left of a block: of `.time`, from the first one
// on.
TEST(RepairTail, WhatAPowerCutLeftOfLostBytesIsCutOffAndStated) {
  const TempDir dir;
  Bytes bytes = make_crashed(dir);
  const std::string base = dir.file(kName);
  bytes.time.replace(bytes.time.find(boot_id()), boot_id().size(), "another boot");
  const std::string zeros(700, '\0');
  const std::string block(4096 - bytes.log.size(), 'x');
  struct Case {
    std::string log, time;  // as they are found
    std::size_t kept_log, kept_time;
  };
  const std::string& log = bytes.log;
  const std::string& time = bytes.time;
  const Case cases[] = {
      {log + zeros, time, log.size(), time.size()},
      {log, time + zeros, log.size(), time.size()},
      {log, time.substr(0, time.size() - 9) + zeros + "H 0.000001 OPE", log.size(), time.size() - 9},
      // Sectors missing inside the last block, and only there.
      {log + block + "abc" + std::string(1533, '\0') + "behind", time, 4096 + 3, time.size()},
      {log + block + std::string(4096, '\0') + "behind", time, 4096 * 2 + 6, time.size()},
      {log + zeros + "x", time, log.size() + 701, time.size()},
  };
  for (const Case& c : cases) {
    spill(base + ".log", c.log);
    spill(base + ".time", c.time);
    auto repaired = repair_tail(dir.fd(), kName, kNow);
    ASSERT_TRUE(repaired.ok()) << repaired.error().message;
    EXPECT_EQ(slurp(base + ".log"), c.log.substr(0, c.kept_log)) << c.log.size();
    EXPECT_EQ(slurp(base + ".time").compare(0, c.kept_time, time.substr(0, c.kept_time)), 0);
    EXPECT_EQ(slurp(base + ".time").find('\0'), std::string::npos);
    EXPECT_EQ(read_all(base).outcome, Outcome::kEnd);
    EXPECT_EQ(repaired->find("power cut") != std::string::npos,
              c.kept_log < c.log.size() || c.kept_time < c.time.size());
  }
}

TEST(RepairTail, OnlyWhatWasBeingMadeIsRemoved) {
  const TempDir dir;
  for (const char* suffix : {".log", ".time"}) spill(dir.file(kName) + suffix, "");
  Fd flagged(::open((dir.file(kName) + ".log").c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(set_append_only(flagged.get(), true).ok());
  EXPECT_FALSE(remove_unbegun(dir.fd(), kName)) << "somebody has it open";
  flagged.reset();
  EXPECT_TRUE(remove_unbegun(dir.fd(), kName));
  EXPECT_TRUE(dir.entries().empty());
  EXPECT_FALSE(remove_unbegun(dir.fd(), kName)) << "nothing is there";
  spill(dir.file(kName) + ".log", "");
  spill(dir.file(kName) + ".time", "H");
  spill(dir.file("notes.log"), "");
  EXPECT_FALSE(remove_unbegun(dir.fd(), kName)) << "a byte";
  EXPECT_FALSE(remove_unbegun(dir.fd(), "notes")) << "no name of ours";
  EXPECT_EQ(dir.entries().size(), 3U);
}

TEST(RepairTail, AWholeRecordingIsLeftAlone) {
  const TempDir dir;
  {
    auto writer = RecordingWriter::create(options_for(dir), sample_info(), 0);
    ASSERT_TRUE(writer.ok() && (*writer)->end({}, 1000).ok());
  }
  const std::string before = slurp(dir.file(std::string(kName) + ".time"));
  auto repaired = repair_tail(dir.fd(), kName, kNow);
  ASSERT_TRUE(repaired.ok());
  EXPECT_EQ(*repaired, "");
  EXPECT_EQ(slurp(dir.file(std::string(kName) + ".time")), before);
}

TEST(RepairTail, ALiveRecordingIsRefused) {
  const TempDir dir;
  auto writer = RecordingWriter::create(options_for(dir), sample_info(), 0);
  ASSERT_TRUE(writer.ok());
  EXPECT_EQ(repair_tail(dir.fd(), kName, kNow).error().code, Code::kExists);
}

TEST(RepairTail, EveryTruncationOfTheTimingBecomesAWholeRecording) {
  const TempDir dir;
  const Bytes bytes = make_crashed(dir);
  const std::string base = dir.file(kName);
  for (std::size_t length = 0; length <= bytes.time.size(); length += OPELOG_SAMPLE) {
    spill(base + ".time", bytes.time.substr(0, length));
    auto repaired = repair_tail(dir.fd(), kName, kNow);
    ASSERT_TRUE(repaired.ok()) << length << ": " << repaired.error().message;
    ASSERT_NE(*repaired, "");
    const std::string time = slurp(base + ".time");
    ASSERT_EQ(time.compare(0, length, bytes.time, 0, length), 0) << "something was rewritten";
    const auto told = read_all(base, 1000);
    ASSERT_EQ(told.outcome, Outcome::kEnd) << length << ": " << told.problem << "\n" << time;
    ASSERT_EQ(told.output, bytes.data) << length;
    ASSERT_EQ(told.input, "ls\r") << length;
    ASSERT_EQ(told.events.back().end->reason, EndReason::kCrash);
    ASSERT_EQ(told.events.back().end->bytes_out, bytes.data.size());
    ASSERT_EQ(summarise(dir.path(), kName)->state, RecordingState::kEnded) << length;
    ASSERT_EQ(*repair_tail(dir.fd(), kName, kNow), "") << "not whole after the repair";
    // scriptreplay shows it in full; it is started at each seventh byte, and where a record ends.
    const auto ends = [&](std::size_t at) {
      return at > 0 && at <= bytes.time.size() && bytes.time[at - 1] == '\n';
    };
    if (length % 7 != 0 && !ends(length - 1) && !ends(length) && !ends(length + 1)) continue;
    const auto played = testing::replay(base);
    ASSERT_EQ(played.status, 0) << length << ": " << played.err << "\n" << time;
    ASSERT_EQ(played.err, "") << length;
    ASSERT_EQ(played.out, bytes.data) << length;
  }
}

TEST(RepairTail, ARepairThatWasItselfCutOffIsRepaired) {
  const TempDir dir;
  const Bytes bytes = make_crashed(dir);
  const std::string base = dir.file(kName);
  const std::string torn = bytes.time.substr(0, bytes.time.size() - 4);
  spill(base + ".time", torn);
  ASSERT_TRUE(repair_tail(dir.fd(), kName, kNow).ok());
  const std::string whole = slurp(base + ".time");
  for (std::size_t length = torn.size(); length < whole.size(); ++length) {
    spill(base + ".time", whole.substr(0, length));
    ASSERT_TRUE(repair_tail(dir.fd(), kName, kNow).ok()) << length;
    const auto told = read_all(base, 1000);
    ASSERT_EQ(told.outcome, Outcome::kEnd) << length << ": " << told.problem;
    ASSERT_EQ(told.output, bytes.data) << length;
    const auto played = testing::replay(base);
    ASSERT_EQ(played.status, 0) << length << played.err;
    ASSERT_EQ(played.out, bytes.data) << length;
  }
}

TEST(RepairTail, EveryTruncationOfTheLogIsStatedAndPlaysAsFarAsItGoes) {
  const TempDir dir;
  const Bytes bytes = make_crashed(dir);
  const std::string base = dir.file(kName);
  const std::size_t head = bytes.log.size() - bytes.data.size();
  for (std::size_t length = 0; length < bytes.log.size(); ++length) {
    spill(base + ".log", bytes.log.substr(0, length));
    spill(base + ".time", bytes.time);
    auto repaired = repair_tail(dir.fd(), kName, kNow);
    ASSERT_TRUE(repaired.ok()) << length << ": " << repaired.error().message;
    const std::string left = length > head ? bytes.data.substr(0, length - head) : "";
    const auto told = read_all(base, 1000);
    ASSERT_EQ(told.outcome, Outcome::kEnd) << length << ": " << told.problem;
    ASSERT_EQ(told.output, left) << length;
    const auto gap = std::find_if(told.events.rbegin(), told.events.rend(), [](const Event& event) {
      return event.gap && event.gap->what == "output";
    });
    ASSERT_NE(gap, told.events.rend());
    ASSERT_EQ(gap->gap->bytes, bytes.data.size() - left.size()) << length;
    const auto played = testing::replay(base);
    ASSERT_EQ(played.status, 0) << length << played.err;
    ASSERT_EQ(played.out, left) << length;
  }
}

TEST(RepairTail, WorksByAppendingOnly) {
  const TempDir dir;
  const Bytes bytes = make_crashed(dir);
  const std::string base = dir.file(kName);
  spill(base + ".time", bytes.time.substr(0, bytes.time.size() - 5));
  for (const char* suffix : {".log", ".time", ".in"}) {
    Fd fd(::open((base + suffix).c_str(), O_RDONLY | O_CLOEXEC));
    ASSERT_TRUE(set_append_only(fd.get(), true).ok());
  }
  auto repaired = repair_tail(dir.fd(), kName, kNow);
  ASSERT_TRUE(repaired.ok()) << repaired.error().message;
  EXPECT_EQ(read_all(base).outcome, Outcome::kEnd);
  EXPECT_TRUE(*has_append_only(dir.fd(), std::string(kName) + ".time"));
}

TEST(RepairTail, SaysWhatItDid) {
  const TempDir dir;
  const Bytes bytes = make_crashed(dir);
  const std::string base = dir.file(kName);
  const std::size_t note = bytes.time.find(" OPELOG_NOTE ");
  spill(base + ".time", bytes.time.substr(0, note + 20));
  EXPECT_EQ(*repair_tail(dir.fd(), kName, kNow),
            "completed a torn record; gave 12 bytes of .log a record; wrote the end");
  const std::string time = slurp(base + ".time");
  EXPECT_NE(time.find("OPELOG_REPAIR {\"at_us\":1795400000000000,\"did\":\"completed"), std::string::npos)
      << time;
}

TEST(RepairTail, CountsWhatWentToStderr) {
  const TempDir dir;
  {
    auto writer = RecordingWriter::create(options_for(dir), sample_info(), 0);
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE((*writer)->note("OPELOG_STREAM", "1", 0).ok());
    (void)*(*writer)->output("stdout", 1000);
    ASSERT_TRUE((*writer)->note("OPELOG_STREAM", "2", 2000).ok());
    (void)*(*writer)->output("err", 3000);
    ASSERT_TRUE((*writer)->note("OPELOG_STREAM", "1", 4000).ok());
    (void)*(*writer)->output("more", 5000);
  }
  ASSERT_TRUE(repair_tail(dir.fd(), kName, kNow).ok());
  const auto told = read_all(dir.file(kName));
  ASSERT_EQ(told.outcome, Outcome::kEnd);
  EXPECT_EQ(told.events.back().end->bytes_out, 13U);
  EXPECT_EQ(told.events.back().end->bytes_err, 3U);
}

TEST(RepairTail, TouchesNeitherDamageNorWhatIsNotOurs) {
  const TempDir dir;
  const Bytes bytes = make_crashed(dir);
  const std::string base = dir.file(kName);
  std::string damaged = bytes.time;
  damaged.insert(damaged.find("\nO ") + 1, "garbage\n");
  for (const std::string& time :
       {damaged, bytes.time + "Q 0.1", std::string("0.1 5\n"), std::string("garbage"),
        std::string("H 0.000000 START_TIME 2026-11-22 17:06:26+00:00\nO 0.1")}) {
    spill(base + ".time", time);
    auto repaired = repair_tail(dir.fd(), kName, kNow);
    ASSERT_FALSE(repaired.ok()) << time;
    EXPECT_EQ(repaired.error().code, Code::kInvalid);
    EXPECT_EQ(slurp(base + ".time"), time);
  }
  EXPECT_EQ(repair_tail(dir.fd(), "absent", kNow).error().code, Code::kNotFound);
}

TEST(RepairTail, AnEmptyTimingFileThatSomebodyHasOpenIsHis) {
  const TempDir dir;
  spill(dir.file("x.time"), "");
  spill(dir.file("x.log"), "Script started on x\n");
  {
    const Fd script(::open(dir.file("x.time").c_str(), O_WRONLY | O_CLOEXEC));
    EXPECT_EQ(repair_tail(dir.fd(), "x", kNow).error().code, Code::kInvalid);
  }
  EXPECT_TRUE(repair_tail(dir.fd(), "x", kNow).ok());
  spill(dir.file("x.time"), "");
  ASSERT_EQ(::chown(dir.file("x.time").c_str(), 1000, 1000), 0);
  auto users = repair_tail(dir.fd(), "x", kNow);
  ASSERT_FALSE(users.ok());
  EXPECT_EQ(users.error().code, Code::kInvalid);
}

}  // namespace
}  // namespace opelog::format
