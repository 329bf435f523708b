#include "format/stored_file_io.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <functional>

#include "format/recording_directory_io.h"
#include "format/zstd_bytes.h"
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
using testing::Told;

std::string text_of(std::size_t size) {
  std::string text;
  for (unsigned i = 0; text.size() < size; ++i) text += "line " + std::to_string(i * 2654435761U) + "\r\n";
  text.resize(size);
  return text;
}

/// Packed by the program itself.
std::string packed_by(const TempDir& dir, const std::vector<std::string>& program, const std::string& plain) {
  spill(dir.file("plain"), plain);
  std::vector<std::string> argv = program;
  argv.push_back(dir.file("plain"));
  const auto ran = testing::run(argv);
  EXPECT_EQ(ran.status, 0) << ran.err;
  ::unlink(dir.file("plain").c_str());
  return ran.out;
}

struct Packer {
  const char* suffix;
  std::vector<std::string> program;
};
std::vector<Packer> packers() {
  return {{".zst", {"zstd", "-q", "-c"}},
          {".zst", {"zstd", "-q", "-19", "-c", "--no-check"}},
          {".gz", {"gzip", "-c"}}};
}

struct Unpacked {
  std::string bytes, problem;
  Code code = Code::kIo;
};
Unpacked unpack(StoredFile& file, std::size_t piece) {
  Unpacked all;
  std::string buffer(piece, '\0');
  for (;;) {
    auto got = file.read_at(buffer.data(), buffer.size(), all.bytes.size());
    if (!got) {
      all.problem = got.error().message;
      all.code = got.error().code;
      return all;
    }
    if (*got == 0) return all;
    all.bytes.append(buffer, 0, *got);
  }
}
Unpacked unpack(const TempDir& dir, const std::string& name, std::size_t piece = 8192) {
  auto file = open_stored_file(dir.path() + "/", name);
  if (!file) return {"", file.error().message, file.error().code};
  return unpack(**file, piece);
}

TEST(StoredFile, GivesTheSameBytesHoweverTheyAreStored) {
  const TempDir dir;
  const std::string plain = text_of(60000);
  spill(dir.file("x.log"), plain);
  std::vector<std::string> names = {"x.log"};
  for (const Packer& p : packers()) {
    names.push_back("x" + std::to_string(names.size()) + ".log" + p.suffix);
    spill(dir.file(names.back()), packed_by(dir, p.program, plain));
  }
  // Two frames, two members: what `cat` of two compressed files makes.
  for (const Packer& p : packers()) {
    names.push_back("x" + std::to_string(names.size()) + ".log" + p.suffix);
    spill(dir.file(names.back()),
          packed_by(dir, p.program, plain.substr(0, 20000)) + packed_by(dir, p.program, plain.substr(20000)));
  }
  for (const std::string& name : names) {
    auto file = open_stored_file(dir.path() + "/", name);
    ASSERT_TRUE(file.ok()) << name;
    const auto last = (*file)->last(1000);
    ASSERT_TRUE(last.ok()) << last.error().message;
    EXPECT_EQ(*last, plain.substr(plain.size() - 1000)) << name;
    EXPECT_EQ((*file)->last(plain.size() + 5).value(), plain) << name;
    for (const std::size_t piece :
         {std::size_t{1}, std::size_t{4096}, std::size_t{65536}, plain.size() + 1}) {
      if (piece == 1 && name != names[1]) continue;
      const Unpacked all = unpack(**file, piece);
      EXPECT_EQ(all.problem, "") << name;
      EXPECT_TRUE(all.bytes == plain) << name << " by " << piece;
    }
    // Onward over a gap, and back again.
    std::string some(10, '\0');
    for (const std::size_t at : {0U, 50000U, 7U, 59995U, 80000U}) {
      const auto got = (*file)->read_at(some.data(), some.size(), at);
      ASSERT_TRUE(got.ok());
      EXPECT_EQ(some.substr(0, *got), at < plain.size() ? plain.substr(at, 10) : "") << name << " at " << at;
    }
    EXPECT_EQ((*file)->size().value(), plain.size()) << name;
    EXPECT_EQ((*file)->facts().size, slurp(dir.file(name)).size());
  }
  EXPECT_EQ(open_stored_file(dir.path() + "/", "x1.log.zst").value()->claimed_size(), plain.size());
  EXPECT_EQ(open_stored_file(dir.path() + "/", "x3.log.gz").value()->claimed_size(), plain.size());
}

