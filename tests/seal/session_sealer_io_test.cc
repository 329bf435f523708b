// Writer and sealer together: when seals are made, and that a refused one leaves no trace.
#include "seal/session_sealer_io.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <tuple>
#include <vector>

#include "../format/support_io.h"
#include "core/host_id_io.h"
#include "format/recording_writer_io.h"
#include "made_host_io.h"
#include "seal/sealed_timing.h"

namespace opelog::seal {
namespace {

using format::testing::options_for;
using format::testing::sample_info;
using format::testing::slurp;
using format::testing::TempDir;
using testing::Files;
using testing::MadeHost;
using testing::words;

int full_from = 1 << 30;  // of the write calls
int calls = 0;
std::ptrdiff_t filling_write(int fd, const void* data, std::size_t size) {
  if (++calls < full_from) return ::write(fd, data, size);
  errno = ENOSPC;
  return -1;
}

class Sealer : public ::testing::Test {
 protected:
  Sealer() { calls = 0, full_from = 1 << 30; }
  std::unique_ptr<format::RecordingWriter> open(bool input = false,
                                                const std::string& boot = "another boot") {
    auto options = options_for(dir_);
    options.input = input;
    options.write = filling_write;
    options.opened = [this](const std::string& name) -> Result<format::Sealing> {
      auto key = SigningKey::generate();
      OpenedEntry opened;
      opened.no = 1;
      opened.recording = name;
      opened.key = key->public_key();
      line_ = encode_entry({0, 1, opened});
      return format::Sealing{
          std::make_unique<SessionSealer>(1, leaf_hash(line_), std::move(*key),
                                          [this](EntryBody b) { told_.push_back(std::move(b)); }),
          line_};
    };
    auto info = sample_info();
    info.boot_id = boot;
    auto writer = format::RecordingWriter::create(options, info, kBegin);
    return writer ? std::move(*writer) : nullptr;
  }
  static std::string path(const TempDir& dir, const char* suffix) {
    return dir.file(format::testing::kName + std::string(suffix));
  }
  Files files(bool input = false) const {
    return {slurp(path(dir_, ".log")), slurp(path(dir_, ".time")),
            input ? std::optional(slurp(path(dir_, ".in"))) : std::nullopt};
  }
  std::string repair() const {
    auto done = format::repair_tail(dir_.fd(), format::testing::kName, 1, seal_knowledge());
    return done ? *done : "failed: " + done.error().message;
  }
  std::size_t seals() const {
    SealedTiming timing;
    timing.feed(*files()[1]);
    return timing.seals.size();
  }
  std::vector<std::string> findings() const {
    return words(MadeHost::verdict(format::testing::kName, files(), nullptr).findings);
  }

