#include "format/recording_writer_io.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <map>
#include <random>

#include "core/append_only_io.h"
#include "format/recording_directory_io.h"
#include "format/recording_files_io.h"
#include "format/timing_record.h"
#include "support_io.h"

namespace opelog::format {
namespace {

using testing::kName;
using testing::options_for;
using testing::sample_info;
using testing::slurp;
using testing::TempDir;

/// A write(2) that does what the test says: `fail_from`th call on fails, after taking `partial` bytes once.
struct Faults {
  int calls = 0;
  int fail_from = 1 << 30;
  int err = ENOSPC;
  std::ptrdiff_t partial = 0;
  int only_fd = -1;
};
Faults faults;

std::ptrdiff_t faulty_write(int fd, const void* data, std::size_t size) {
  if (faults.only_fd >= 0 && fd != faults.only_fd) return ::write(fd, data, size);
  if (++faults.calls < faults.fail_from) return ::write(fd, data, size);
  if (faults.calls == faults.fail_from && faults.partial > 0) {
    return ::write(fd, data, std::min(size, static_cast<std::size_t>(faults.partial)));
  }
  errno = faults.err;
  return -1;
}

/// The records behind the header, as text.
std::string body_of(const std::string& time_file) {
  const std::string text = slurp(time_file);
  const std::size_t policy = text.find(" OPELOG_POLICY ");
  return policy == std::string::npos ? text : text.substr(text.find('\n', policy) + 1);
}

std::string data_of(const std::string& log_file) {
  const std::string text = slurp(log_file);
  return text.substr(text.find('\n') + 1);
}

std::int64_t sum_of(const std::string& time_file) {
  TimingScanner scanner;
  TimingRecord record;
  scanner.feed(slurp(time_file));
  std::int64_t sum = 0;
  while (scanner.next(record) == TimingScanner::Outcome::kRecord) sum += delay_of(record);
  EXPECT_EQ(scanner.problem(), "");
  return sum;
}

std::unique_ptr<RecordingWriter> must_create(const WriterOptions& options, MonoUs now = 1000) {
  auto writer = RecordingWriter::create(options, sample_info(), now);
  EXPECT_TRUE(writer.ok()) << (writer ? "" : writer.error().message);
  return writer ? std::move(*writer) : nullptr;
}

/// Keeps what it is told; its seals say nothing.
class ToldSealer final : public RecordingSealer {
 public:
  explicit ToldSealer(std::array<std::string, 3>& told) : told_(told) {}
  void written(std::size_t file, std::string_view bytes) override { told_[file] += bytes; }
  Result<std::string> seal(std::int64_t, bool) override { return told_[0]; }
  void refused() override {}
  void recorded() override { ++seals_recorded; }
  void save(SealerMark&) const override {}
  void resumed() override {}
  [[nodiscard]] bool finished() const override { return false; }
  void abandoned() override {}
  void closed(const EndInfo&) override {}

  static inline int seals_recorded = 0;