TEST(StoredFile, EveryTruncationIsNamedAfterWhatCouldBeUnpacked) {
  const TempDir dir;
  const std::string plain = text_of(1200);
  for (const Packer& p : packers()) {
    const std::string packed = packed_by(dir, p.program, plain);
    const std::string name = std::string("x.log") + p.suffix;
    for (std::size_t size = 0; size < packed.size(); ++size) {
      spill(dir.file(name), packed.substr(0, size));
      const Unpacked cut = unpack(dir, name);
      EXPECT_EQ(cut.problem,
                name + ": byte " + std::to_string(size) + ": the compressed file ends before its data do")
          << p.program[0] << size;
      EXPECT_EQ(cut.code, Code::kInvalid);
      EXPECT_EQ(cut.bytes, plain.substr(0, cut.bytes.size()));
    }
    spill(dir.file(name), packed);
    EXPECT_EQ(unpack(dir, name).bytes, plain);
  }
}

TEST(StoredFile, DamageIsNamedOrChangesNothing) {
  const TempDir dir;
  const std::string plain = text_of(1000);
  // With a checksum, as both programs write one unless told otherwise.
  for (const auto& [suffix, program] :
       {std::pair<std::string, std::vector<std::string>>{".zst", {"zstd", "-q", "-c"}},
        {".gz", {"gzip", "-n", "-c"}}}) {
    const std::string packed = packed_by(dir, program, plain);
    const std::string name = "x.log" + suffix;
    for (std::size_t at = 0; at < packed.size(); ++at) {
      for (const char mask : {'\x01', '\x80'}) {
        std::string damaged = packed;
        damaged[at] = static_cast<char>(damaged[at] ^ mask);
        spill(dir.file(name), damaged);
        const Unpacked got = unpack(dir, name);
        if (got.problem.empty()) {
          EXPECT_EQ(got.bytes, plain) << name << " byte " << at;
        } else {
          EXPECT_EQ(got.code, Code::kInvalid);
          EXPECT_EQ(got.problem.rfind(name + ": byte ", 0), 0U) << got.problem;
        }
      }
    }
    spill(dir.file(name), packed + "rubbish behind it");
    const Unpacked behind = unpack(dir, name);
    EXPECT_EQ(behind.bytes, plain);
    EXPECT_NE(behind.problem.find("damaged"), std::string::npos) << behind.problem;
  }
  spill(dir.file("no.log.zst"), "not compressed at all");
  spill(dir.file("no.log.gz"), "not compressed at all");
  EXPECT_NE(unpack(dir, "no.log.zst").problem.find("no.log.zst: byte 0"), std::string::npos);
  EXPECT_NE(unpack(dir, "no.log.gz").problem.find("damaged: incorrect header check"), std::string::npos);
}

TEST(StoredFile, OfOthersOnlySoMuchIsUnpacked) {
  const TempDir dir;
  // 320 MiB of zeros in some 10 KiB.
  ZstdPacker packer(320ULL << 20U, 1);
  const std::string zeros(1 << 20, '\0');
  std::string packed;
  for (int i = 1; i <= 320; ++i) packed += packer.take(zeros, i == 320).value();
  spill(dir.file("x.log.zst"), packed);
  EXPECT_EQ(open_stored_file(dir.path() + "/", "x.log.zst").value()->size().value(), 320ULL << 20U);
  ASSERT_EQ(::chown(dir.file("x.log.zst").c_str(), 65534, 65534), 0);
  auto size = open_stored_file(dir.path() + "/", "x.log.zst").value()->size();
  ASSERT_FALSE(size.ok());
  EXPECT_NE(size.error().message.find("not root's"), std::string::npos) << size.error().message;
}

