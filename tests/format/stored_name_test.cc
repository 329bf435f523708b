#include "format/stored_name.h"

#include <gtest/gtest.h>

namespace opelog::format {
namespace {

struct NameCase {
  const char* name;
  const char* file;
  const char* rotation;
  Encoding encoding;
};

TEST(StoredName, TakesApartWhatCompressorsAndLogrotateLeave) {
  const NameCase cases[] = {
      {"x.log", "x.log", "", Encoding::kPlain},
      {"x.log.zst", "x.log", "", Encoding::kZstd},
      {"x.time.gz", "x.time", "", Encoding::kGzip},
      {"x.log.1", "x.log", ".1", Encoding::kPlain},
      {"x.log.12.gz", "x.log", ".12", Encoding::kGzip},
      {"x.in.3.zst", "x.in", ".3", Encoding::kZstd},
      {"x.time-20261126", "x.time", "-20261126", Encoding::kPlain},
      {"x.time-2026112613.gz", "x.time", "-2026112613", Encoding::kGzip},
      {"x.log-20261126-1790000000", "x.log", "-20261126-1790000000", Encoding::kPlain},
      {"x.log-20261126-1790000000.zst", "x.log", "-20261126-1790000000", Encoding::kZstd},
      {"x.typescript.1", "x.typescript", ".1", Encoding::kPlain},
      // A recording's own name may look like a rotation, or hold one.
      {"u_20261122140509_10.0.0.1.log", "u_20261122140509_10.0.0.1.log", "", Encoding::kPlain},
      {"u_20261122140509_h-20261126.log.2", "u_20261122140509_h-20261126.log", ".2", Encoding::kPlain},
      {"u_20261122140509_10.0.0.1", "u_20261122140509_10.0.0.1", "", Encoding::kPlain},
      {"host.in-20261126.log", "host.in-20261126.log", "", Encoding::kPlain},
      // None of these is a rotation.
      {"x.log.01", "x.log.01", "", Encoding::kPlain},
      {"x.log.123456", "x.log.123456", "", Encoding::kPlain},
      {"x.log-2026", "x.log-2026", "", Encoding::kPlain},
      {"x.log-", "x.log-", "", Encoding::kPlain},
      {"x.log.1.1", "x.log.1.1", "", Encoding::kPlain},
      {"notes.1", "notes.1", "", Encoding::kPlain},
      {".log.1", ".log.1", "", Encoding::kPlain},
      {"20261126", "20261126", "", Encoding::kPlain},
      {".zst", ".zst", "", Encoding::kPlain},
      {"", "", "", Encoding::kPlain},
  };
  for (const NameCase& c : cases) {
    const StoredName stored = parse_stored_name(c.name);
    EXPECT_EQ(stored.file, c.file) << c.name;
    EXPECT_EQ(stored.rotation, c.rotation) << c.name;
    EXPECT_EQ(stored.encoding, c.encoding) << c.name;
  }
}

TEST(StoredName, TimingOrOutputMakesARecording) {
  for (const char* name : {"x.log", "x.time", "x.log.zst", "x.time.1", "x.log-20261126.gz"})
    EXPECT_EQ(recording_of(name), "x") << name;
  for (const char* name :
       {"x.in", "x.in.zst", "x", ".log", ".log.zst", ".time.1", "x.zst", "x.log.1.1", "x.log.bz2"})
    EXPECT_EQ(recording_of(name), std::nullopt) << name;
  EXPECT_EQ(recording_of("x.log.time"), "x.log");
  EXPECT_EQ(recording_of("x.log.1.time"), "x.log.1");
}

}  // namespace
}  // namespace opelog::format
