// The store's own count, so that nothing is given to a manager that would close it without a word.
#include "record/fd_store_io.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <optional>
#include <set>
#include <string>

#include "kept_scene.h"
#include "record/kept_sessions_io.h"
#include "record/systemd_io.h"

namespace opelog::record {
namespace {

class StoreTest : public ::testing::Test {
 protected:
  void TearDown() override { ::unsetenv("FDSTORE"); }
  std::unique_ptr<FdStore> store(const char* most, FdStore::Counts there = {}) {
    ::setenv("FDSTORE", most, 1);
    return FdStore::open(loop_, std::move(there));
  }
  testing::DeafManager manager_;
  Loop loop_;
};

TEST_F(StoreTest, TakesAllOfASessionOrNothing) {
  auto one = store("5", {{"opelog-exec", 1}});
  EXPECT_TRUE(one->put({{"a", {0, 1}}, {"b", {2}}}));
  EXPECT_EQ(one->count(), 4U);
  const Status full = one->put({{"c", {0}}, {"d", {1}}});
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, Code::kLimit);
  EXPECT_EQ(one->count(), 4U);
  EXPECT_TRUE(one->put({{"c", {0}}, {"d", {}}}));
  one->remove("a");
  one->remove("nothing");
  EXPECT_EQ(one->count(), 3U);
  EXPECT_TRUE(one->put({{"c", {0, 1}}}));
  one->remove("c");
  EXPECT_EQ(one->count(), 2U);
  const Status bad = one->put({{"c", {0}}, {"bad", {-1}}});
  ASSERT_FALSE(bad) << "what cannot be duplicated is not half a session";
  EXPECT_EQ(bad.error().err, EBADF);
  EXPECT_EQ(one->count(), 2U);
  one->quiesce();
}

TEST_F(StoreTest, HoldsWhatTheManagerSays) {
  EXPECT_EQ(store("17")->most(), 17U);
  for (const char* none : {"", "x", "-1", "12x", "99999999999999999999999"}) {
    auto one = store(none);
    EXPECT_EQ(one->most(), kStoreMost) << none;
  }
}

// The next daemon is given one name for each descriptor, all in one string of its environment.
TEST_F(StoreTest, NamesAreShortEnoughForThousandsOfSessions) {
  auto one = store("100000");
  const std::vector<int> inside(7, 0), outside(1, 0);
  std::set<std::string> slots;
  for (int i = 0; i < 2000; ++i) {
    const std::string slot = one->free_slot({kept_name(""), kept_outer_name("")});
    ASSERT_TRUE(slots.insert(slot).second) << slot;
    ASSERT_TRUE(one->put({{kept_name(slot), inside}, {kept_outer_name(slot), outside}})) << i;
  }
  const std::string first = *slots.begin();
  one->remove(kept_outer_name(first));
  EXPECT_NE(one->free_slot({kept_name(""), kept_outer_name("")}), first) << "half of it is in use";
}

TEST_F(StoreTest, NoMoreNamesThanAProgramCanBeGiven) {
  auto one = store("100000");
  const std::string name(kStoreNameBytes / 3 - 1, 'n');
  EXPECT_TRUE(one->put({{name, {0, 0, 0}}}));
  EXPECT_FALSE(one->put({{"x", {0}}}));
  EXPECT_EQ(one->count(), 3U);
  one->remove(name);
  EXPECT_TRUE(one->put({{"x", {0}}}));
}

TEST_F(StoreTest, TheUnitSaysTheSameNumber) {
  std::ifstream unit(std::string(OPELOG_SOURCE_DIR) + "/units/opelogd.service");
  std::optional<std::string> most;
  const std::string key = "FileDescriptorStoreMax=";
  for (std::string line; std::getline(unit, line);) {
    if (line.starts_with(key)) most = line.substr(key.size());
  }
  ASSERT_TRUE(most);
  EXPECT_EQ(*most, std::to_string(kStoreMost));
}

TEST_F(StoreTest, WhatWasLeftInItCounts) {
  std::vector<PassedFd> passed;
  for (const char* name : {"oi1", "oi1", "oo1", "login", "opelog-exec"})
    passed.push_back({name, testing::copy_of(0)});
  const KeptSessions kept = take_kept(passed);
  EXPECT_EQ(passed.size(), 1U);
  EXPECT_EQ(kept.there, (FdStore::Counts{{"oi1", 2}, {"oo1", 1}, {"opelog-exec", 1}}));
  auto one = store("4", kept.there);
  EXPECT_FALSE(one->put({{"x", {0}}}));
}

}  // namespace
}  // namespace opelog::record
