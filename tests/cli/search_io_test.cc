#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "cli/search_text.h"
#include "format/json_text.h"
#include "support_io.h"

namespace opelog::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing::OnPty;
using testing::opelog;
using testing::Ran;
using ::testing::StartsWith;
using testing::TempDir;

class SearchCommand : public ::testing::Test {
 protected:
  void SetUp() override {
    auto info = format::testing::sample_info();
    testing::make_recording(dir, kAlice, info,
                            {{0, "hello \x1B[32mneedle\x1B[0m\r\n"}, {65 * kUsPerS, "later\r\n"}});
    info.user = "bob";
    info.client = "2001:db8::5";
    info.started += 86400 * kUsPerS;
    testing::make_recording(dir, "bob_20261123140509_2001:db8::5", info,
                            {{70 * kUsPerS, "a needle, too\r\n"}});
  }
  Ran run(std::vector<std::string> words) {
    words.insert(words.end(), {"--directory", dir.path()});
    return opelog(words);
  }
  Ran search(std::vector<std::string> words) {
    words.insert(words.begin(), "search");
    words.insert(words.end(), {"--index", other.file("index.db")});
    return run(words);
  }
  std::vector<format::JsonValue> needles(std::vector<std::string> words) {
    words.insert(words.begin(), {"needle", "--json"});
    const Ran ran = search(words);
    const auto json = format::parse_json(ran.out.substr(0, ran.out.size() - 1));
    EXPECT_TRUE(json) << ran.out;
    return json ? json->items : std::vector<format::JsonValue>{};
  }
  static constexpr const char* kAlice = testing::kName;
  TempDir dir, other;
};

TEST_F(SearchCommand, SaysWhatIsMissingAlsoWhereNothingIsFound) {
  auto info = format::testing::sample_info();
  info.user = "carol";
  auto writer = testing::begin_recording(dir, "carol_20261124140509_192.0.2.7", info, {{0, "a pass"}});
  ASSERT_TRUE(writer->gap({"output", "the rate", 12}, kUsPerS));
  ASSERT_TRUE(writer->output("word\r\n", kUsPerS));
  ASSERT_TRUE(writer->end({}, 2 * kUsPerS));
  const char* remark = "output is missing: 1;";
  for (const bool indexed : {false, true}) {
    if (indexed) {
      ASSERT_EQ(run({"index", "--quiet", "--index", other.file("index.db")}).status, 0);
    }
    const Ran none = search({"password", "--json"});
    EXPECT_EQ(none.status, 1);
    EXPECT_EQ(none.out, "[\n{\"with_gaps\":1}\n]\n");
    EXPECT_THAT(none.err, HasSubstr(remark));
    EXPECT_EQ(search({"password", "--json", "-u", "bob"}).out, "[]\n");
    const Ran some = search({"word", "--json"});
    EXPECT_THAT(some.out, HasSubstr("\"match_size\":4,\"gap\":\"before\",\"play\""));
    EXPECT_THAT(some.out, HasSubstr(",\"with_gaps\":1}\n]\n"));
    EXPECT_THAT(search({"a pass"}).out, HasSubstr("a pass  (output is missing behind it)\n"));
  }
}

TEST_F(SearchCommand, SpreadsheetsGetALineForEachHit) {
  const std::string titles =
      "time,session_user,client,recording,session,at,kind,line,match,status,uncertain,cut,renamed,gap,"
      "play\r\n";
  EXPECT_EQ(search({"no such thing", "--csv"}).out, titles);
  EXPECT_EQ(search({"no such thing", "--csv"}).status, 1);
  const Ran ran = search({"needle", "--csv"});
  EXPECT_EQ(ran.status, 0) << ran.err;
  const auto hits = needles({});
  EXPECT_EQ(static_cast<std::size_t>(std::count(ran.out.begin(), ran.out.end(), '\n')), hits.size() + 1);
  EXPECT_EQ(ran.out.rfind(titles, 0), 0U) << ran.out;
  for (const auto& hit : hits) {
    EXPECT_THAT(ran.out,
                HasSubstr(",\"" + hit.text_or("session", "?") + "\",\"" + hit.text_or("id", "?") + "\","));
    EXPECT_THAT(ran.out, HasSubstr("\"" + hit.text_or("play", "?") + "\"\r\n"));
  }
  EXPECT_THAT(ran.out, HasSubstr(",\"needle\","));
}

