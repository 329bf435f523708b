#include "index/search_io.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "format/exec_record.h"
#include "support_io.h"

namespace opelog::index {
namespace {

using testing::Archive;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// What bash writes for one command: prompt, echo, output.
std::string typed_in_bash(const std::string& command, const std::string& output) {
  return "\x1B[?2004halice@web1:~$ " + command + "\r\n\x1B[?2004l\r" + output;
}

void end_recording(format::RecordingWriter& writer) {
  ASSERT_TRUE(writer.end({}, 9 * kUsPerS));
}

// A session in which `command` was typed and started `exec`. Gives its name.
std::string make_typed(Archive& archive, const std::string& command, const std::string& output,
                       format::ExecInfo exec) {
  auto writer = archive.begin("alice", 0, typed_in_bash(command, output));
  exec.pid = 7;
  exec.parent = 5;
  EXPECT_TRUE(writer->note(format::kOpelogExec, format::exec_value({kUsPerS, 60}, exec), kUsPerS));
  format::ExitInfo exit;
  exit.pid = 7;
  exit.exit_code = 3;
  EXPECT_TRUE(writer->note(format::kOpelogExit, format::exit_value({kUsPerS, 60}, exit), kUsPerS));
  Archive::add(*writer, typed_in_bash("exit", ""), 2 * kUsPerS);
  end_recording(*writer);
  return writer->name();
}

TEST(Search, ATypedCommandIsOneHitAndNotItsLineOrItsProcessToo) {
  Archive archive;
  format::ExecInfo exec;
  exec.argv = {"frobnicate", "--colour", "/srv"};
  make_typed(archive, "frobnicate /srv", "frobnicate: done\r\n", exec);
  archive.update();
  for (const bool from_index : {true, false}) {
    EXPECT_THAT(archive.find("frobnicate", from_index),
                ElementsAre("alice$frobnicate /srv", "alice:frobnicate: done"))
        << from_index;
    EXPECT_THAT(archive.find("--colour", from_index), ElementsAre("alice$frobnicate --colour /srv"));
  }
}

TEST(Search, WhatRanUnderAnotherNameIsFoundByItsProgram) {
  format::ExecInfo exec;
  exec.argv = {"/tmp/foo", "-i"};
  exec.exe = "/usr/bin/zsh";
  exec.foreign_mounts = true;
  Archive archive;
  const std::string name = make_typed(archive, "/tmp/foo -i", "", exec);
  archive.update();
  for (const bool from_index : {true, false}) {
    SearchRequest request;
    request.directory = archive.directory();
    request.index = from_index ? archive.index() : "";
    for (const auto& [pattern, line] :
         {std::pair{"zsh$", "/tmp/foo -i  (foo is zsh)"}, {"foo -i$", "/tmp/foo -i"}}) {
      Search search(request, std::move(*Pattern::compile(PatternKind::kRegex, pattern, false)));
      std::vector<Hit> hits;
      const auto plan = search.plan();
      ASSERT_TRUE(search.session(plan->front(), [&](const auto&, const Hit& hit) {
        hits.push_back(hit);
        return true;
      }));
      ASSERT_EQ(hits.size(), 1U) << pattern << from_index;
      EXPECT_EQ(hits[0].line, line);
      EXPECT_EQ(hits[0].by_program, std::string(pattern) == "zsh$");
      EXPECT_EQ(hits[0].line.substr(hits[0].match.begin, 3), std::string(pattern).substr(0, 3));
      EXPECT_EQ(hits[0].command.exe, "/usr/bin/zsh");
      EXPECT_EQ(hits[0].command.renamed, "foo is zsh");
      EXPECT_TRUE(hits[0].command.foreign_mounts);
    }
  }
  // Words of what goes are made again from what was kept.
  const std::string words =
      "SELECT count(*) FROM command_words WHERE command_words MATCH '" + trigram_query("zsh", false) + "'";
  EXPECT_GT(testing::ask(archive.index(), words), 0);
  for (const char* suffix : {".time", ".log"}) ASSERT_EQ(::unlink((archive.file(name) + suffix).c_str()), 0);
  EXPECT_EQ(archive.update().removed, 1U);
  EXPECT_EQ(testing::ask(archive.index(), words), 0);
}

TEST(Search, ALineThatCtrlCMayHaveLeftSaysSo) {
  replay::TypedLine line;
  line.text = "rm frobnicate";
  line.maybe_abandoned = true;
  SessionCommands commands(format::testing::sample_info());
  commands.typed(line);
  commands.finish();
  std::vector<SessionCommand> rows = commands.take();
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_TRUE(rows[0].uncertain);
  Archive archive;
  archive.make("alice", 0, "text\r\n");
  archive.update();
  {
    auto store = IndexStore::open(archive.index(), IndexStore::Start::kGoOn);
    ASSERT_TRUE(store);
    const auto sessions = (*store)->sessions();
    ASSERT_TRUE((*store)->begin());
    ASSERT_TRUE((*store)->add(sessions->front().row, rows[0], false));
    rows[0].uncertain = false;
    ASSERT_TRUE((*store)->add(sessions->front().row, rows[0], false));
    ASSERT_TRUE((*store)->commit());
  }
  SearchRequest request;
  request.directory = archive.directory();
  request.index = archive.index();
  Search search(std::move(request),
                std::move(*Pattern::compile(PatternKind::kSubstring, "frobnicate", false)));
  std::vector<bool> found;
  const auto plan = search.plan();
  ASSERT_TRUE(search.session(plan->front(), [&](const auto&, const Hit& hit) {
    found.push_back(hit.command.uncertain);
    return true;
  }));
  EXPECT_EQ(found, (std::vector<bool>{true, false}));
}

TEST(Search, WhatCameBeforeTheRecordingHasATimeBeforeIt) {
  format::ExecInfo early;
  early.pid = 7;
  early.argv = {"marker"};
  SessionCommands commands(format::testing::sample_info());
  commands.note(std::string(format::kOpelogExec), format::exec_value({0, 0, 700}, early));
  commands.finish();
  const std::vector<SessionCommand> rows = commands.take();
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].at_us, -700);
}

