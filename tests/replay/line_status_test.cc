#include "replay/line_status.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace opelog::replay {
namespace {

using Processes = std::vector<std::pair<const char*, int>>;

std::optional<int> status_by(std::string_view text, const Processes& processes,
                             std::set<std::string> functions = {}) {
  std::vector<StartedProcess> started;
  for (const auto& [argv, status] : processes)
    started.push_back({argv, static_cast<std::int64_t>(started.size()) + 10, status, status == 130});
  return line_status(text, started, functions).status;
}

constexpr std::optional<int> kUnknown = std::nullopt;

TEST(LineStatus, FollowsFromTheProgramsAsInAShell) {
  const struct {
    const char* text;
    Processes started;
    std::optional<int> status;
  } cases[] = {
      {"", {}, kUnknown},
      {"ls", {{"ls --color=auto", 2}}, 2},
      {"A=1 /bin/ls x >out 2>&1", {{"/bin/ls x", 2}}, 2},
      {"cd x", {}, kUnknown},
      {"a | b", {{"b", 4}, {"a", 3}}, 4},
      {"a | tee x | while read y; do echo $y; done", {{"a", 3}, {"tee x", 1}}, kUnknown},
      {"sh -c 'exit 3' | sh -c 'exit 4'", {{"sh -c 'exit 4'", 4}, {"sh -c 'exit 3'", 3}}, 4},
      {"a; b", {{"a", 3}, {"b", 4}}, 4},
      {"a; cd x", {{"a", 3}}, kUnknown},
      {"a\nb", {{"a", 3}, {"b", 4}}, 4},
      {"a && b", {{"a", 3}}, 3},
      {"a && echo x", {{"a", 3}}, 3},
      {"a && echo x", {{"a", 0}}, kUnknown},
      {"a || echo x", {{"a", 0}}, 0},
      {"a || b", {{"a", 3}, {"b", 4}}, 4},
      {"cd x && a", {{"a", 3}}, 3},
      {"test x && a || b", {{"b", 4}}, 4},
      {"test x && a || b", {{"a", 0}}, 0},
      {"grep a f || grep b f", {{"grep a f", 1}, {"grep b f", 0}}, 0},
      {"! a", {{"a", 0}}, 1},
      {"! a", {{"a", 3}}, 0},
      {"time a", {{"a", 3}}, 3},
      {"(cd x; a)", {{"a", 3}}, 3},
      {"(a; cd x)", {{"a", 3}}, kUnknown},
      {"{ a; b; } | cat", {{"a", 3}, {"cat", 0}, {"b", 3}}, 0},
      {"if a; then b; fi", {{"a", 3}}, 0},
      {"if a; then b; fi", {{"a", 0}, {"b", 4}}, 4},
      {"if a; then b; else c; fi", {{"a", 1}, {"c", 5}}, 5},
      {"if a; then b; elif d; then c; fi", {{"a", 1}, {"d", 1}}, 0},
      {"if test x; then b; else c; fi", {{"c", 5}}, 5},
      {"if test x; then echo; else c; fi", {}, kUnknown},
      {"case x in a) b;; (x|y) c;; esac", {{"c", 5}}, 5},
      {"case x in x) c; cd y;; esac", {{"c", 5}}, kUnknown},
      {"for i in 1 2; do a $i; done", {{"a 1", 3}, {"a 2", 4}}, 4},
      {"for i in 1 2; do a $i; echo; done", {{"a 1", 3}, {"a 2", 4}}, kUnknown},
      {"for ((i=0; i<2; i++)); do a; done", {{"a", 3}}, 3},
      {"while a; do cd x; done", {{"a", 1}}, 0},
      {"while a; do cd x; done", {{"a", 0}, {"a", 1}}, kUnknown},
      {"while a; do b; done", {{"a", 0}, {"b", 4}, {"a", 1}}, 4},
      {"until a; do b; done", {{"a", 0}}, 0},
      {"while sleep 1; do b; done", {{"sleep 1", 0}, {"b", 4}, {"sleep 1", 130}}, 130},
      {"for x in a b\ndo\nls $x\ndone", {{"ls a", 0}, {"ls b", 2}}, 2},
      {"cat <<E | a\nx; b\nE", {{"cat", 0}, {"a", 3}}, 3},
      {"cat <<-'E E'\n\tb\n\tE E\na", {{"cat", 0}, {"a", 3}}, 3},
      {"cat <<<b; a", {{"cat", 0}, {"a", 3}}, 3},
      {"ls a \\\n b", {{"ls a b", 2}}, 2},
      {"a &", {{"a", 3}}, 3},
      {"a & echo", {{"a", 3}}, kUnknown},
      {"echo a", {{"/bin/echo a", 3}}, kUnknown},
      {"/bin/echo a", {{"/bin/echo a", 3}}, 3},
      {"/bin/echo a; echo a", {{"/bin/echo a", 3}}, kUnknown},
      {"echo $(a)", {{"a", 3}}, kUnknown},
      {"x=$(a)", {{"a", 3}}, 3},
      {"x=$(a); y=1", {{"a", 3}}, kUnknown},
      {"b \"$(a)\"", {{"a", 0}, {"b ''", 5}}, 5},
      {"nosuch $(a)", {{"a", 0}}, kUnknown},
      {"./job.sh x", {{"/bin/bash -e ./job.sh x", 3}}, 3},
      {"which ls", {{"/bin/sh /usr/bin/which ls", 3}}, 3},
      {"ll x", {{"ls -l x", 2}}, 2},
      {"ll x", {{"mkdir x", 0}, {"ls x", 2}}, kUnknown},
      {"!!", {{"a", 2}}, kUnknown},
      {"f() { a; echo; }", {}, kUnknown},
      {"f() { a; }; f", {{"a", 3}}, kUnknown},
      {"[[ a && b ]] && c", {{"c", 3}}, 3},
      {"((a > 2)) || c", {{"c", 3}}, 3},
      {"exec a", {{"a", 3}}, 3},
      {"a # | b", {{"a", 3}}, 3},
      {"a )", {{"a", 3}}, kUnknown},
      {"if a; then", {{"a", 3}}, 0},
      {"a 'unclosed", {{"a unclosed", 3}}, 3},
  };
  for (const auto& c : cases) EXPECT_EQ(status_by(c.text, c.started), c.status) << c.text;
}

TEST(LineStatus, AFunctionOfAnEarlierLineIsNoAlias) {
  std::set<std::string> functions;
  (void)line_status("f() { a; cd x; }; function g { b; }", {}, functions);
  EXPECT_EQ(functions, (std::set<std::string>{"f", "g"}));
  EXPECT_EQ(status_by("f x", {{"a", 3}}, functions), kUnknown);
  EXPECT_EQ(status_by("h x", {{"a", 3}}, functions), 3);
}

TEST(LineStatus, NamesTheProcess) {
  std::set<std::string> functions;
  const std::vector<StartedProcess> started{{"a", 1, 0, false}, {"b", 2, std::nullopt, false}};
  const LineStatus status = line_status("a; b", started, functions);
  EXPECT_EQ(status.process, 1U);
  EXPECT_FALSE(status.status);
}

TEST(LineStatus, HostileLinesAreBounded) {
  std::string opened, deep, functions, branches, chain;
  for (int i = 0; i < 40'000; ++i) {
    opened += "( ";
    deep += "{ ";
    functions += "f()";
    branches += "if a; then ";
    chain += "a&&";
  }
  std::string nested;
  for (int i = 0; i < 40; ++i) nested += "case x in x) if b; then ";
  for (const std::string& text : {opened, deep, functions, branches, chain, nested + "a"})
    EXPECT_EQ(status_by(text, {{"a", 3}}), kUnknown) << text.substr(0, 20);
  // Deep, and not too deep: each part is looked at once.
  EXPECT_EQ(status_by(nested.substr(0, nested.size() * 6 / 10) + "a", {{"a", 3}}), 3);
}

}  // namespace
}  // namespace opelog::replay