TEST_F(SearchCommand, SaysWhenWhoWhatAndHowToSeeIt) {
  ASSERT_EQ(run({"index", "--quiet", "--index", other.file("index.db")}).status, 0);
  const Ran ran = search({"needle"});
  EXPECT_EQ(ran.status, 0);
  EXPECT_EQ(ran.err, "");
  EXPECT_THAT(ran.out, HasSubstr(" alice  hello needle\n    opelog play --directory " + dir.path() + " " +
                                 kAlice + " --at 0:00\n"));
  EXPECT_THAT(ran.out, HasSubstr(" bob  a needle, too\n"));
  EXPECT_THAT(ran.out, HasSubstr("bob_20261123140509_2001:db8::5 --at 1:10\n"));
  EXPECT_THAT(ran.out, Not(HasSubstr("\x1B")));
}

TEST_F(SearchCommand, ExitCodesAreGreps) {
  ASSERT_EQ(run({"index", "--quiet", "--index", other.file("index.db")}).status, 0);
  EXPECT_EQ(search({"needle"}).status, 0);
  EXPECT_EQ(search({"no such thing"}).status, 1);
  EXPECT_EQ(search({"-E", "a("}).status, 2);
  EXPECT_EQ(search({"-E", "((a{1000}){1000}){1000}"}).status, 2);
  EXPECT_EQ(search({""}).status, 2);
  EXPECT_EQ(search({"x", "--since", "someday"}).status, 2);
  EXPECT_EQ(search({"x", "-w", "-E"}).status, 2);
  EXPECT_EQ(opelog({"search", "x", "--directory", dir.file("nothing")}).status, 3);
}

TEST_F(SearchCommand, WorksWithoutAnIndexAndSaysSo) {
  const Ran ran = search({"needle", "--text"});
  EXPECT_EQ(ran.status, 0);
  EXPECT_THAT(ran.out, HasSubstr("hello needle"));
  EXPECT_THAT(ran.err, HasSubstr("reading the recordings themselves"));
  const Ran scan = run({"search", "needle", "--scan"});
  EXPECT_EQ(scan.status, 0);
  EXPECT_EQ(scan.err, "") << "it was asked for";
}

TEST_F(SearchCommand, FiltersAndLimits) {
  ASSERT_EQ(run({"index", "--quiet", "--index", other.file("index.db")}).status, 0);
  const auto who = [&](const std::vector<std::string>& words) {
    std::string out;
    for (const auto& item : needles(words)) out += item.text_or("user", "?") + " ";
    return out;
  };
  EXPECT_EQ(who({}), "alice bob ");
  EXPECT_EQ(who({"-u", "alice"}), "alice ");
  EXPECT_EQ(who({"--client", "2001:db8::/32"}), "bob ");
  EXPECT_EQ(who({"-n", "1"}), "bob ") << "the newest";
  EXPECT_EQ(who({"--since", "2026-11-23T14:06:00Z"}), "bob ") << "of the hit, not of the session's beginning";
  EXPECT_EQ(who({"--since", "2026-11-23T14:07:00Z"}), "");
  EXPECT_EQ(who({"--until", "2026-11-23"}), "alice ");
  EXPECT_EQ(who({"--commands"}), "");
}

