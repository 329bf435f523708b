#include "index/indexer_io.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "format/exec_record.h"
#include "support_io.h"

namespace opelog::index {
namespace {

using format::testing::slurp;
using format::testing::spill;
using testing::Archive;
using testing::ask;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(Indexer, WhatIsColouredRedrawnWrappedOrCrossesChunksIsFound) {
  Archive archive;
  auto writer = archive.begin("alice", 0, "a \x1B[31mcol\x1B[1mour\x1B[0med line\r\n");
  Archive::add(*writer, "progress 10%\rprogress 99%\r\n", 2 * kUsPerS);
  Archive::add(*writer, std::string(70, '-') + "wrapped over the edge\r\n", 3 * kUsPerS);
  for (const char c : std::string("byte by byte\r\n")) Archive::add(*writer, std::string(1, c), 4 * kUsPerS);
  Archive::add(*writer, "mistaek\b\b\x1B[Kke\r\n", 5 * kUsPerS);
  ASSERT_TRUE(writer->end({}, 6 * kUsPerS));
  EXPECT_EQ(archive.update().indexed, 1U);
  for (const bool from_index : {true, false}) {
    EXPECT_THAT(archive.find("coloured line", from_index), ElementsAre("alice:a coloured line"));
    EXPECT_THAT(archive.find("progress", from_index), ElementsAre("alice:progress 99%"));
    EXPECT_THAT(archive.find("wrapped over the edge", from_index), ElementsAre(HasSubstr("---wrapped over")));
    EXPECT_THAT(archive.find("byte by byte", from_index), ElementsAre("alice:byte by byte"));
    EXPECT_THAT(archive.find("mista", from_index), ElementsAre("alice:mistake"));
    EXPECT_THAT(archive.find("31m", from_index), IsEmpty());
  }
}

TEST(Indexer, ASecondRunOpensNothing) {
  Archive archive;
  archive.make("alice", 0, "one\r\n");
  archive.make("bob", 1, "two\r\n");
  EXPECT_EQ(archive.update().indexed, 2U);
  const auto report = archive.update();
  EXPECT_EQ(report.indexed, 0U);
  EXPECT_EQ(report.unchanged, 2U);
  EXPECT_EQ(report.sessions, 2U);
  EXPECT_EQ(report.rebuilt, "");
}

TEST(Indexer, ALiveSessionGoesOnWithoutALineTwice) {
  Archive archive;
  std::string first;
  // More than one block, so that some of it is final, and the rest of it is on the screen.
  for (int i = 0; i < 3000; ++i) first += "line number " + std::to_string(i) + "\r\n";
  auto writer = archive.begin("alice", 0, first + "half a li");
  EXPECT_EQ(archive.update().lines, 3001U);
  EXPECT_THAT(archive.find("half a"), ElementsAre("alice:half a li"));
  EXPECT_GT(ask(archive.index(), "SELECT lines FROM session"), 1000);
  Archive::add(*writer, "ne\r\nnew text\r\n", 3 * kUsPerS);
  const auto second = archive.update();
  EXPECT_EQ(second.indexed, 1U);
  EXPECT_LT(second.lines, 1500U) << "final lines stay";
  EXPECT_THAT(archive.find("half a"), ElementsAre("alice:half a line"));
  EXPECT_THAT(archive.find("new text"), ElementsAre("alice:new text"));
  EXPECT_THAT(archive.find("number 17", true, PatternKind::kWord), ElementsAre("alice:line number 17"));
  EXPECT_THAT(archive.find("number 2999"), ElementsAre("alice:line number 2999"));
  EXPECT_EQ(archive.update().unchanged, 1U);
  ASSERT_TRUE(writer->end({}, 4 * kUsPerS));
  writer.reset();
  EXPECT_EQ(archive.update().indexed, 1U);
  EXPECT_EQ(ask(archive.index(), "SELECT lines FROM session"), 3002);
  EXPECT_EQ(ask(archive.index(), "SELECT count(*) FROM block WHERE rest"), 0);
  EXPECT_THAT(archive.find("number 17", true, PatternKind::kWord), ElementsAre("alice:line number 17"));
}

TEST(Indexer, ALiveSessionWhoseWriterDiedIsNoLongerLive) {
  Archive archive;
  archive.begin("alice", 0, "torn\r\n").reset();
  auto writer = archive.begin("bob", 1, "was live\r\n");
  archive.update();
  writer.reset();
  EXPECT_EQ(archive.update().indexed, 1U);
  EXPECT_EQ(ask(archive.index(), "SELECT count(*) FROM session WHERE state='torn'"), 2);
  EXPECT_THAT(archive.find("was live"), ElementsAre("bob:was live"));
  archive.update();
  EXPECT_EQ(archive.update().unchanged, 2U) << "it comes to rest";
}

TEST(Indexer, VanishedRecordingsLeaveAndReplacedOnesAreReadAnew) {
  Archive archive;
  const std::string gone = archive.make("alice", 0, "gone soon\r\n");
  const std::string other = archive.make("bob", 1, "old words\r\n");
  archive.update();
  ::unlink((archive.file(gone) + ".log").c_str());
  ::unlink((archive.file(gone) + ".time").c_str());
  EXPECT_THAT(archive.find("gone soon"), IsEmpty()) << "before the index knows";
  for (const char* suffix : {".log", ".time"}) ::unlink((archive.file(other) + suffix).c_str());
  ASSERT_EQ(archive.make("bob", 1, "new words\r\n"), other);
  const auto report = archive.update();
  EXPECT_EQ(report.removed, 1U);
  EXPECT_EQ(report.indexed, 1U);
  EXPECT_EQ(report.sessions, 1U);
  EXPECT_THAT(archive.find("words"), ElementsAre("bob:new words"));
  EXPECT_EQ(ask(archive.index(), "SELECT count(*) FROM block"), 1);
  EXPECT_EQ(ask(archive.index(), "SELECT count(*) FROM block_words WHERE block_words MATCH '" +
                                     trigram_query("gone soon", false) + "'"),
            0);
}

TEST(Indexer, CompressedRecordingsAreReadOnceMoreAndRenamedOnesNot) {
  Archive archive;
  const std::string packed = archive.make("alice", 0, "packed words\r\n");
  const std::string rotated = archive.make("bob", 1, "rotated words\r\n");
  archive.update();
  for (const char* suffix : {".log", ".time"}) {
    const std::string plain = archive.file(packed) + suffix;
    ASSERT_EQ(format::testing::run({"zstd", "-q", "--rm", plain}).status, 0);
    const std::string old = archive.file(rotated) + suffix;
    ASSERT_EQ(::rename(old.c_str(), (old + "-20261126").c_str()), 0);
  }
  for (const char* words : {"packed words", "rotated words"})
    EXPECT_EQ(archive.find(words).size(), 1U) << words << " by the index as it is";
  EXPECT_EQ(archive.update().indexed, 1U);
  const auto report = archive.update();
  EXPECT_EQ(report.unchanged, 2U);
  EXPECT_EQ(report.failed, 0U);
  for (const char* words : {"packed words", "rotated words"})
    EXPECT_EQ(archive.find(words).size(), 1U) << words;
}

TEST(Indexer, RecordingsOfPlainScriptAreIndexed) {
  Archive archive;
  spill(archive.file("plain.log"), "Script started on 2026-11-22 14:05:09+00:00\nplain words\r\n");
  spill(archive.file("plain.time"), "0.5 13\n");
  EXPECT_EQ(archive.update().indexed, 1U);
  EXPECT_THAT(archive.find("plain words"), ElementsAre(HasSubstr(":plain words")));
  spill(archive.file("plain.log"), "Script started on 2026-11-22 14:05:09+00:00\nother words\r\n");
  EXPECT_EQ(archive.update().indexed, 1U);
  EXPECT_THAT(archive.find("words"), ElementsAre(HasSubstr(":other words")));
}

TEST(Indexer, ADamagedOrForeignFileIsMovedAsideAndBuiltAnew) {
  Archive archive;
  archive.make("alice", 0, "some words\r\n");
  const std::string old(10000, 'x');
  spill(archive.index(), old);
  EXPECT_NE(archive.update().rebuilt, "");
  EXPECT_EQ(slurp(archive.index() + ".aside"), old);
  EXPECT_THAT(archive.find("some words"), ElementsAre("alice:some words"));
  EXPECT_EQ(archive.problem, "");

  std::filesystem::remove(archive.index());
  EXPECT_EQ(ask(archive.index(), "CREATE TABLE mine(x)"), 0);
  EXPECT_EQ(archive.update().rebuilt, "it was no index of opelog");
  EXPECT_EQ(ask(archive.index() + ".aside", "SELECT count(*) FROM mine"), 0)
      << "somebody's data are still there";
}

TEST(Indexer, AnyDamageInTheMiddleIsSurvivedByReadersAndRepaired) {
  Archive archive;
  std::string text;
  for (int i = 0; i < 5000; ++i) text += "words of line " + std::to_string(i * 7919) + "\r\n";
  archive.make("alice", 0, text + "needle in it\r\n");
  archive.update();
  const std::string good = slurp(archive.index());
  for (std::size_t at = 100; at + 3000 < good.size(); at += good.size() / 13) {
    std::string bad = good;
    bad.replace(at, 3000, std::string(3000, '\x55'));
    spill(archive.index(), bad);
    for (const char* suffix : {"-wal", "-shm"}) std::filesystem::remove(archive.index() + suffix);
    const auto found = archive.find("needle in it");
    EXPECT_LE(found.size(), 1U) << at;
    archive.make("bob", 1, "another\r\n");
    archive.update();
    // What SQLite cannot see may hide a hit, and never makes one.
    EXPECT_LE(archive.find("another").size(), 1U) << at;
    archive.update(true);
    EXPECT_THAT(archive.find("another"), ElementsAre("bob:another")) << at;
    EXPECT_THAT(archive.find("needle in it"), ElementsAre("alice:needle in it")) << at;
    for (const char* suffix : {".log", ".time"}) {
      for (const auto& entry : std::filesystem::directory_iterator(archive.directory()))
        if (entry.path().filename().string().find("bob") == 0 && entry.path().extension() == suffix)
          std::filesystem::remove(entry.path());
    }
  }
}

TEST(Indexer, AnotherVersionIsBuiltAnew) {
  Archive archive;
  archive.make("alice", 0, "some words\r\n");
  archive.update();
  ask(archive.index(), "PRAGMA user_version=99");
  EXPECT_THAT(archive.find("some words"), ElementsAre("alice:some words")) << "from the recording";
  EXPECT_THAT(archive.problem, HasSubstr("99"));
  EXPECT_EQ(archive.update().rebuilt, "it was of version 99");
  EXPECT_THAT(archive.find("some words"), ElementsAre("alice:some words"));
  EXPECT_EQ(archive.problem, "");
  EXPECT_FALSE(std::filesystem::exists(archive.index() + ".aside"));
}

TEST(Indexer, OnlyOneWritesAndReadersGoOn) {
  Archive archive;
  archive.make("alice", 0, "some words\r\n");
  archive.update();
  auto store = IndexStore::open(archive.index(), IndexStore::Start::kGoOn);
  ASSERT_TRUE(store);
  IndexOptions options;
  options.directory = archive.directory();
  options.index = archive.index();
  const auto second = update_index(options);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kExists);
  ASSERT_TRUE((*store)->begin());
  ASSERT_TRUE((*store)->remove(1));
  EXPECT_THAT(archive.find("some words"), ElementsAre("alice:some words")) << "what was committed is seen";
  EXPECT_EQ(archive.problem, "");
  (*store)->roll_back();
}

TEST(Indexer, AnIndexThatWasKilledGoesOn) {
  Archive archive;
  std::string text;
  for (int i = 0; i < 60000; ++i)
    text += "words of line " + std::to_string(i) + " and a good deal more of them\r\n";
  archive.make("alice", 0, text);
  ASSERT_GT(text.size(), 2U << 20);
  const pid_t child = ::fork();
  if (child == 0) {
    IndexOptions options;
    options.directory = archive.directory();
    options.index = archive.index();
    options.batch_bytes = 1 << 20;
    options.progress = [](const IndexProgress& progress) {
      if (progress.bytes > 2U << 20) ::_exit(9);  // within the third transaction, or the second
    };
    (void)update_index(options);
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_EQ(WEXITSTATUS(status), 9);
  const auto report = archive.update();
  EXPECT_EQ(report.rebuilt, "");
  EXPECT_LT(report.lines, 45000U) << "what the first one stored stays";
  EXPECT_EQ(ask(archive.index(), "SELECT lines FROM session"), 60000);
  EXPECT_EQ(archive.find("line 12345 and").size(), 1U);
  EXPECT_EQ(archive.find("line 59999 and").size(), 1U);
}

TEST(Indexer, ARecordingThatDrawsFarMoreThanItWritesIsBoundedAndStillSearched) {
  Archive archive;
  std::string text = "before it\r\n\x1B[?47h";
  for (int r = 1; r <= 24; ++r) text += "\x1B[" + std::to_string(r) + ";1H" + std::string(79, 'x');
  for (int i = 0; i < 20000; ++i) text += "\x1B[?47l\x1B[?47h" + std::to_string(i);
  text += "\x1B[?47l\r\nhidden behind it\r\n";
  archive.make("eve", 0, text);
  archive.update();
  ASSERT_EQ(archive.remarks.size(), 1U);
  EXPECT_THAT(archive.remarks[0], HasSubstr("far more than it writes"));
  EXPECT_THAT(archive.find("before it"), ElementsAre("eve:before it"));
  EXPECT_THAT(archive.find("hidden behind it"), ElementsAre("eve:hidden behind it"));
  EXPECT_LT(std::filesystem::file_size(archive.index()), 4U << 20);
}

TEST(Indexer, HostileBytesStayData) {
  Archive archive;
  auto writer = archive.begin(
      "eve", 0, "needle \x1B]52;c;ZXZpbA==\x07 \u202Ekcab \xFF\xFE '; DROP TABLE session; --\r\n");
  format::ExecInfo exec;
  exec.pid = 7;
  exec.argv = {"needle", "\x1B]0;x\x07\n", std::string("nul\0byte", 8)};
  ASSERT_TRUE(writer->note(format::kOpelogExec, format::exec_value({kUsPerS, 10}, exec), 2 * kUsPerS));
  ASSERT_TRUE(writer->end({}, 3 * kUsPerS));
  spill(archive.file("noise.log"), std::string("\0\x1B\xC3(\x80\x9F", 6) + "needle");
  spill(archive.file("noise.time"), "0.1 99999999999\nrubbish\n");
  archive.update();
  const auto found = archive.find("needle");
  ASSERT_GE(found.size(), 2U);
  for (const auto& one : found) {
    const bool shown = one.find('$') == std::string::npos;
    EXPECT_TRUE(!shown || one.find('\x1B') == std::string::npos) << one;
  }
  EXPECT_THAT(archive.find("DROP TABLE"), ElementsAre(HasSubstr("<U+202E>kcab")));
  EXPECT_EQ(archive.find("' OR 1 --").size(), 0U);
  EXPECT_EQ(archive.find("\" OR block_words MATCH \"").size(), 0U);
}

TEST(Indexer, TheFileIsForItsGroupOnly) {
  Archive archive;
  archive.update();
  struct stat facts {};
  ASSERT_EQ(::stat(archive.index().c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 07777, 0640U & ~0022U);
}

}  // namespace
}  // namespace opelog::index