TEST(Search, TheIndexAndTheRecordingsSayTheSame) {
  Archive archive;
  for (int day = 0; day < 5; ++day) {
    std::string text;
    for (int i = 0; i < 700; ++i)
      text += "day " + std::to_string(day) + " line " + std::to_string(i) + "\r\n";
    archive.make(day % 2 == 0 ? "alice" : "bob", day,
                 text + typed_in_bash("date", "") + typed_in_bash("exit", ""));
  }
  archive.update();
  for (const auto& [kind, pattern] : {std::pair{PatternKind::kSubstring, "line 69"},
                                      {PatternKind::kSubstring, "y"},
                                      {PatternKind::kSubstring, "e 1"},
                                      {PatternKind::kWord, "date"},
                                      {PatternKind::kRegex, "day [13].*(77|88)$"},
                                      {PatternKind::kRegex, "[5-6]{3}"},
                                      {PatternKind::kRegex, "^\\w{3} \\d line 6.0$"}}) {
    const auto indexed = archive.find(pattern, true, kind);
    EXPECT_FALSE(indexed.empty()) << pattern;
    EXPECT_EQ(indexed, archive.find(pattern, false, kind)) << pattern;
  }
}

TEST(Search, NothingIsFoundAcrossMissingOutput) {
  testing::Archive archive;
  const auto missing = [](format::RecordingWriter& writer, const char* what) {
    ASSERT_TRUE(writer.gap({what, "the rate", 12}, 2 * kUsPerS));
  };
  auto writer = archive.begin("alice", 1, "$ ls\r\none pass");
  missing(*writer, "output");
  archive.add(*writer, "word two\r\n\r\nthr", 2 * kUsPerS);
  missing(*writer, "exec");
  archive.add(*writer, "ee\r\nmid", 2 * kUsPerS);
  missing(*writer, "output");
  archive.add(*writer, "dle", 2 * kUsPerS);
  missing(*writer, "output");
  archive.add(*writer, "end\r\n\x1b[?2004h$ ", 2 * kUsPerS);
  archive.add(*writer, "rm -r", 2 * kUsPerS);
  missing(*writer, "output");
  archive.add(*writer, "f /x\r\n\x1b[?2004l\r", 2 * kUsPerS);
  ASSERT_TRUE(writer->end({}, 3 * kUsPerS));
  archive.make("bob", 2, "whole\r\n");
  archive.update();
  using Found = std::vector<std::string>;
  for (const bool from_index : {true, false}) {
    EXPECT_EQ(archive.find("password", from_index), Found());
    EXPECT_EQ(archive.lacking.with_gaps, 1U);
    EXPECT_EQ(archive.lacking.damaged, 0U);
    EXPECT_EQ(archive.find("pass", from_index), Found{"alice:one pass|"});
    EXPECT_EQ(archive.find("word", from_index), Found{"alice:|word two"});
    EXPECT_EQ(archive.find("three", from_index), Found{"alice:three"});
    EXPECT_EQ(archive.find("dle", from_index), Found{"alice:|dle|"});
    EXPECT_EQ(archive.find("middle", from_index), Found());
    EXPECT_EQ(archive.find("rm -r", from_index), Found{"alice$rm -r!?"});
    EXPECT_EQ(archive.find("rm -rf", from_index), Found());
    EXPECT_EQ(archive.find("whole", from_index), Found{"bob:whole"});
  }
}

