#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

extern "C" {
#include "shim/environment.h"
}

namespace {

struct Environment {
  explicit Environment(std::string bytes) : block(std::move(bytes)) {
    result = opelog_environment_from_block(&value, block.data(), block.data() + block.size());
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  ~Environment() { free(value.list); }
  [[nodiscard]] std::vector<std::string> all() const {
    std::vector<std::string> list;
    for (char** p = value.list; *p != nullptr; ++p) list.emplace_back(*p);
    return list;
  }
  std::string block;
  opelog_environment value{};
  int result = 0;
};

using List = std::vector<std::string>;

TEST(Environment, EveryStringOfTheBlockIsThereInItsOrder) {
  using namespace std::string_literals;
  Environment e("TMPDIR=/x\0LD_PRELOAD=a.so\0\0no-equals\0A=1\0A=2\0"s);
  ASSERT_EQ(e.result, 0);
  EXPECT_EQ(e.all(), List({"TMPDIR=/x", "LD_PRELOAD=a.so", "", "no-equals", "A=1", "A=2"}));
  EXPECT_STREQ(opelog_environment_get(&e.value, "A"), "1");
  EXPECT_EQ(opelog_environment_get(&e.value, "TMP"), nullptr);
}

TEST(Environment, AnEmptyBlockIsAnEmptyEnvironment) {
  Environment e("");
  ASSERT_EQ(e.result, 0);
  EXPECT_TRUE(e.all().empty());
}

TEST(Environment, ABlockThatDoesNotEndIsRefused) {
  EXPECT_EQ(Environment("A=1").result, -1);
}

TEST(Environment, SettingReplacesTheFirstOrAppends) {
  using namespace std::string_literals;
  Environment e("SHELL=/a\0X=1\0"s);
  char shell[] = "SHELL=/b";
  char fresh[] = "OPELOG_SESSION=s";
  ASSERT_EQ(opelog_environment_set(&e.value, shell), 0);
  ASSERT_EQ(opelog_environment_set(&e.value, fresh), 0);
  EXPECT_EQ(e.all(), List({"SHELL=/b", "X=1", "OPELOG_SESSION=s"}));
}

TEST(Environment, MoreThanTheSpareRoomIsRefusedNotWritten) {
  Environment e("");
  std::vector<std::string> strings;
  for (char c = 'A'; c < 'A' + static_cast<char>(OPELOG_ENVIRONMENT_SPARE); ++c)
    strings.push_back(std::string(1, c) + "=");
  for (auto& s : strings) ASSERT_EQ(opelog_environment_set(&e.value, s.data()), 0);
  char more[] = "MORE=1";
  EXPECT_EQ(opelog_environment_set(&e.value, more), -1);
  EXPECT_EQ(e.all(), strings);
}

TEST(Environment, AListCanBeCopied) {
  char a[] = "A=1";
  char* list[] = {a, nullptr};
  opelog_environment value{};
  ASSERT_EQ(opelog_environment_from_list(&value, list), 0);
  EXPECT_STREQ(opelog_environment_get(&value, "A"), "1");
  free(value.list);
}

}  // namespace
