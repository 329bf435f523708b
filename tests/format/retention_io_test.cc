#include "format/retention_io.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/recording_directory_io.h"
#include "format/stored_file_io.h"
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

std::unique_ptr<RecordingWriter> begun(const TempDir& dir, const std::string& name) {
  auto writer = RecordingWriter::create(options_for(dir, name), sample_info(), 0);
  EXPECT_TRUE(writer.ok());
  for (int i = 0; i < 200; ++i) (void)*(*writer)->output("a line that is there many times\r\n", 1000 + i);
  return std::move(*writer);
}
void make_closed(const TempDir& dir, const std::string& name) {
  EndInfo end;
  end.bytes_out = 200 * 33;
  ASSERT_TRUE(begun(dir, name)->end(end, 70000).ok());
}

TEST(GatherRecordings, CountsEveryFileHoweverItIsStored) {
  const TempDir dir;
  make_closed(dir, "b_20261122140509_c");
  make_closed(dir, kName);
  const std::string log = dir.file(std::string(kName) + ".log");
  ASSERT_EQ(::rename(log.c_str(), (log + ".1").c_str()), 0);
  spill(log + ".2.gz", "12345");
  const timespec times[2] = {{1700000000, 0}, {1700000000, 500000000}};
  for (const std::string& name : dir.entries())
    ASSERT_EQ(::utimensat(AT_FDCWD, dir.file(name).c_str(), times, 0), 0);
  auto live = begun(dir, "live_20261122140509_c");
  spill(dir.file("foreign.log"), "x");
  ASSERT_EQ(::chown(dir.file("foreign.log").c_str(), 65534, 65534), 0);
  spill(dir.file("notes.txt"), "x");
  std::size_t told = 0;
  auto all = gather_recordings(dir.path(), [&](std::size_t, std::size_t of) { told = of; });
  ASSERT_TRUE(all.ok()) << all.error().message;
  ASSERT_EQ(all->size(), 4U);
  EXPECT_EQ(told, 4U);
  const auto& rotated = (*all)[0];
  EXPECT_EQ(rotated.name, kName);
  EXPECT_EQ(rotated.id, sample_info().id);
  EXPECT_EQ(rotated.user, "alice");
  EXPECT_EQ(rotated.changed, 1700000000500000);
  const std::uint64_t timing = slurp(dir.file(std::string(kName) + ".time")).size();
  EXPECT_EQ(rotated.plain_bytes, timing);
  EXPECT_EQ(rotated.bytes, timing + slurp(log + ".1").size() + 5);
  EXPECT_FALSE(rotated.live || rotated.foreign);
  EXPECT_FALSE((*all)[1].live);
  EXPECT_EQ((*all)[2].name, "foreign");
  EXPECT_TRUE((*all)[2].foreign);
  EXPECT_TRUE((*all)[3].live);
  EXPECT_EQ(gather_recordings(dir.file("absent"), {}).error().code, Code::kNotFound);
  EXPECT_GT(free_bytes_of(dir.path()).value(), 0U);
}

TEST(CompressRecording, PutsWholeFilesBesideThePlainOnes) {
  const TempDir dir;
  const std::string name = kName;
  make_closed(dir, name);
  ASSERT_EQ(::chmod(dir.file(name + ".log").c_str(), 0640), 0);
  const timespec times[2] = {{1700000000, 0}, {1700000000, 500000000}};
  ASSERT_EQ(::utimensat(AT_FDCWD, dir.file(name + ".log").c_str(), times, 0), 0);
  auto bytes = compress_recording(dir.path(), name);
  ASSERT_TRUE(bytes.ok()) << bytes.error().message;
  EXPECT_EQ(dir.entries(),
            (std::vector<std::string>{name + ".log", name + ".log.zst", name + ".time", name + ".time.zst"}));
  EXPECT_EQ(*bytes, slurp(dir.file(name + ".log.zst")).size() + slurp(dir.file(name + ".time.zst")).size());
  EXPECT_LT(*bytes * 4, slurp(dir.file(name + ".log")).size());
  struct stat st {};
  ASSERT_EQ(::stat(dir.file(name + ".log.zst").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777U, 0640U);
  EXPECT_EQ(st.st_mtim.tv_sec, 1700000000);
  EXPECT_EQ(st.st_nlink, 1U);
  // The program itself unpacks them, and they say how large they are.
  const auto unpacked = testing::run({"zstd", "-q", "-d", "-c", dir.file(name + ".log.zst")});
  EXPECT_TRUE(unpacked.out == slurp(dir.file(name + ".log")));
  EXPECT_EQ(open_stored_file(dir.path() + "/", name + ".log.zst").value()->claimed_size(),
            unpacked.out.size());
  // Once more after a run that was interrupted: what is there is compared and kept.
  const ino_t inode = st.st_ino;
  ::unlink(dir.file(name + ".time.zst").c_str());
  EXPECT_EQ(compress_recording(dir.path(), name).value(), *bytes);
  ASSERT_EQ(::stat(dir.file(name + ".log.zst").c_str(), &st), 0);
  EXPECT_EQ(st.st_ino, inode);
  ::unlink(dir.file(name + ".log").c_str());
  ::unlink(dir.file(name + ".time").c_str());
  EXPECT_EQ(read_all(dir.file(name)).outcome, Outcome::kEnd);
  EXPECT_EQ(summarise(dir.path(), name)->stored, "zstd");
}

TEST(CompressRecording, WhatIsThereAndHoldsSomethingElseIsLeft) {
  const TempDir dir;
  const std::string name = kName;
  make_closed(dir, name);
  for (const std::string& other : {std::string("no zstd"), std::string()}) {
    spill(dir.file(name + ".log.zst"), other);
    EXPECT_FALSE(compress_recording(dir.path(), name).ok());
    EXPECT_EQ(slurp(dir.file(name + ".log.zst")), other);
  }
  ::unlink(dir.file(name + ".log.zst").c_str());
  ASSERT_EQ(::symlink("/etc/passwd", dir.file(name + ".log.zst").c_str()), 0);
  EXPECT_EQ(compress_recording(dir.path(), name).error().code, Code::kDenied);
  spill(dir.file("empty.log"), "");
  EXPECT_TRUE(compress_recording(dir.path(), "empty").ok());
  EXPECT_EQ(open_stored_file(dir.path() + "/", "empty.log.zst").value()->size().value(), 0U);
}

}  // namespace
}  // namespace opelog::format