TEST(StoredFile, ChoosesThePlainOneUnlessItIsEmptyThenTheOneWithMostContent) {
  const TempDir dir;
  const auto chosen = [&] {
    auto file = open_stored(dir.path() + "/", "x.log");
    return file ? (*file)->name() : std::string(code_name(file.error().code));
  };
  EXPECT_EQ(chosen(), "not-found");
  spill(dir.file("x.log"), "");
  EXPECT_EQ(chosen(), "x.log") << "there is no other";
  // Cycles of copytruncate: the newest rotations are empty.
  spill(dir.file("x.log.1"), "");
  spill(dir.file("x.log.2.gz"), packed_by(dir, {"gzip", "-c"}, ""));
  EXPECT_EQ(chosen(), "x.log");
  spill(dir.file("x.log.3.gz"), packed_by(dir, {"gzip", "-c"}, text_of(500)));
  EXPECT_EQ(chosen(), "x.log.3.gz");
  spill(dir.file("x.log-20261126.zst"), zstd_pack(text_of(400), 3));
  EXPECT_EQ(chosen(), "x.log.3.gz");
  spill(dir.file("x.log-20261125"), text_of(600));
  EXPECT_EQ(chosen(), "x.log-20261125");
  spill(dir.file("x.log.zst"), zstd_pack("short", 3));
  EXPECT_EQ(chosen(), "x.log.zst");
  spill(dir.file("x.log"), "a");
  EXPECT_EQ(chosen(), "x.log");
  // Another recording's, and no regular file.
  spill(dir.file("x.log.log.1"), text_of(900));
  ::unlink(dir.file("x.log").c_str());
  ASSERT_EQ(::symlink("x.log.zst", dir.file("x.log").c_str()), 0);
  EXPECT_EQ(chosen(), "denied");
}

// Recordings -----------------------------------------------------------------------------------------------

void make_recorded(const TempDir& dir, const std::string& output) {
  WriterOptions options = options_for(dir, kName);
  options.input = true;
  auto writer = RecordingWriter::create(options, sample_info(), 0);
  ASSERT_TRUE(writer.ok());
  std::int64_t at = 0;
  for (std::size_t i = 0; i < output.size(); i += 5000)
    (void)*(*writer)->output(std::string_view(output).substr(i, 5000), at += 50000);
  (void)*(*writer)->input("typed", at += 50000);
  EndInfo end;
  end.bytes_out = output.size();
  end.bytes_in = 5;
  ASSERT_TRUE((*writer)->end(end, at + 1000).ok());
}

void rename_in(const TempDir& dir, const std::string& from, const std::string& to) {
  ASSERT_EQ(::rename(dir.file(from).c_str(), dir.file(to).c_str()), 0) << from;
}
void pack_in(const TempDir& dir, const std::string& from, const std::vector<std::string>& program,
             const std::string& to) {
  spill(dir.file(to), packed_by(dir, program, slurp(dir.file(from))));
  ::unlink(dir.file(from).c_str());
}

