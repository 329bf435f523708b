// The store's own count, so that nothing is given to a manager that would close it without a word.
#include "record/fd_store_io.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <optional>
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
  EXPECT_FALSE(one->put({{"c", {0}}, {"d", {1}}}));
  EXPECT_EQ(one->count(), 4U);
  EXPECT_TRUE(one->put({{"c", {0}}, {"d", {}}}));
  one->remove("a");
  one->remove("nothing");
  EXPECT_EQ(one->count(), 3U);
  EXPECT_TRUE(one->put({{"c", {0, 1}}}));
  one->remove("c");
  EXPECT_EQ(one->count(), 2U);
  EXPECT_FALSE(one->put({{"bad", {-1}}})) << "what cannot be duplicated is not half a session";
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
  for (const char* name : {"opelog-session-1", "opelog-session-1", "opelog-outer-1", "login", "opelog-exec"})
    passed.push_back({name, testing::copy_of(0)});
  const KeptSessions kept = take_kept(passed);
  EXPECT_EQ(passed.size(), 1U);
  EXPECT_EQ(kept.there,
            (FdStore::Counts{{"opelog-session-1", 2}, {"opelog-outer-1", 1}, {"opelog-exec", 1}}));
  auto one = store("4", kept.there);
  EXPECT_FALSE(one->put({{"x", {0}}}));
}

}  // namespace
}  // namespace opelog::record
