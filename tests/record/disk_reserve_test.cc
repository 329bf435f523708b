#include "record/disk_reserve.h"

#include <gtest/gtest.h>

namespace opelog::record {
namespace {

constexpr std::uint64_t kM = 1 << 20U, kBig = 100000 * kM;
constexpr std::uint32_t kFlooder = 5000, kOther = 5001;

struct Reserved {
  explicit Reserved(std::uint64_t wanted) {
    reserve.look = [this] { ++looks; };
    reserve.configure(wanted);
  }
  void looked(std::uint64_t free, std::uint64_t size = kBig) {
    reserve.looked(free, size, reserve.written());
  }
  DiskReserve reserve;
  int looks = 0;
};

TEST(DiskReserve, WhoFloodsMeetsTheEndOfHisPartAndOthersDoNot) {
  Reserved r(64 * kM);
  r.looked(63 * kM);
  EXPECT_TRUE(r.reserve.low());
  EXPECT_EQ(r.reserve.part(), kM);
  r.reserve.wrote(kFlooder, kM - 1);
  EXPECT_TRUE(r.reserve.may_write(kFlooder));
  r.reserve.wrote(kFlooder, 1);
  EXPECT_FALSE(r.reserve.may_write(kFlooder));
  EXPECT_TRUE(r.reserve.may_write(kOther));
  r.looked(63 * kM);
  EXPECT_FALSE(r.reserve.may_write(kFlooder)) << "the same shortage";
  r.looked(64 * kM);
  EXPECT_TRUE(r.reserve.may_write(kFlooder));
  r.looked(64 * kM - 1);
  EXPECT_TRUE(r.reserve.may_write(kFlooder)) << "another one: it begins anew";
}

TEST(DiskReserve, WhatIsWrittenBetweenLooksCounts) {
  Reserved r(64 * kM);
  r.looked(70 * kM);
  r.reserve.wrote(kFlooder, 6 * kM);
  EXPECT_FALSE(r.reserve.low());
  EXPECT_EQ(r.looks, 0);
  r.reserve.wrote(kFlooder, kM);
  EXPECT_TRUE(r.reserve.low());
  EXPECT_FALSE(r.reserve.may_write(kFlooder))
      << "nobody has looked yet, and he cannot write the reserve away";
  EXPECT_TRUE(r.reserve.may_write(kOther));
  r.reserve.wrote(kOther, 1);
  EXPECT_EQ(r.looks, 1) << "asked for once";
  r.looked(100 * kM);
  EXPECT_TRUE(r.reserve.may_write(kFlooder)) << "the disk is not as full as it seemed";
}

TEST(DiskReserve, WhatIsWrittenWhileSomebodyLooksCountsToo) {
  Reserved r(64 * kM);
  const std::uint64_t before = r.reserve.written();
  r.reserve.wrote(kFlooder, 5 * kM);
  r.reserve.looked(68 * kM, kBig, before);
  EXPECT_TRUE(r.reserve.low()) << "68 MiB were free before the 5";
}

TEST(DiskReserve, OfASmallDiskAPartOnly) {
  Reserved r(64 * kM);
  r.looked(kM, 16 * kM);
  EXPECT_FALSE(r.reserve.low());
  EXPECT_EQ(r.reserve.reserve(), kM / 2);
  EXPECT_EQ(r.reserve.part(), 8192U);
  r.looked(kM / 2 - 1, 16 * kM);
  EXPECT_TRUE(r.reserve.low());
}

TEST(DiskReserve, NoneOrNotLookedYetStopsNobody) {
  Reserved none(0), unseen(64 * kM);
  none.looked(0);
  for (Reserved* r : {&none, &unseen}) {
    r->reserve.wrote(kFlooder, 1ULL << 50U);
    EXPECT_TRUE(r->reserve.may_write(kFlooder));
    EXPECT_FALSE(r->reserve.low());
  }
}

TEST(DiskReserve, ANewPolicyForgetsWhatWasKnown) {
  Reserved r(64 * kM);
  r.looked(0);
  r.reserve.wrote(kFlooder, 2 * kM);
  EXPECT_FALSE(r.reserve.may_write(kFlooder));
  r.reserve.configure(0);
  EXPECT_TRUE(r.reserve.may_write(kFlooder));
}

}  // namespace
}  // namespace opelog::record