TEST(StoredRecording, IsListedSummarisedFoundAndReadHoweverItIsStored) {
  const std::string name = kName;
  const std::string output = text_of(200000);
  const std::vector<std::string> ends = {".log", ".time", ".in"};
  using Store = std::function<void(const TempDir&)>;
  const std::vector<std::pair<std::string, Store>> ways = {
      {"", [](const TempDir&) {}},
      {"zstd",
       [&](const TempDir& d) {
         for (auto& e : ends) pack_in(d, name + e, {"zstd", "-q", "-c"}, name + e + ".zst");
       }},
      {"gzip",
       [&](const TempDir& d) {
         for (auto& e : ends) pack_in(d, name + e, {"gzip", "-c"}, name + e + ".gz");
       }},
      {"rotated",
       [&](const TempDir& d) {
         for (auto& e : ends) rename_in(d, name + e, name + e + ".1");
       }},
      {"rotated, gzip",
       [&](const TempDir& d) {
         for (auto& e : ends) {
           pack_in(d, name + e, {"gzip", "-c"}, name + e + "-20261126.gz");
           spill(d.file(name + e), "");
         }
       }},
      {"zstd and plain",
       [&](const TempDir& d) {
         pack_in(d, name + ".log", {"zstd", "-q", "-c"}, name + ".log.zst");
       }},
      {"plain and rotated, zstd",
       [&](const TempDir& d) {
         pack_in(d, name + ".time", {"zstd", "-q", "-c"}, name + ".time-20261126-1790000000.zst");
       }},
  };
  for (const auto& [how, store] : ways) {
    const TempDir dir;
    make_recorded(dir, output);
    const auto before = summarise(dir.path(), name);
    const Told plain = read_all(dir.file(name));
    ASSERT_EQ(plain.outcome, Outcome::kEnd);
    store(dir);
    EXPECT_EQ(list_names(dir.path()).value(), std::vector<std::string>{name}) << how;
    const auto summary = summarise(dir.path(), name);
    ASSERT_TRUE(summary.ok()) << how;
    EXPECT_EQ(summary->state, RecordingState::kEnded) << how << summary->problem;
    EXPECT_EQ(summary->info, before->info) << how;
    EXPECT_EQ(summary->duration_us, before->duration_us) << how;
    EXPECT_EQ(summary->log_bytes, before->log_bytes) << how;
    EXPECT_EQ(summary->stored, how);
    EXPECT_EQ(find_recording(dir.path(), "alice").value(), dir.file(name));
    EXPECT_EQ(find_recording(dir.path(), "01234567").value(), dir.file(name));
    const Told told = read_all(dir.file(name));
    EXPECT_EQ(told.outcome, Outcome::kEnd) << how << told.problem;
    EXPECT_TRUE(told.output == output) << how;
    EXPECT_EQ(told.input, "typed") << how;
    EXPECT_EQ(told.events.size(), plain.events.size()) << how;
    auto reader = RecordingReader::open(dir.file(name));
    ASSERT_TRUE(reader.ok());
    (void)read_all(**reader);
    ASSERT_TRUE((*reader)->rewind().ok());
    EXPECT_TRUE(read_all(**reader).output == output) << "again, " << how;
    for (const std::string& file : dir.entries()) {
      auto by_file = RecordingReader::open(dir.file(file));
      EXPECT_TRUE(by_file.ok()) << file;
    }
  }
}

TEST(StoredRecording, EveryTruncationComesToANamedEnd) {
  const std::string name = kName;
  const std::string output = text_of(600);
  for (const std::string& end : {std::string(".time"), std::string(".log")}) {
    const TempDir dir;
    make_recorded(dir, output);
    const std::string packed = packed_by(dir, {"zstd", "-q", "-c"}, slurp(dir.file(name + end)));
    ::unlink(dir.file(name + end).c_str());
    for (std::size_t size = 0; size < packed.size(); size += OPELOG_SAMPLE) {
      spill(dir.file(name + end + ".zst"), packed.substr(0, size));
      const Told told = read_all(dir.file(name));
      EXPECT_EQ(told.outcome, Outcome::kCorrupt) << end << size;
      EXPECT_NE(told.problem.find(name + end + ".zst: byte "), std::string::npos) << told.problem;
      EXPECT_EQ(told.output, output.substr(0, told.output.size()));
      const auto summary = summarise(dir.path(), name);
      ASSERT_TRUE(summary.ok());
      EXPECT_EQ(summary->state, end == ".time" ? RecordingState::kCorrupt : RecordingState::kEnded) << size;
    }
  }
}

// What is verified is .log and .time, wherever they are: nothing beside them may be shown in their place.
TEST(StoredRecording, NothingPutBesideARotatedOneIsTakenForIt) {
  const TempDir dir;
  const std::string base = dir.file("alice_20261122140509_192.0.2.7");
  spill(base + ".log.1",
        "Script started on 2026-11-22 14:05:09+00:00 [<not executed on terminal>]\ntrue\r\n");
  spill(base + ".time.1", "H 0.000000 OPELOG_NOTE x\nO 0.100000 6\n");
  spill(base + ".typescript",
        "Script started on 2026-11-22 14:05:09+00:00 [<not executed on terminal>]\nforged\r\n");
  spill(base + ".timing", "0.1 8\n");
  EXPECT_EQ(testing::read_all(base).output, "true\r\n");
}

TEST(StoredRecording, OfCopytruncateTheCopyIsRead) {
  const std::string name = kName;
  const TempDir dir;
  make_recorded(dir, "hello");
  for (const char* end : {".log", ".time"}) {
    spill(dir.file(name + end + ".1"), slurp(dir.file(name + end)));
    spill(dir.file(name + end), "");
  }
  EXPECT_EQ(summarise(dir.path(), name)->state, RecordingState::kEnded);
  EXPECT_EQ(read_all(dir.file(name)).output, "hello");
}

}  // namespace
}  // namespace opelog::format
