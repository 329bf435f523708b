#include <gtest/gtest.h>

#include <string>
#include <vector>

extern "C" {
#include "record/login_protocol.h"
#include "shim/invocation.h"
}

namespace {

// Owns the strings that an invocation points to.
struct Arguments {
  explicit Arguments(std::vector<std::string> list) : strings(std::move(list)) {
    for (auto& s : strings) pointers.push_back(s.data());
    pointers.push_back(nullptr);
  }
  [[nodiscard]] opelog_invocation parse() const {
    return opelog_parse_invocation(static_cast<int>(strings.size()), pointers.data());
  }
  std::vector<std::string> strings;
  std::vector<char*> pointers;
};

std::vector<std::string> real_arguments(const Arguments& a, const char* path,
                                        const char* original = nullptr) {
  opelog_invocation invocation = a.parse();
  if (invocation.how == OPELOG_HOW_FORCE) invocation.command = original;
  char** list = opelog_shell_arguments(&invocation, path);
  std::vector<std::string> result;
  for (char** p = list; *p != nullptr; ++p) result.emplace_back(*p);
  free(list[0]);
  free(list);
  return result;
}

TEST(Invocation, EachWayToStartIsTold) {
  struct Row {
    std::vector<std::string> arguments;
    opelog_start start;
    std::uint32_t how;
    bool login;
    const char* command;
  };
  const Row rows[] = {
      {{"-opelog-shell"}, OPELOG_START_SESSION, OPELOG_HOW_LOGIN, true, nullptr},
      {{"-su"}, OPELOG_START_SESSION, OPELOG_HOW_LOGIN, true, nullptr},
      {{"opelog-shell"}, OPELOG_START_SESSION, OPELOG_HOW_LOGIN, false, nullptr},
      {{"opelog-shell", "-l"}, OPELOG_START_SESSION, OPELOG_HOW_LOGIN, true, nullptr},
      {{"opelog-shell", "--login"}, OPELOG_START_SESSION, OPELOG_HOW_LOGIN, true, nullptr},
      {{"opelog-shell", "-c", "ls"}, OPELOG_START_SESSION, OPELOG_HOW_COMMAND, false, "ls"},
      {{"-su", "-c", "ls"}, OPELOG_START_SESSION, OPELOG_HOW_COMMAND, true, "ls"},
      {{"opelog-shell", "-c", ""}, OPELOG_START_SESSION, OPELOG_HOW_COMMAND, false, ""},
      {{"opelog-shell", "-c", "--help"}, OPELOG_START_SESSION, OPELOG_HOW_COMMAND, false, "--help"},
      {{"opelog-shell", "-lc", "ls"}, OPELOG_START_SESSION, OPELOG_HOW_COMMAND, false, "ls"},
      {{"opelog-shell", "-cl", "ls"}, OPELOG_START_SESSION, OPELOG_HOW_COMMAND, false, "ls"},
      {{"opelog-shell", "-l", "-c", "ls", "a0"}, OPELOG_START_SESSION, OPELOG_HOW_COMMAND, false, "ls"},
      {{"opelog-shell", "--force"}, OPELOG_START_SESSION, OPELOG_HOW_FORCE, true, nullptr},
      {{"opelog-shell", "--hook"}, OPELOG_START_SESSION, OPELOG_HOW_HOOK, true, nullptr},
      {{"opelog-shell", "--query"}, OPELOG_START_SESSION, OPELOG_HOW_QUERY, false, nullptr},
      {{"opelog-shell", "--rec"}, OPELOG_START_SESSION, OPELOG_HOW_REC, false, nullptr},
      {{"opelog-shell", "--rec", "--", "ls", "-l"}, OPELOG_START_SESSION, OPELOG_HOW_REC, false, nullptr},
      {{"opelog-shell", "--help"}, OPELOG_START_HELP, 0, false, nullptr},
      {{"opelog-shell", "--version"}, OPELOG_START_VERSION, 0, false, nullptr},
      {{"opelog-shell", "-c"}, OPELOG_START_USAGE, 0, false, nullptr},
      {{"opelog-shell", "-x"}, OPELOG_START_USAGE, 0, false, nullptr},
      {{"opelog-shell", "script.sh"}, OPELOG_START_USAGE, 0, false, nullptr},
      {{"opelog-shell", "--rec", "ls"}, OPELOG_START_USAGE, 0, false, nullptr},
      {{"opelog-shell", "--rec", "--"}, OPELOG_START_USAGE, 0, false, nullptr},
      {{"opelog-shell", "--rec", "--", ""}, OPELOG_START_USAGE, 0, false, nullptr},
      {{"opelog-shell", "--force", "x"}, OPELOG_START_USAGE, 0, false, nullptr},
      {{"opelog-shell", "--query", "x"}, OPELOG_START_USAGE, 0, false, nullptr},
      {{"opelog-shell", ""}, OPELOG_START_USAGE, 0, false, nullptr},
      {{}, OPELOG_START_USAGE, 0, false, nullptr},
  };
  for (const Row& row : rows) {
    const Arguments arguments(row.arguments);
    const opelog_invocation invocation = arguments.parse();
    const std::string about = testing::PrintToString(row.arguments);
    ASSERT_EQ(invocation.start, row.start) << about;
    if (row.start != OPELOG_START_SESSION) continue;
    EXPECT_EQ(invocation.how, row.how) << about;
    EXPECT_EQ(invocation.login, row.login) << about;
    EXPECT_STREQ(invocation.command, row.command) << about;
  }
}

TEST(Invocation, TheRealShellGetsItsUsualArguments) {
  using Argv = std::vector<std::string>;
  const char* bash = "/bin/bash";
  EXPECT_EQ(real_arguments(Arguments({"-opelog-shell"}), bash), Argv({"-bash"}));
  EXPECT_EQ(real_arguments(Arguments({"opelog-shell"}), bash), Argv({"bash"}));
  EXPECT_EQ(real_arguments(Arguments({"opelog-shell", "--hook"}), bash), Argv({"-bash"}));
  EXPECT_EQ(real_arguments(Arguments({"opelog-shell", "--rec"}), bash), Argv({"bash"}));
  EXPECT_EQ(real_arguments(Arguments({"opelog-shell", "-c", "a b", "x", ""}), bash),
            Argv({"bash", "-c", "a b", "x", ""}));
  EXPECT_EQ(real_arguments(Arguments({"-su", "-c", "a"}), bash), Argv({"-bash", "-c", "a"}));
  EXPECT_EQ(real_arguments(Arguments({"opelog-shell", "-lc", "a"}), bash), Argv({"bash", "-lc", "a"}));
  EXPECT_EQ(real_arguments(Arguments({"opelog-shell", "--force"}), bash), Argv({"-bash"}));
  EXPECT_EQ(real_arguments(Arguments({"opelog-shell", "--force"}), bash, "scp -t ."),
            Argv({"bash", "-c", "scp -t ."}));
}

}  // namespace
