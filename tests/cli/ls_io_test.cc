#include <gtest/gtest.h>

#include <algorithm>

#include "core/clock_io.h"
#include "format/json_text.h"
#include "support_io.h"

namespace opelog::cli {
namespace {

using format::SessionInfo;
using testing::OnPty;
using testing::opelog;
using testing::Ran;
using testing::TempDir;

class Ls : public ::testing::Test {
 protected:
  void SetUp() override {
    add("alice", "20261120100000", "192.0.2.7", "00000000000000a1", 1795168800, 0);
    add("bob", "20261121100000", "2001:db8::5", "00000000000000b1", 1795255200, 3);
    add("alice", "20261122100000", "198.51.100.9", "00000000000000a2", 1795341600, 137);
  }
  void add(const std::string& user, const std::string& time, const std::string& client, const std::string& id,
           std::int64_t started, int exit) {
    SessionInfo info = format::testing::sample_info();
    info.user = user;
    info.client = client;
    info.id = id;
    info.started = started * kUsPerS;
    testing::make_recording(dir, user + "_" + time + "_" + client, info,
                            {{0, "hello\r\n"}, {65 * kUsPerS, "bye\r\n"}}, exit);
  }
  Ran ls(std::vector<std::string> words) {
    words.insert(words.begin(), "ls");
    words.insert(words.end(), {"--directory", dir.path()});
    return opelog(words);
  }
  // The ids that a list shows, in its order.
  std::string ids(const std::vector<std::string>& words) {
    auto with = words;
    with.push_back("--json");
    const Ran ran = ls(with);
    EXPECT_EQ(ran.status, 0) << ran.err;
    const auto json = format::parse_json(ran.out.substr(0, ran.out.size() - 1));
    if (!json) return "no JSON: " + ran.out;
    std::string out;
    for (const auto& item : json->items) out += item.text_or("id", "?").substr(14) + " ";
    return out;
  }
  TempDir dir;
};

TEST_F(Ls, SaysThatNothingIsThere) {
  EXPECT_EQ(ls({"-u", "nobody"}).err, "opelog: no recording meets that\n");
  EXPECT_EQ(ls({"-u", "nobody"}).status, 0);
  EXPECT_EQ(ls({"-u", "nobody", "--json"}).out, "[]\n");
  EXPECT_EQ(ls({}).err, "");
  TempDir none;
  EXPECT_EQ(opelog({"ls", "--directory", none.path()}).err,
            "opelog: " + none.path() + " holds no recording\n");
}

TEST_F(Ls, ListsTheNewestLastWithWhoWhereHowLongAndHowItEnded) {
  const Ran ran = ls({});
  ASSERT_EQ(ran.status, 0) << ran.err;
  const auto first = ran.out.find("00000000000000a1 alice 192.0.2.7");
  const auto second = ran.out.find("00000000000000b1 bob   2001:db8::5");
  const auto third = ran.out.find("00000000000000a2 alice 198.51.100.9");
  ASSERT_NE(third, std::string::npos) << ran.out;
  EXPECT_LT(first, second);
  EXPECT_LT(second, third);
  EXPECT_NE(ran.out.find("1:05    0 "), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("1:05  137 "), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find(" ended\n"), std::string::npos);
  EXPECT_EQ(ran.out.find('\x1B'), std::string::npos) << "no colours without a terminal";
}

TEST_F(Ls, SpreadsheetsGetTheSameAndNoFormula) {
  SessionInfo info = format::testing::sample_info();
  info.user = "=cmd";
  info.client = "192.0.2.8";
  info.client_claimed = true;
  info.id = "00000000000000c1";
  info.started = 1795428000 * kUsPerS;
  testing::make_recording(dir, "x_20261123100000_192.0.2.8", info, {{0, "hello\r\n"}}, 0);
  const Ran ran = ls({"--csv"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(
      ran.out.find(
          "session,recording,user,client,time,length,end,size,state\r\n"
          "\"00000000000000a1\",\"alice_20261120100000_192.0.2.7\",\"alice\",\"192.0.2.7\",\"2026-11-2"),
      0U)
      << ran.out;
  EXPECT_NE(ran.out.find(",\"1:05\",\"137\",121,ended\r\n"), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("\"'=cmd\",\"192.0.2.8?\","), std::string::npos) << ran.out;
  EXPECT_EQ(std::count(ran.out.begin(), ran.out.end(), '\n'), 5);
  EXPECT_EQ(ls({"--csv", "-u", "nobody"}).out,
            "session,recording,user,client,time,length,end,size,state\r\n");
  EXPECT_EQ(ls({"--csv", "--json"}).status, 2);
}

TEST_F(Ls, FiltersByUserTimeAndAddress) {
  EXPECT_EQ(ids({}), "a1 b1 a2 ");
  EXPECT_EQ(ids({"--user", "alice"}), "a1 a2 ");
  EXPECT_EQ(ids({"-u", "alice", "-u", "bob"}), "a1 b1 a2 ");
  EXPECT_EQ(ids({"--user", "ali"}), "") << "a name is a whole name";
  EXPECT_EQ(ids({"--since", "@1795255200"}), "b1 a2 ");
  EXPECT_EQ(ids({"--until", "@1795255199"}), "a1 ");
  EXPECT_EQ(ids({"--since", "2026-11-20T12:00Z", "--until", "2026-11-21T12:00Z"}), "b1 ");
  EXPECT_EQ(ids({"--client", "192.0.2.0/24"}), "a1 ");
  EXPECT_EQ(ids({"--client", "2001:db8::/32"}), "b1 ");
  EXPECT_EQ(ids({"--limit", "2"}), "b1 a2 ");
  EXPECT_EQ(ids({"-n", "1", "--user", "bob"}), "b1 ");
  EXPECT_EQ(ids({"--reverse"}), "a2 b1 a1 ");
  EXPECT_EQ(ids({"--live"}), "");
}

TEST_F(Ls, ALiveSessionIsLive) {
  SessionInfo info = format::testing::sample_info();
  info.id = "00000000000000c1";
  info.started = 1795341700 * kUsPerS;
  const auto writer = testing::begin_recording(dir, "carol_20261122100140_192.0.2.8", info, {{0, "x"}});
  EXPECT_EQ(ids({"--live"}), "c1 ");
  EXPECT_NE(ls({}).out.find(" live\n"), std::string::npos);
}

TEST_F(Ls, ALiveSessionIsAsLongAsItHasBeenGoingOn) {
  SessionInfo info = format::testing::sample_info();
  info.started = wall_now() - (3 * 3600 + 5) * kUsPerS;
  const auto writer = testing::begin_recording(dir, "carol_20261122100140_192.0.2.8", info, {{0, "x"}});
  const std::string out = ls({"--live"}).out;
  EXPECT_NE(out.find(" 3:0"), std::string::npos) << "not to its last record, at the beginning\n" << out;
}

TEST_F(Ls, FitsTheTerminalAndColoursThere) {
  for (const int cols : {70, 100, 200}) {
    OnPty pty({"ls", "--directory", dir.path()}, 24, cols);
    ASSERT_EQ(pty.wait_end(), 0);
    std::size_t width = 0, line = 0;
    bool escape = false;
    for (const char c : pty.seen()) {
      if (c == '\x1B')
        escape = true;
      else if (escape)
        escape = !(c >= 0x40 && c <= 0x7E && c != '[');
      else if (c == '\r' || c == '\n')
        line = 0;
      else
        width = std::max(width, ++line);
    }
    EXPECT_LE(width, static_cast<std::size_t>(cols)) << pty.seen();
  }
}

TEST_F(Ls, AHostileUserNameIsOnlyText) {
  add("eve\x1B]0;x\x07\n", "20261122110000", "192.0.2.9", "00000000000000e1", 1795345200, 0);
  const Ran ran = ls({});
  EXPECT_EQ(ran.out.find('\x07'), std::string::npos);
  EXPECT_NE(ran.out.find("eve\\x1b]0;x\\x07\\x0a"), std::string::npos) << ran.out;
  EXPECT_EQ(ls({"--json"}).out.find('\x1B'), std::string::npos);
}

TEST_F(Ls, ErrorsAreOneLineWithTheirExitCode) {
  const struct {
    std::vector<std::string> words;
    int status;
  } cases[] = {{{"--since", "someday"}, 2},
               {{"--client", "host"}, 2},
               {{"--limit", "x"}, 2},
               {{"--nonsense"}, 2},
               {{"surplus"}, 2}};
  for (const auto& c : cases) {
    const Ran ran = ls(c.words);
    EXPECT_EQ(ran.status, c.status) << c.words[0];
    EXPECT_EQ(ran.err.find("opelog: "), 0U);
    EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
    EXPECT_EQ(ran.out, "");
  }
  EXPECT_EQ(opelog({"ls", "--directory", dir.file("nothing")}).status, 3);
}

TEST_F(Ls, APolicyFileThatIsNamedMustBeThere) {
  const Ran missing = opelog({"ls", "--config", dir.file("none.yaml")});
  EXPECT_EQ(missing.status, 3);
  EXPECT_EQ(missing.err.find("opelog: --config " + dir.file("none.yaml") + ": "), 0U) << missing.err;
  EXPECT_EQ(opelog({"--config", dir.file("none.yaml"), "ls"}).status, 3);
  EXPECT_EQ(opelog({"play", "alice", "--config", dir.file("none.yaml")}).status, 3);
  format::testing::spill(dir.file("broken.yaml"), "rules: {\n");
  EXPECT_EQ(opelog({"ls", "--config", dir.file("broken.yaml")}).status, 5);
  format::testing::spill(dir.file("good.yaml"),
                         "version: 1\nrules: []\nrecordings: { directory: " + dir.path() + " }\n");
  const Ran good = opelog({"ls", "--config", dir.file("good.yaml")});
  EXPECT_EQ(good.status, 0) << good.err;
  EXPECT_NE(good.out.find("00000000000000a1"), std::string::npos) << good.out;
}

TEST_F(Ls, AnEmptyDirectoryIsAnEmptyList) {
  TempDir empty;
  const Ran ran = opelog({"ls", "--directory", empty.path(), "--json"});
  EXPECT_EQ(ran.status, 0);
  EXPECT_EQ(ran.out, "[]\n");
}

}  // namespace
}  // namespace opelog::cli