TEST_F(SearchCommand, TheLastObjectSaysHowManyRecordingsWereLeftOut) {
  ASSERT_EQ(run({"index", "--quiet", "--index", other.file("index.db")}).status, 0);
  const auto left_out = [&](const std::vector<std::string>& words) {
    std::string out;
    for (const auto& item : needles(words))
      out += std::to_string(static_cast<int>(item.number_or("left_out", 0)));
    return out;
  };
  EXPECT_EQ(left_out({}), "00");
  const std::vector<testing::Chunk> large(200, {0, std::string(50'000, '\0')});
  auto info = format::testing::sample_info();
  info.user = "carol";
  testing::make_recording(dir, "carol_20261122140509_192.0.2.7", info, large);
  EXPECT_EQ(left_out({}), "01");
  EXPECT_EQ(left_out({"-n", "1"}), "1");
  EXPECT_EQ(left_out({"--all"}), "00");
  EXPECT_EQ(left_out({"-u", "alice"}), "0");
}

TEST_F(SearchCommand, ColoursTheMatchOnATerminalOnly) {
  OnPty pty({"search", "needle", "--scan", "--directory", dir.path()}, 24, 200);
  ASSERT_EQ(pty.wait_end(), 0);
  EXPECT_THAT(pty.seen(), HasSubstr("hello \x1B[1;31mneedle\x1B[0m"));
}

TEST_F(SearchCommand, IndexTellsItsNumbers) {
  const std::string file = other.file("index.db");
  const Ran first = run({"index", "--index", file});
  EXPECT_EQ(first.status, 0);
  EXPECT_THAT(first.out, StartsWith("indexed 2 sessions, 3 lines, 0 commands; "));
  const Ran again = run({"index", "--json", "--index", file});
  const auto json = format::parse_json(again.out.substr(0, again.out.size() - 1));
  ASSERT_TRUE(json) << again.out;
  EXPECT_EQ(json->number_or("unchanged", -1), 2);
  EXPECT_EQ(json->number_or("sessions", -1), 2);
  EXPECT_THAT(run({"index", "--rebuild", "--index", file}).out,
              StartsWith("built anew: it was asked for\nindexed 2 "));
  EXPECT_EQ(run({"index", "--index", other.file("no/such/directory.db")}).status, 3);
}

TEST(SearchText, AnExcerptIsShortSafeAndWholeInItsCharacters) {
  EXPECT_EQ(excerpt("a\x1B[31m needle\n", {6, 6}, false), "a\\x1b[31m needle\\x0a");
  const std::string wide = "\u65E5";
  std::string line;
  for (int i = 0; i < 500; ++i) line += wide;
  line += "needle" + line;
  const std::string cut = excerpt(line, {1500, 6}, false);
  EXPECT_LT(cut.size(), 2 * kAround + 20);
  EXPECT_THAT(cut, StartsWith("..." + wide));
  EXPECT_THAT(cut, Not(HasSubstr("\\x"))) << "no character is cut";
  EXPECT_EQ(excerpt("x", {5, 9}, true), "x") << "a match beyond the line marks nothing";
}

TEST(SearchText, ThePlayLineIsFitForAShell) {
  EXPECT_EQ(play_line("", testing::kName, 754 * kUsPerS + 999999),
            std::string("opelog play ") + testing::kName + " --at 12:34");
  EXPECT_EQ(play_line("", "a b;rm 'x'", 0), "opelog play 'a b;rm '\\''x'\\''' --at 0:00");
  EXPECT_EQ(play_line("", "x\n$(id)", 0), "opelog play $'x\\x0a$(id)' --at 0:00");
}

TEST(SearchText, SaysWhatACommandReallyRan) {
  index::IndexedSession session;
  index::Hit hit;
  hit.is_command = true;
  hit.line = hit.command.text = "./foo -i";
  hit.command.exe = "/usr/bin/z";
  const auto local = [](WallUs) { return std::string(); };
  EXPECT_THAT(hit_text(session, hit, "", false, local), HasSubstr("$ ./foo -i\n"));
  EXPECT_THAT(hit_json(session, hit, ""), HasSubstr(R"("exe":"/usr/bin/z","process")"));
  hit.command.renamed = "foo is z\x1b";
  hit.command.foreign_mounts = true;
  EXPECT_THAT(hit_text(session, hit, "", false, local),
              HasSubstr("$ ./foo -i  (foo is z\\x1b; foreign mounts)\n"));
  EXPECT_THAT(hit_json(session, hit, ""),
              HasSubstr(R"("exe":"/usr/bin/z","renamed":"foo is z\u001b","foreign_mounts":true)"));
  hit.line += "  (foo is z\x1b)";
  hit.by_program = true;
  EXPECT_THAT(hit_text(session, hit, "", false, local),
              HasSubstr("$ ./foo -i  (foo is z\\x1b)  (foreign mounts)\n"));
}

TEST(SearchText, ACommandThatCtrlCMayHaveLeftSaysSo) {
  index::IndexedSession session;
  index::Hit hit;
  hit.is_command = true;
  hit.line = hit.command.text = "rm x";
  const auto local = [](WallUs) { return std::string(); };
  EXPECT_THAT(hit_text(session, hit, "", false, local), Not(HasSubstr("Ctrl-C")));
  EXPECT_THAT(hit_json(session, hit, ""), Not(HasSubstr("uncertain")));
  hit.command.uncertain = true;
  EXPECT_THAT(hit_text(session, hit, "", false, local), HasSubstr("$ rm x  (? perhaps left by Ctrl-C)\n"));
  EXPECT_THAT(hit_json(session, hit, ""), HasSubstr(R"("uncertain":true)"));
}

}  // namespace
}  // namespace opelog::cli