TEST(Search, ADamagedRecordingIsCounted) {
  testing::Archive archive;
  const std::string name = archive.make("alice", 1, "some\r\n");
  std::string time = format::testing::slurp(archive.file(name + ".time"));
  const std::size_t at = time.find("\nO ");
  ASSERT_NE(at, std::string::npos);
  format::testing::spill(archive.file(name + ".time"), time.substr(0, at + 1) + "no record\n");
  archive.update();
  for (const bool from_index : {true, false}) {
    archive.find("some", from_index);
    EXPECT_EQ(archive.lacking.damaged, 1U) << from_index;
  }
}

TEST(Search, WhatIsNewerThanTheIndexIsReadWhereThatIsCheap) {
  Archive archive;
  archive.make("alice", 0, "old needle\r\n");
  auto live = archive.begin("bob", 1, "live needle\r\n");
  archive.update();
  archive.make("carol", 2, "new needle\r\n");
  Archive::add(*live, "later needle\r\n", 2 * kUsPerS);
  auto large = archive.begin("dave", 3, "large needle\r\n");
  ASSERT_EQ(::truncate((archive.file(large->name()) + ".log").c_str(), static_cast<off_t>(kCheapBytes + 1)),
            0);
  EXPECT_THAT(archive.find("needle"),
              ElementsAre("alice:old needle", "bob:live needle", "bob:later needle", "carol:new needle"));
  EXPECT_EQ(archive.left_out, 1U) << "and that is stated";
}

TEST(Search, TimesAndSessionsAreFiltered) {
  Archive archive;
  auto writer = archive.begin("alice", 0, "first needle\r\n");
  Archive::add(*writer, "second needle\r\n", 100 * kUsPerS);
  ASSERT_TRUE(writer->end({}, 200 * kUsPerS));
  archive.make("bob", 1, "third needle\r\n");
  archive.update();
  const WallUs begin = format::testing::sample_info().started;
  const auto count = [&](std::optional<WallUs> since, std::optional<WallUs> until, bool alice_only,
                         bool indexed) {
    SearchRequest request;
    request.directory = archive.directory();
    request.index = indexed ? archive.index() : "";
    request.since = since;
    request.until = until;
    if (alice_only)
      request.session_wanted = [](const IndexedSession& session) { return session.user == "alice"; };
    Search search(std::move(request), std::move(*Pattern::compile(PatternKind::kSubstring, "needle", false)));
    int found = 0;
    const auto plan = search.plan();
    for (const auto& planned : *plan)
      EXPECT_TRUE(search.session(planned, [&](const auto&, const auto&) { return ++found > 0; }));
    return found;
  };
  for (const bool indexed : {true, false}) {
    EXPECT_EQ(count({}, {}, false, indexed), 3);
    EXPECT_EQ(count({}, {}, true, indexed), 2);
    EXPECT_EQ(count(begin + 50 * kUsPerS, {}, true, indexed), 1) << "of a session that began before";
    EXPECT_EQ(count({}, begin + 50 * kUsPerS, false, indexed), 1);
    EXPECT_EQ(count(begin + 300 * kUsPerS, {}, false, indexed), 1);
  }
}

TEST(Search, ASinkThatHasEnoughStopsIt) {
  Archive archive;
  std::string text;
  for (int i = 0; i < 2000; ++i) text += "needle\r\n";
  archive.make("alice", 0, text);
  archive.update();
  for (const bool indexed : {true, false}) {
    SearchRequest request;
    request.directory = archive.directory();
    if (indexed) request.index = archive.index();
    Search search(std::move(request), std::move(*Pattern::compile(PatternKind::kSubstring, "needle", false)));
    const auto plan = search.plan();
    ASSERT_EQ(plan->size(), 1U);
    int found = 0;
    const auto more = search.session(plan->front(), [&](const auto&, const auto&) { return ++found < 3; });
    ASSERT_TRUE(more);
    EXPECT_FALSE(*more);
    EXPECT_EQ(found, 3);
  }
}

TEST(Search, AReaderWhoMayNotWriteReads) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become somebody else";
  Archive archive;
  archive.make("alice", 0, "some needle\r\n");
  archive.update();
  const auto folder = std::filesystem::path(archive.index()).parent_path();
  ::chmod(folder.c_str(), 0755);
  ::chmod(archive.directory().c_str(), 0755);
  for (const auto& entry : std::filesystem::directory_iterator(folder)) ::chmod(entry.path().c_str(), 0644);
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(2);
    const auto found = archive.find("some needle");
    ::_exit(archive.problem.empty() && found.size() == 1 ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0) << "-wal and -shm are there for him";
}

}  // namespace
}  // namespace opelog::index