  static constexpr MonoUs kBegin = 1000000;
  TempDir dir_;
  std::string line_;
  std::vector<EntryBody> told_;
};

TEST_F(Sealer, ASecondAfterTheFirstByteAndNotForItsOwnLine) {
  auto writer = open();
  ASSERT_TRUE(writer);
  ASSERT_TRUE(writer->output("a", kBegin + 10).ok());
  EXPECT_EQ(writer->flush_deadline(), kBegin + 10 + format::kTimingWriteUs);
  ASSERT_TRUE(writer->flush(kBegin + 200000).ok());
  EXPECT_EQ(writer->flush_deadline(), kBegin + format::kSealUs) << "the header is the first that none covers";
  ASSERT_TRUE(writer->flush(kBegin + format::kSealUs).ok());
  EXPECT_EQ(seals(), 1U);
  EXPECT_EQ(writer->flush_deadline(), kBegin + format::kSealUs + format::kSealIdleUs);
  ASSERT_TRUE(writer->flush(kBegin + 2 * format::kSealUs).ok());
  EXPECT_EQ(seals(), 1U);
  ASSERT_TRUE(writer->flush(kBegin + format::kSealUs + format::kSealIdleUs).ok());
  EXPECT_EQ(seals(), 2U) << "where nothing happens";
  ASSERT_TRUE(writer->end({}, kBegin + 400 * kUsPerS).ok());
  EXPECT_EQ(seals(), 3U);
  EXPECT_FALSE(writer->flush_deadline());
  EXPECT_EQ(findings(), std::vector<std::string>{"no-ledger"});
}

TEST_F(Sealer, AfterAMebibyteOfOutput) {
  auto writer = open();
  ASSERT_TRUE(writer);
  const std::string chunk(64 * 1024, 'x');
  for (int i = 0; i < 3 * 16 + 1; ++i) ASSERT_TRUE(writer->output(chunk, kBegin + i).ok());
  EXPECT_EQ(seals(), 3U);
}

TEST_F(Sealer, ARefusedSealIsTriedAgainAndLeavesNoTrace) {
  auto writer = open();
  ASSERT_TRUE(writer);
  ASSERT_TRUE(writer->output("a", kBegin + 10).ok());
  ASSERT_TRUE(writer->flush(kBegin + 200000).ok());
  full_from = 0;
  EXPECT_FALSE(writer->flush(kBegin + format::kSealUs + 20).ok());
  EXPECT_EQ(writer->flush_deadline(), kBegin + format::kSealUs + 20 + 100 * kUsPerMs);
  EXPECT_EQ(seals(), 0U);
  full_from = 1 << 30;
  ASSERT_TRUE(writer->flush(kBegin + 2 * format::kSealUs).ok());
  EXPECT_EQ(seals(), 1U);
  ASSERT_TRUE(writer->output("b", kBegin + 3 * format::kSealUs).ok());
  ASSERT_TRUE(writer->end({}, kBegin + 4 * format::kSealUs).ok());
  EXPECT_EQ(findings(), std::vector<std::string>{"no-ledger"});
}

TEST_F(Sealer, TheLedgerHearsOfSealsNowAndThenAndOfTheEnd) {
  auto writer = open();
  ASSERT_TRUE(writer);
  MonoUs now = kBegin;
  for (int i = 0; i < 70; ++i) {
    now += format::kSealUs;
    ASSERT_TRUE(writer->output("x", now).ok());
    ASSERT_TRUE(writer->flush(now + format::kSealUs / 2).ok());
  }
  std::size_t sealed = 0;
  for (const EntryBody& body : told_) sealed += std::holds_alternative<SealedEntry>(body) ? 1 : 0;
  EXPECT_EQ(sealed, 3U) << "the first, and every 30 s";
  format::EndInfo end;
  end.signal = 9;
  ASSERT_TRUE(writer->end(end, now + kUsPerS).ok());
  const auto& closed = std::get<ClosedEntry>(told_.back());
  EXPECT_EQ(closed.n, seals());
  EXPECT_EQ(closed.sizes, (FileSizes{files()[0]->size(), files()[1]->size(), 0}));
  EXPECT_EQ(closed.signal, 9);
}

TEST_F(Sealer, OneThatCannotBeBegunIsAbandoned) {
  full_from = 2;  // the header
  EXPECT_FALSE(open());
  ASSERT_EQ(told_.size(), 1U);
  EXPECT_EQ(std::get<ClosedEntry>(told_[0]).reason, kAbandoned);
  EXPECT_EQ(std::get<ClosedEntry>(told_[0]).n, 0U);
  EXPECT_TRUE(dir_.entries().empty());
}

TEST_F(Sealer, ItsRecordingPlaysInScriptreplay) {
  auto writer = open();
  ASSERT_TRUE(writer);
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(writer->output("line " + std::to_string(i) + "\r\n", kBegin + i * kUsPerS).ok());
    ASSERT_TRUE(writer->flush(kBegin + i * kUsPerS + kUsPerS / 2).ok());
  }
  ASSERT_TRUE(writer->end({}, kBegin + 6 * kUsPerS).ok());
  EXPECT_GE(seals(), 3U);
  const auto played = format::testing::replay(dir_.file(format::testing::kName));
  EXPECT_EQ(played.status, 0) << played.err;
  EXPECT_EQ(played.out, "line 0\r\nline 1\r\nline 2\r\nline 3\r\nline 4\r\n");
  EXPECT_EQ(format::repair_tail(dir_.fd(), format::testing::kName, 1).value(), "") << "it has an end";
}

// After a power cut zeros may be lost bytes; not where a seal proves that they were recorded.
struct Zeros {
  const char* name;
  std::vector<std::string> sealed;  ///< each by a seal of its own
  std::string unsealed;
  std::size_t taken;  ///< of all these bytes, at their end: zeros since the power cut
  std::size_t kept;   ///< of them, after the repair
};

const std::string kNuls(3, '\0'), kSectors(2 * 512, '\0'), kLong(5000, 'x');
const Zeros kZeros[] = {
    {"SealedZeros", {"one" + kNuls}, "", 0, 6},
    {"AFileOfNothingElse", {std::string(200000, '\0')}, "", 0, 200000},
    {"ASectorInTheLastBlock", {kLong + kSectors + "behind"}, "", 0, 6030},
    {"ASealBehindIt", {kLong + kSectors, "behind"}, "more", 0, 6034},
    {"UnsealedZerosBehind", {"one" + kNuls}, kNuls, 0, 6},
    {"UnsealedTextBehind", {kLong + kSectors}, "text", 0, 6028},
    {"UnsealedTextAndZerosBehind", {kLong + kSectors}, "text" + kNuls, 0, 6028},
    {"TheLastSealIsOfLostBytes", {"one" + kNuls, "two"}, "x", 4, 6},
    {"TheLastTwoAre", {"one" + kNuls, "two", "three"}, "", 8, 6},
    {"PartOfIt", {"one" + kNuls, "two"}, "", 2, 7},
    {"NoSealFits", {"one" + kNuls, "two"}, "", 9, 0},
};

class SealerRepair : public Sealer,
                     public ::testing::WithParamInterface<std::tuple<Zeros, const char*, bool>> {
 protected:
  void put(format::RecordingWriter& writer, const std::string& bytes, MonoUs now) const {
    ASSERT_TRUE((input_ ? writer.input(bytes, now) : writer.output(bytes, now)).ok());
    ASSERT_TRUE(writer.flush(now + 200000).ok());
  }
  const Zeros& zeros_ = std::get<0>(GetParam());
  const char* suffix_ = std::get<1>(GetParam());
  bool same_boot_ = std::get<2>(GetParam());
  bool input_ = std::string(suffix_) == ".in";
};

TEST_P(SealerRepair, SparesZerosThatASealProves) {
  std::string all = zeros_.unsealed;
  {
    auto writer = open(true, same_boot_ ? boot_id() : "another boot");
    ASSERT_TRUE(writer);
    MonoUs now = kBegin;
    for (auto piece = zeros_.sealed.rbegin(); piece != zeros_.sealed.rend(); ++piece) all.insert(0, *piece);
    for (const std::string& piece : zeros_.sealed) {
      put(*writer, piece, now += 2 * kUsPerS);
      ASSERT_TRUE(writer->flush(now + kUsPerS + 1).ok());
    }
    if (!zeros_.unsealed.empty()) put(*writer, zeros_.unsealed, now + 3 * kUsPerS / 2);
  }
  ASSERT_EQ(seals(), zeros_.sealed.size());
  std::string bytes = slurp(path(dir_, suffix_));
  ASSERT_TRUE(bytes.ends_with(all));
  const std::size_t head = bytes.size() - all.size();
  spill(path(dir_, suffix_), bytes.replace(bytes.size() - zeros_.taken, zeros_.taken, zeros_.taken, '\0'));
  // In the same boot zeros may be lost ones only if .time has some.
  if (same_boot_) spill(path(dir_, ".time"), *files()[1] + std::string(100, '\0'));

  const std::string did = repair();
  const std::string left = slurp(path(dir_, suffix_));
  EXPECT_EQ(left.size(), head + zeros_.kept) << did;
  EXPECT_TRUE(bytes.starts_with(left));
  EXPECT_EQ(did.find("bytes of " + std::string(suffix_) + " that a power cut") == std::string::npos,
            zeros_.kept == all.size())
      << did;
  const auto verdict = MadeHost::verdict(format::testing::kName, files(true), nullptr);
  EXPECT_EQ(testing::has(verdict.findings, "cut-tail"), zeros_.kept < all.size() - zeros_.unsealed.size());
  EXPECT_FALSE(testing::has(verdict.findings, "altered"));
}

INSTANTIATE_TEST_SUITE_P(Zeros, SealerRepair,
                         ::testing::Combine(::testing::ValuesIn(kZeros), ::testing::Values(".log", ".in"),
                                            ::testing::Bool()),
                         [](const auto& param) {
                           return std::string(std::get<0>(param.param).name) +
                                  (std::string(std::get<1>(param.param)) == ".in" ? "Typed" : "Shown") +
                                  (std::get<2>(param.param) ? "InTheSameBoot" : "");
                         });

}  // namespace
}  // namespace opelog::seal
