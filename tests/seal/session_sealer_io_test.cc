// Writer and sealer together: when seals are made, and that a refused one leaves no trace.
#include "seal/session_sealer_io.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>

#include "../format/support_io.h"
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
  std::unique_ptr<format::RecordingWriter> open() {
    auto options = options_for(dir_);
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
    auto writer = format::RecordingWriter::create(options, sample_info(), kBegin);
    return writer ? std::move(*writer) : nullptr;
  }
  Files files() const {
    return {slurp(dir_.file(std::string(format::testing::kName) + ".log")),
            slurp(dir_.file(std::string(format::testing::kName) + ".time")), std::nullopt};
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

}  // namespace
}  // namespace opelog::seal