 private:
  std::array<std::string, 3>& told_;
};

WriterOptions sealed_options(const TempDir& dir, std::array<std::string, 3>& told) {
  WriterOptions options = options_for(dir);
  options.opened = [&told](const std::string&) -> Result<Sealing> {
    return Sealing{std::make_unique<ToldSealer>(told), "1"};
  };
  return options;
}

bool disk_full = false;
// A full disk takes half of a seal's record, and nothing more.
std::ptrdiff_t write_half_of_seals(int fd, const void* data, std::size_t size) {
  const std::string_view bytes(static_cast<const char*>(data), size);
  const bool seal = bytes.find("OPELOG_SEAL") != std::string_view::npos;
  if (disk_full && !seal) {
    errno = ENOSPC;
    return -1;
  }
  return ::write(fd, data, disk_full ? size / 2 : size);
}

// One whose disk has become full within a seal.
std::unique_ptr<RecordingWriter> with_half_a_seal(WriterOptions options) {
  options.write = write_half_of_seals;
  disk_full = false;
  auto writer = must_create(options);
  EXPECT_EQ(*writer->output("one", 2000), 3U);
  EXPECT_TRUE(writer->flush(30000));
  ToldSealer::seals_recorded = 0;
  disk_full = true;
  EXPECT_FALSE(writer->flush(1200000).ok());
  return writer;
}

TEST(RecordingWriter, ASealCountsOnceItsRecordIsWhole) {
  TempDir dir;
  std::array<std::string, 3> told;
  WriterOptions options = sealed_options(dir, told);
  const auto writer = with_half_a_seal(options);
  const std::string time = dir.file(std::string(kName) + ".time");
  EXPECT_NE(body_of(time).find("OPELOG_"), std::string::npos);
  EXPECT_NE(body_of(time).back(), '\n');
  EXPECT_EQ(ToldSealer::seals_recorded, 0);
  disk_full = false;
  EXPECT_TRUE(writer->flush(2400000));
  EXPECT_EQ(body_of(time).back(), '\n');
  EXPECT_EQ(ToldSealer::seals_recorded, 1);
}

TEST(RecordingWriter, ASealThatAKilledOneLeftHalfWrittenCountsOnceItIsWhole) {
  TempDir dir;
  std::array<std::string, 3> told;
  WriterOptions options = sealed_options(dir, told);
  const auto memory = std::make_unique<WriterMemory>();
  options.memory = memory.get();
  auto writer = with_half_a_seal(options);
  const MonoUs begun = writer->begun();
  writer.reset();

  ToldSealer::seals_recorded = 0;
  for (const auto& [flags, recorded] : {std::pair{O_RDONLY, 0}, std::pair{O_WRONLY | O_APPEND, 1}}) {
    ResumeOptions again;
    again.files[0] = *open_at(AT_FDCWD, dir.file(std::string(kName) + ".log"), O_WRONLY | O_APPEND);
    again.files[1] = *open_at(AT_FDCWD, dir.file(std::string(kName) + ".time"), flags);  // or takes nothing
    again.name = kName;
    again.begun = begun;
    again.memory = memory.get();
    again.sealer = [&told](const SealerMark&,
                           std::array<std::uint64_t, 3>&) -> Result<std::unique_ptr<RecordingSealer>> {
      return {std::make_unique<ToldSealer>(told)};
    };
    auto resumed = RecordingWriter::resume(std::move(again), 2400000);
    ASSERT_TRUE(resumed.ok()) << resumed.error().message;
    EXPECT_EQ(ToldSealer::seals_recorded, recorded);
  }
}

TEST(RecordingWriter, WhatIsDigestedLaterIsDigestedBeforeAnythingElseIsWritten) {
  TempDir dir;
  std::array<std::string, 3> told;
  WriterOptions options = sealed_options(dir, told);
  auto writer = must_create(options);
  ASSERT_TRUE(writer);
  told[0].clear();
  constexpr auto kLater = RecordingWriter::Digesting::kLater;

  std::string chunk = "one";
  ASSERT_EQ(*writer->output(chunk, 2000, kLater), 3U);
  EXPECT_EQ(told[0], "");
  writer->digest_output();
  chunk = "its place is another's now";
  writer->digest_output();
  EXPECT_EQ(told[0], "one");

  ASSERT_EQ(*writer->output("two", 3000, kLater), 3U);
  ASSERT_EQ(*writer->output("three", 4000), 5U);
  EXPECT_EQ(told[0], "onetwothree");
  ASSERT_EQ(*writer->output("four", 5000, kLater), 4U);
  ASSERT_TRUE(writer->note("A_NOTE", "between", 6000));
  EXPECT_EQ(told[0], "onetwothreefour");
  ASSERT_EQ(*writer->output("five", 7000, kLater), 4U);
  ASSERT_TRUE(writer->end({}, 8000));
  EXPECT_EQ(told[0], "onetwothreefourfive");
  EXPECT_TRUE(body_of(dir.file(std::string(kName) + ".time")).find("OPELOG_SEAL onetwothreefourfive") !=
              std::string::npos)
      << body_of(dir.file(std::string(kName) + ".time"));
  EXPECT_EQ(data_of(dir.file(std::string(kName) + ".log")), told[0]);
}

TEST(RecordingWriter, WritesTheRecordsOfASession) {
  const TempDir dir;
  WriterOptions options = options_for(dir);
  options.input = true;
  auto writer = must_create(options, 1000);
  ASSERT_TRUE(writer);
  EXPECT_EQ(writer->name(), kName);
  EXPECT_EQ(*writer->output("hello", 2000), 5U);
  EXPECT_EQ(*writer->input("ls\r", 3000), 3U);
  EXPECT_TRUE(writer->resized(30, 100, 4000));
  EXPECT_TRUE(writer->note("OPELOG_NOTE", "a note", 5000));
  EXPECT_TRUE(writer->gap({"output", "why", 7}, 6000));
  EXPECT_EQ(*writer->output("bye", 7000), 3U);
  EndInfo end;
  end.exit_code = 3;
  EXPECT_TRUE(writer->end(end, 8000));
  EXPECT_EQ(
      body_of(dir.file(std::string(kName) + ".time")),
      "O 0.001000 5\nI 0.001000 3\nS 0.001000 SIGWINCH ROWS=30 COLS=100\nH 0.001000 OPELOG_NOTE a note\n"
      "H 0.001000 OPELOG_GAP {\"what\":\"output\",\"why\":\"why\",\"bytes\":7}\nO 0.001000 3\n"
      "H 0.000000 DURATION 0.007000\nH 0.000000 EXIT_CODE 3\n"
      "H 0.001000 OPELOG_END "
      "{\"reason\":\"exit\",\"exit_code\":3,\"bytes_out\":0,\"bytes_err\":0,\"bytes_in\":0,"
      "\"duration_us\":7000}\n");
  EXPECT_EQ(data_of(dir.file(std::string(kName) + ".log")), "hellobye");
  EXPECT_EQ(data_of(dir.file(std::string(kName) + ".in")), "ls\r");
  EXPECT_EQ(writer->log_bytes(), slurp(dir.file(std::string(kName) + ".log")).size());
  EXPECT_EQ(writer->time_bytes(), slurp(dir.file(std::string(kName) + ".time")).size());
  // Nothing more is taken.
  EXPECT_EQ(writer->output("x", 9000).error().code, Code::kGone);
  EXPECT_EQ(writer->end(end, 9000).error().code, Code::kGone);
}

TEST(RecordingWriter, FilesBelongToRootWithTheModeAndTheAppendOnlyFlag) {
  const TempDir dir;
  WriterOptions options = options_for(dir);
  options.append_only = AppendOnly::kRequired;
  options.group = 12345;
  options.mode = 0640;
  options.input = true;
  const mode_t old = ::umask(0777);
  auto writer = must_create(options);
  ::umask(old);
  ASSERT_TRUE(writer);
  int file = 0;
  for (const char* suffix : {".log", ".time", ".in"}) {
    const std::string name = std::string(kName) + suffix;
    struct stat st {};
    ASSERT_EQ(::fstatat(dir.fd(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW), 0);
    EXPECT_EQ(st.st_mode & 07777U, 0640U);
    EXPECT_EQ(st.st_uid, 0U);
    EXPECT_EQ(st.st_gid, 12345U);
    EXPECT_EQ(writer->inode(file++), st.st_ino);
    EXPECT_TRUE(*has_append_only(dir.fd(), name));
    EXPECT_LT(Fd(::open(dir.file(name).c_str(), O_WRONLY | O_TRUNC)).get(), 0);
    EXPECT_NE(::unlink(dir.file(name).c_str()), 0);
  }
  EXPECT_EQ(writer->inode(3), 0U);
  EXPECT_NE(slurp(dir.file(std::string(kName) + ".time")).find("\"append_only\":true"), std::string::npos);
  EXPECT_TRUE(writer->output("still writes", 2000).ok());
  EXPECT_TRUE(writer->end({}, 3000).ok());
}

TEST(RecordingWriter, TwoLoginsInOneSecondGetTwoNames) {
  const TempDir dir;
  auto first = must_create(options_for(dir));
  auto second = must_create(options_for(dir));
  auto third = must_create(options_for(dir));
  EXPECT_EQ(first->name(), kName);
  EXPECT_EQ(second->name(), std::string(kName) + "-2");
  EXPECT_EQ(third->name(), std::string(kName) + "-3");
  EXPECT_NE(slurp(dir.file(second->name() + ".time")).find("OUTPUT_LOG " + second->name() + ".log\n"),
            std::string::npos);
}

TEST(RecordingWriter, ANameIsTakenIfAnyFileOfItExistsAlsoCompressedOrASymlink) {
  for (const char* suffix :
       {".log", ".time", ".in", ".log.zst", ".time.zst", ".in.zst", ".log.1", ".time.1.gz", ".in.1.zst"}) {
    const TempDir dir;
    testing::spill(dir.file(std::string(kName) + suffix), "old");
    EXPECT_EQ(must_create(options_for(dir))->name(), std::string(kName) + "-2") << suffix;
    EXPECT_EQ(slurp(dir.file(std::string(kName) + suffix)), "old");
  }
  const TempDir dir;
  ASSERT_EQ(::symlink("/nonexistent/target", dir.file(std::string(kName) + ".log").c_str()), 0);
  EXPECT_EQ(must_create(options_for(dir))->name(), std::string(kName) + "-2");
}

TEST(RecordingWriter, OutputOfTenMillisecondsSharesARecordAtTheTimeOfItsFirstByte) {
  const TempDir dir;
  auto writer = must_create(options_for(dir), 0);
  EXPECT_FALSE(writer->flush_deadline());
  (void)*writer->output("aa", 1000);
  EXPECT_EQ(writer->flush_deadline(), 1000 + kTimingWriteUs);
  (void)*writer->output("bbb", 1000 + kTimingMergeUs - 1);
  EXPECT_EQ(data_of(dir.file(std::string(kName) + ".log")), "aabbb");  // the bytes never wait
  (void)*writer->output("c", 1000 + kTimingMergeUs);
  EXPECT_TRUE(writer->flush(999999));
  EXPECT_EQ(body_of(dir.file(std::string(kName) + ".time")), "O 0.001000 5\nO 0.010000 1\n");
  EXPECT_FALSE(writer->flush_deadline());
}

TEST(RecordingWriter, RecordsOfAHundredMillisecondsAreWrittenTogether) {
  const TempDir dir;
  auto writer = must_create(options_for(dir), 0);
  const auto time = [&] { return body_of(dir.file(std::string(kName) + ".time")); };
  (void)*writer->output("aa", 1000);
  (void)*writer->output("b", 1000 + kTimingMergeUs);
  (void)*writer->output("c", 1000 + kTimingWriteUs - 1);
  EXPECT_EQ(time(), "");
  EXPECT_EQ(writer->flush_deadline(), 1000 + kTimingWriteUs);
  (void)*writer->output("d", 1000 + kTimingWriteUs);  // in time to share c's record, too late to wait
  EXPECT_EQ(time(), "O 0.001000 2\nO 0.010000 1\nO 0.089999 1\n");
  EXPECT_EQ(writer->flush_deadline(), 1000 + 2 * kTimingWriteUs);
  // Another kind of record never overtakes.
  EXPECT_TRUE(writer->resized(30, 90, 1000 + kTimingWriteUs + 5));
  EXPECT_EQ(time(),
            "O 0.001000 2\nO 0.010000 1\nO 0.089999 1\nO 0.000001 1\nS 0.000005 SIGWINCH ROWS=30 COLS=90\n");
  EXPECT_FALSE(writer->flush_deadline());
}

TEST(RecordingWriter, DelaysNeverDriftAndNeverRunBackwards) {
  const TempDir dir;
  std::mt19937 random(3);
  MonoUs now = 77;
  auto writer = must_create(options_for(dir), now);
  for (int i = 0; i < 3000; ++i) {
    now += static_cast<MonoUs>(random() % 30000);
    const MonoUs at = random() % 50 == 0 ? now - 5000 : now;  // a stale time of the caller's
    switch (random() % 4) {
      case 0:
        EXPECT_TRUE(writer->resized(24, 80, at));
        break;
      case 1:
        EXPECT_TRUE(writer->flush(at));
        break;
      default:
        EXPECT_TRUE(writer->output("x", at).ok());
    }
  }
  now += 12345;
  EXPECT_TRUE(writer->end({}, now));
  EXPECT_EQ(sum_of(dir.file(std::string(kName) + ".time")), now - 77);
}

TEST(RecordingWriter, CountsExactlyOneWriteForAChunk) {
  const TempDir dir;
  WriterOptions options = options_for(dir);
  options.write = faulty_write;
  faults = {};
  auto writer = must_create(options, 0);
  faults.calls = 0;
  for (int i = 0; i < 9; ++i) EXPECT_TRUE(writer->output("chunk", 1000 * i).ok());
  EXPECT_EQ(faults.calls, 9);
}

TEST(RecordingWriter, RefusesWhatItWasNotMadeFor) {
  const TempDir dir;
  auto writer = must_create(options_for(dir));
  EXPECT_EQ(writer->input("x", 2000).error().code, Code::kInvalid);
  EXPECT_EQ(writer->output("", 2000).error().code, Code::kInvalid);
}

TEST(RecordingWriter, AFailedStartLeavesNothing) {
  for (int nth = 1; nth <= 3; ++nth) {
    for (const std::ptrdiff_t partial : {0, 5}) {
      const TempDir dir;
      WriterOptions options = options_for(dir);
      options.append_only = AppendOnly::kRequired;
      options.input = true;
      options.write = faulty_write;
      faults = {};
      faults.fail_from = nth;
      faults.partial = partial;
      auto writer = RecordingWriter::create(options, sample_info(), 0);
      ASSERT_FALSE(writer.ok());
      EXPECT_EQ(writer.error().err, ENOSPC);
      EXPECT_TRUE(dir.entries().empty());
    }
  }
  faults = {};
}

TEST(RecordingWriter, AFullDiskAcceptsNothingAndHealsWithoutASeam) {
  // Whatever call fails, and wherever within it: afterwards the files are well formed and hold exactly what
  // was accepted.
  for (int nth = 1; nth <= 24; ++nth) {
    for (const std::ptrdiff_t partial : {0, 1, 3, 9, 14}) {
      const TempDir dir;
      WriterOptions options = options_for(dir);
      options.input = true;
      options.write = faulty_write;
      faults = {};
      auto writer = must_create(options, 0);
      faults.calls = 0;
      faults.fail_from = nth;
      faults.partial = partial;
      std::string shown;
      std::string typed;
      int resizes = 0;
      const auto round = [&](MonoUs now) {
        const std::string chunk = "chunk at " + std::to_string(now) + ";";
        if (auto n = writer->output(chunk, now); n) shown += chunk.substr(0, *n);
        if (auto n = writer->input("key" + std::to_string(now), now + 100); n)
          typed += ("key" + std::to_string(now)).substr(0, *n);
        if (writer->resized(24, 80, now + 200)) ++resizes;
        (void)writer->flush(now + 300).ok();
      };
      for (MonoUs now = 1000; now <= 5000; now += 1000) round(now);
      const bool failing = faults.calls >= faults.fail_from;
      if (failing) {
        const auto deadline = writer->flush_deadline();
        if (deadline) {
          EXPECT_GT(*deadline, 5000) << "a loop would spin";
        }
      }
      faults.fail_from = 1 << 30;  // space again
      for (MonoUs now = 1000000; now <= 3000000; now += 1000000) round(now);
      ASSERT_TRUE(writer->end({}, 4000000).ok());
      writer.reset();

      const auto told = testing::read_all(dir.file(kName));
      ASSERT_EQ(told.outcome, Outcome::kEnd) << nth << "/" << partial << ": " << told.problem;
      ASSERT_EQ(told.output, shown) << nth << "/" << partial;
      ASSERT_EQ(told.input, typed) << nth << "/" << partial;
      ASSERT_EQ(told.count(Event::Kind::kResize), resizes) << nth << "/" << partial;
      ASSERT_EQ(sum_of(dir.file(std::string(kName) + ".time")), 4000000);
    }
  }
  faults = {};
}

TEST(RecordingWriter, AfterAFailureTheDeadlineLiesAheadSoThatNoLoopSpins) {
  for (const std::ptrdiff_t partial : {0, 3}) {
    const TempDir dir;
    WriterOptions options = options_for(dir);
    options.write = faulty_write;
    faults = {};
    auto writer = must_create(options, 0);
    EXPECT_TRUE(writer->output("pending", 1000).ok());
    faults.calls = 0;
    faults.fail_from = 1;
    faults.partial = partial;
    EXPECT_FALSE(writer->flush(20000).ok());
    ASSERT_TRUE(writer->flush_deadline());
    EXPECT_GT(*writer->flush_deadline(), 20000);
    faults = {};
    EXPECT_TRUE(writer->flush(200000).ok());
    EXPECT_FALSE(writer->flush_deadline());
    EXPECT_EQ(body_of(dir.file(std::string(kName) + ".time")), "O 0.001000 7\n");
  }
}

TEST(RecordingWriter, AShortWriteAcceptsOnlyWhatIsIn) {
  const TempDir dir;
  WriterOptions options = options_for(dir);
  options.write = faulty_write;
  faults = {};
  auto writer = must_create(options, 0);
  faults.calls = 0;
  faults.fail_from = 1;
  faults.partial = 3;
  EXPECT_EQ(*writer->output("abcdef", 10), 3U);
  const auto refused = writer->output("def", 20);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().err, ENOSPC);
  EXPECT_NE(refused.error().message.find(".log"), std::string::npos);
  faults = {};
  EXPECT_EQ(data_of(dir.file(std::string(kName) + ".log")), "abc");
}

TEST(RecordingWriter, AFileSystemWithoutTheFlagIsRefusedOrStatedAsThePolicySays) {
  const TempDir dir;
  const std::string where = dir.file("mnt");
  ASSERT_EQ(::mkdir(where.c_str(), 0700), 0);
  const int code = testing::in_own_namespace([&] {
    // ramfs never had file flags; tmpfs has them since Linux 6.6.
    if (::mount("none", where.c_str(), "ramfs", 0, nullptr) != 0) return 77;
    const Fd fd(::open(where.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    WriterOptions options;
    options.directory = fd.get();
    options.name = kName;
    options.append_only = AppendOnly::kRequired;
    auto refused = RecordingWriter::create(options, sample_info(), 0);
    if (refused.ok() || refused.error().code != Code::kUnsupported) return 2;
    auto names = list_names(where);
    if (!names || !names->empty()) return 3;
    options.append_only = AppendOnly::kPreferred;
    auto writer = RecordingWriter::create(options, sample_info(), 0);
    if (!writer) return 4;
    const std::string time = slurp(where + "/" + kName + ".time");
    if (time.find("\"append_only\":false") == std::string::npos) return 5;
    if (time.find("OPELOG_NOTE these files are not append-only: ") == std::string::npos) return 6;
    return 0;
  });
  EXPECT_EQ(code, 0);
}

TEST(RecordingWriter, ARealFullDiskIsToldAndWhatWasAcceptedIsThere) {
  const TempDir dir;
  const std::string where = dir.file("mnt");
  ASSERT_EQ(::mkdir(where.c_str(), 0700), 0);
  const int code = testing::in_own_namespace([&] {
    if (::mount("none", where.c_str(), "tmpfs", 0, "size=256k") != 0) return 77;
    const Fd fd(::open(where.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    WriterOptions options;
    options.directory = fd.get();
    options.name = kName;
    options.append_only = AppendOnly::kOff;
    auto writer = RecordingWriter::create(options, sample_info(), 0);
    if (!writer) return 2;
    std::string accepted;
    const std::string chunk(5000, 'x');
    MonoUs now = 0;
    for (;; now += 20000) {
      auto n = (*writer)->output(chunk, now);
      if (!n) {
        if (n.error().err != ENOSPC) return 3;
        break;
      }
      accepted.append(*n, 'x');
      if (accepted.size() > 1000000) return 4;
    }
    if ((*writer)->end({}, now).ok() != true && (*writer)->flush(now).ok()) return 5;
    if (::mount("none", where.c_str(), "tmpfs", MS_REMOUNT, "size=1m") != 0) return 6;
    auto again = (*writer)->output("more", now + 1000000);
    if (again.ok()) accepted += "more";
    (void)(*writer)->end({}, now + 2000000).ok();
    writer->reset();
    const auto told = testing::read_all(where + "/" + kName);
    if (told.outcome != Outcome::kEnd) return 7;
    return told.output == accepted ? 0 : 8;
  });
  EXPECT_EQ(code, 0);
}

TEST(RecordingWriter, AFileSizeLimitIsAnErrorLikeAnyOther) {
  const TempDir dir;
  const int code = testing::in_own_namespace([&] {
    ::signal(SIGXFSZ, SIG_IGN);  // as the daemon does
    const rlimit limit{20000, 20000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    auto writer = RecordingWriter::create(options_for(dir), sample_info(), 0);
    if (!writer) return 2;
    std::size_t accepted = 0;
    for (MonoUs now = 0; now < 100; ++now) {
      auto n = (*writer)->output(std::string(3000, 'y'), now);
      if (n) {
        accepted += *n;
        continue;
      }
      if (n.error().err != EFBIG) return 3;
      if (!(*writer)->end({}, 1000).ok()) return 4;
      return data_of(dir.file(std::string(kName) + ".log")).size() == accepted ? 0 : 5;
    }
    return 6;
  });
  EXPECT_EQ(code, 0);
}

TEST(RecordingWriter, HoldsTheLockWhileItLives) {
  const TempDir dir;
  auto writer = must_create(options_for(dir));
  const Fd time(::open(dir.file(std::string(kName) + ".time").c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_TRUE(is_locked(time.get()));
  writer.reset();
  EXPECT_FALSE(is_locked(time.get()));
}

TEST(RecordingWriter, HandsOutDescriptorsToSync) {
  const TempDir dir;
  auto writer = must_create(options_for(dir), 0);
  EXPECT_TRUE(writer->dirty());
  auto fds = writer->take_for_sync();
  ASSERT_TRUE(fds.ok());
  EXPECT_EQ(fds->size(), 2U);
  for (const Fd& fd : *fds) EXPECT_EQ(::fdatasync(fd.get()), 0);
  EXPECT_FALSE(writer->dirty());
  (void)*writer->output("x", 1);
  EXPECT_TRUE(writer->dirty());
}

TEST(RecordingWriter, LeavesNoDescriptorBehind) {
  const auto count = [] {
    int n = 0;
    for (int fd = 0; fd < 1024; ++fd) n += ::fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
    return n;
  };
  const TempDir dir;
  const int before = count();
  {
    auto writer = must_create(options_for(dir));
    (void)*writer->output("x", 2000);
  }
  EXPECT_EQ(count(), before);
}

}  // namespace
}  // namespace opelog::format
