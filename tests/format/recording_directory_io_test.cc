#include "format/recording_directory_io.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/timing_record.h"
#include "support_io.h"

namespace opelog::format {
namespace {

using testing::kName;
using testing::options_for;
using testing::sample_info;
using testing::slurp;
using testing::spill;
using testing::TempDir;

void make_ended(const TempDir& dir, const std::string& name, SessionInfo info = sample_info()) {
  auto writer = RecordingWriter::create(options_for(dir, name), info, 0);
  ASSERT_TRUE(writer.ok());
  (void)*(*writer)->output("hello", 1000);
  EndInfo end;
  end.exit_code = 3;
  end.bytes_out = 5;
  ASSERT_TRUE((*writer)->end(end, 70000).ok());
}

TEST(RecordingDirectory, ListsEveryRecordingOnceSorted) {
  const TempDir dir;
  make_ended(dir, "b_20261122140509_c");
  make_ended(dir, "a_20261122140509_c");
  spill(dir.file("only.time"), "x");
  spill(dir.file("only2.log"), "x");
  spill(dir.file("notes.txt"), "x");
  spill(dir.file(".log"), "x");
  auto names = list_names(dir.path());
  ASSERT_TRUE(names.ok());
  EXPECT_EQ(*names, (std::vector<std::string>{"a_20261122140509_c", "b_20261122140509_c", "only", "only2"}));
  EXPECT_EQ(list_names(dir.file("absent")).error().code, Code::kNotFound);
}

TEST(RecordingDirectory, SummarisesAnEndedRecording) {
  const TempDir dir;
  make_ended(dir, kName);
  auto summary = summarise(dir.path(), kName);
  ASSERT_TRUE(summary.ok());
  EXPECT_EQ(summary->state, RecordingState::kEnded);
  EXPECT_EQ(summary->info, sample_info());
  EXPECT_EQ(summary->duration_us, 70000);
  ASSERT_TRUE(summary->end);
  EXPECT_EQ(summary->end->exit_code, 3);
  EXPECT_EQ(summary->log_bytes, slurp(dir.file(std::string(kName) + ".log")).size());
  EXPECT_EQ(summary->name, kName);
  EXPECT_EQ(summary->path, dir.file(kName));
  EXPECT_EQ(summarise(dir.path(), "absent").error().code, Code::kNotFound);
}

TEST(RecordingDirectory, TellsLiveFromTorn) {
  const TempDir dir;
  auto writer = RecordingWriter::create(options_for(dir), sample_info(), 0);
  ASSERT_TRUE(writer.ok());
  (void)*(*writer)->output("hello", 250000);
  EXPECT_EQ(summarise(dir.path(), kName)->state, RecordingState::kLive);
  writer->reset();
  auto summary = summarise(dir.path(), kName);
  EXPECT_EQ(summary->state, RecordingState::kTorn);
  EXPECT_EQ(summary->problem, "there is no end record");
  EXPECT_EQ(summary->duration_us, 250000);  // small enough to be summed
}

TEST(RecordingDirectory, NamesWhatIsWrong) {
  const TempDir dir;
  make_ended(dir, kName);
  const std::string time = dir.file(std::string(kName) + ".time");
  const std::string whole = slurp(time);
  spill(time, whole.substr(0, whole.size() - 2));
  EXPECT_EQ(summarise(dir.path(), kName)->problem, "torn in the middle of a timing record");
  spill(time, "garbage\n");
  EXPECT_EQ(summarise(dir.path(), kName)->state, RecordingState::kCorrupt);
  spill(time, whole);
  ::unlink(dir.file(std::string(kName) + ".log").c_str());
  EXPECT_EQ(summarise(dir.path(), kName)->problem, "there is no .log");
  spill(dir.file("x.log"), "Script started on 2026-11-22 17:06:26+00:00 [x]\nhello");
  EXPECT_EQ(summarise(dir.path(), "x")->problem, "there is no timing file");
  spill(dir.file("empty.time"), "");
  EXPECT_EQ(summarise(dir.path(), "empty")->state, RecordingState::kTorn);
}

TEST(RecordingDirectory, SummarisesAnyTruncationWithoutHarm) {
  const TempDir dir;
  make_ended(dir, kName);
  const std::string time = dir.file(std::string(kName) + ".time");
  const std::string whole = slurp(time);
  for (std::size_t length = 0; length < whole.size(); length += OPELOG_SAMPLE) {
    spill(time, whole.substr(0, length));
    auto summary = summarise(dir.path(), kName);
    ASSERT_TRUE(summary.ok());
    ASSERT_NE(summary->state, RecordingState::kEnded) << length;
    ASSERT_NE(summary->state, RecordingState::kLive) << length;
  }
}

TEST(RecordingDirectory, ReadsLittleOfALongRecording) {
  const TempDir dir;
  auto writer = RecordingWriter::create(options_for(dir), sample_info(), 0);
  ASSERT_TRUE(writer.ok());
  const std::string time = dir.file(std::string(kName) + ".time");
  {
    // 64 MiB of timing without writing them: a hole in the middle, which a full read would stumble over.
    Fd fd(::open(time.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
    ASSERT_TRUE(write_all(fd.get(), "O 0.000001 5\n").ok());
    ASSERT_EQ(::ftruncate(fd.get(), 64 << 20), 0);
  }
  {
    Fd fd(::open(time.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
    ASSERT_TRUE(
        write_all(fd.get(),
                  "\nH 0.000000 OPELOG_END {\"reason\":\"exit\",\"exit_code\":0,\"duration_us\":123}\n")
            .ok());
  }
  auto summary = summarise(dir.path(), kName);
  ASSERT_TRUE(summary.ok());
  EXPECT_EQ(summary->duration_us, 123);
  EXPECT_EQ(summary->state, RecordingState::kEnded) << summary->problem;
}

TEST(RecordingDirectory, SummarisesPlainScript) {
  const TempDir dir;
  ASSERT_EQ(testing::run({"script", "-q", "-c", "echo hi; exit 3", "-m", "advanced", "--log-out",
                          dir.file("a.log"), "--log-timing", dir.file("a.time")})
                .status,
            0);
  ASSERT_EQ(testing::run({"script", "-q", "-c", "echo hi", "-m", "classic", "--log-out", dir.file("b.log"),
                          "--log-timing", dir.file("b.time")})
                .status,
            0);
  auto a = summarise(dir.path(), "a");
  ASSERT_TRUE(a.ok());
  EXPECT_EQ(a->state, RecordingState::kForeign);
  EXPECT_GT(a->duration_us, 0);
  ASSERT_TRUE(a->end);
  EXPECT_EQ(a->end->exit_code, 3);
  EXPECT_EQ(a->info.user, "root");
  EXPECT_EQ(a->info.command, "echo hi; exit 3");
  auto b = summarise(dir.path(), "b");
  ASSERT_TRUE(b.ok());
  EXPECT_EQ(b->state, RecordingState::kForeign);
  EXPECT_GT(b->info.started, 1700000000000000);
}

TEST(Summarise, SaysWhoseTheFilesAre) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  const TempDir dir;
  make_ended(dir, "alice_20261122140509_c", sample_info());
  EXPECT_EQ(summarise(dir.path(), "alice_20261122140509_c")->files_uid, 0U);
  for (const char* suffix : {".time", ".log"}) {
    const std::string path = dir.file("alice_20261122140509_c" + std::string(suffix));
    ASSERT_EQ(::chown(path.c_str(), 54321, 54321), 0);
    const auto summary = summarise(dir.path(), "alice_20261122140509_c");
    EXPECT_EQ(summary->files_uid, 54321U) << "one that is not root's is enough: " << suffix;
    EXPECT_EQ(summary->files_user, "54321");
    EXPECT_EQ(summary->info.user, sample_info().user);
    ASSERT_EQ(::chown(path.c_str(), 0, 0), 0);
  }
}

TEST(FindRecording, ByUniquePrefixOfNameOrId) {
  const TempDir dir;
  SessionInfo info = sample_info();
  make_ended(dir, "alice_20261122140509_c", info);
  info.id = "fedcba9876543210";
  make_ended(dir, "alice_20261122140510_c", info);
  make_ended(dir, "alice_20261122140510_c", info);  // becomes -2
  const auto find = [&](const std::string& prefix) {
    auto found = find_recording(dir.path(), prefix);
    return found ? *found : std::string(code_name(found.error().code)) + ": " + found.error().message;
  };
  EXPECT_EQ(find("alice_20261122140509"), dir.file("alice_20261122140509_c"));
  EXPECT_EQ(find("alice_20261122140510_c"), dir.file("alice_20261122140510_c"));  // exact wins over -2
  EXPECT_EQ(find("0123"), dir.file("alice_20261122140509_c"));
  EXPECT_EQ(find("alice_20261122140509_c.log"), dir.file("alice_20261122140509_c"));
  EXPECT_EQ(find("./some/path"), "./some/path");
  EXPECT_EQ(find("alice").substr(0, 8), "invalid:");
  EXPECT_NE(find("alice").find("alice_20261122140510_c-2"), std::string::npos);
  EXPECT_EQ(find("fedc").substr(0, 8), "invalid:");
  EXPECT_EQ(find("nobody").substr(0, 10), "not-found:");
  EXPECT_EQ(find("").substr(0, 8), "invalid:");
}

}  // namespace
}  // namespace opelog::format
