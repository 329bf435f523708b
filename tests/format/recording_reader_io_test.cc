#include "format/recording_reader_io.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>
#include <random>

#include "format/timing_record.h"
#include "support_io.h"

namespace opelog::format {
namespace {

using testing::kName;
using testing::options_for;
using testing::read_all;
using testing::sample_info;
using testing::slurp;
using testing::spill;
using testing::TempDir;

/// A small ended recording with one of everything.
void make_small(const TempDir& dir) {
  WriterOptions options = options_for(dir);
  options.input = true;
  auto writer = RecordingWriter::create(options, sample_info(), 0);
  ASSERT_TRUE(writer.ok());
  (void)*(*writer)->output("hello\r\n", 1000);
  (void)*(*writer)->input("ls\r", 20000);
  ASSERT_TRUE((*writer)->resized(30, 100, 30000).ok());
  ASSERT_TRUE((*writer)->note("OPELOG_NOTE", std::string(2500, 'n') + "\n", 40000).ok());
  (void)*(*writer)->output(std::string("\0\xff\x1b[m", 5), 50000);
  ASSERT_TRUE((*writer)->gap({"input", "echo was off", 12}, 60000).ok());
  EndInfo end;
  end.exit_code = 3;
  end.bytes_out = 12;
  ASSERT_TRUE((*writer)->end(end, 70000).ok());
}

TEST(RecordingReader, TellsWhatTheWriterWrote) {
  const TempDir dir;
  make_small(dir);
  auto reader = RecordingReader::open(dir.file(kName));
  ASSERT_TRUE(reader.ok()) << reader.error().message;
  EXPECT_EQ((*reader)->info(), sample_info());
  EXPECT_TRUE((*reader)->native());
  EXPECT_FALSE((*reader)->live());
  for (int round = 0; round < 2; ++round) {  // and again after rewind()
    const auto told = read_all(**reader);
    EXPECT_EQ(told.outcome, Outcome::kEnd) << told.problem;
    EXPECT_EQ(told.output, std::string("hello\r\n\0\xff\x1b[m", 12));
    EXPECT_EQ(told.input, "ls\r");
    std::vector<Event::Kind> kinds;
    std::int64_t sum = 0;
    for (const Event& event : told.events) {
      kinds.push_back(event.kind);
      sum += event.delay_us;
      EXPECT_EQ(event.at_us, sum);
    }
    using K = Event::Kind;
    EXPECT_EQ(kinds, (std::vector<K>{K::kOutput, K::kInput, K::kResize, K::kNote, K::kOutput, K::kGap,
                                     K::kNote, K::kNote, K::kEnd}));
    if (kinds.size() != 9) return;
    EXPECT_EQ(told.events[2].rows, 30);
    EXPECT_EQ(told.events[2].cols, 100);
    EXPECT_EQ(told.events[3].name, "OPELOG_NOTE");
    EXPECT_EQ(told.events[3].value, std::string(2500, 'n') + "\n");
    EXPECT_EQ(told.events[5].gap, (GapInfo{"input", "echo was off", 12}));
    EXPECT_EQ(told.events[8].end->exit_code, 3);
    EXPECT_EQ(told.events[8].at_us, 70000);
    EXPECT_TRUE((*reader)->rewind().ok());
  }
}

TEST(RecordingReader, OpensByAnyOfTheFiles) {
  const TempDir dir;
  make_small(dir);
  for (const char* suffix : {"", ".log", ".time", ".in"}) {
    EXPECT_EQ(read_all(dir.file(std::string(kName) + suffix)).outcome, Outcome::kEnd) << suffix;
  }
  auto absent = RecordingReader::open(dir.file("nobody"));
  ASSERT_FALSE(absent.ok());
  EXPECT_EQ(absent.error().code, Code::kNotFound);
}

TEST(RecordingReader, ABaseNameMayEndLikeASuffix) {
  const TempDir dir;
  auto writer = RecordingWriter::create(options_for(dir, "u_20261122140509_host.in"), sample_info(), 0);
  ASSERT_TRUE(writer.ok() && (*writer)->end({}, 1).ok());
  EXPECT_EQ(read_all(dir.file("u_20261122140509_host.in")).outcome, Outcome::kEnd);
}

TEST(RecordingReader, LongRecordsComeInPiecesWithTheDelayOnTheFirst) {
  const TempDir dir;
  auto writer = RecordingWriter::create(options_for(dir), sample_info(), 0);
  ASSERT_TRUE(writer.ok());
  std::string big(300 * 1024, '\0');
  std::mt19937 random(1);
  for (char& c : big) c = static_cast<char>(random());
  ASSERT_EQ(*(*writer)->output(big, 5000), big.size());
  ASSERT_TRUE((*writer)->end({}, 6000).ok());
  const auto told = read_all(dir.file(kName));
  EXPECT_EQ(told.output, big);
  ASSERT_GE(told.events.size(), 5U);
  EXPECT_EQ(told.events[0].delay_us, 5000);
  EXPECT_EQ(told.events[1].delay_us, 0);
  for (const Event& event : told.events) EXPECT_LE(event.bytes.size(), 64U * 1024U);
}

TEST(RecordingReader, FollowsALiveRecordingToItsEnd) {
  const TempDir dir;
  auto writer = RecordingWriter::create(options_for(dir), sample_info(), 0);
  ASSERT_TRUE(writer.ok());
  auto reader = RecordingReader::open(dir.file(kName));
  ASSERT_TRUE(reader.ok());
  EXPECT_TRUE((*reader)->live());
  Event event;
  EXPECT_EQ((*reader)->next(event), Outcome::kNeedMore);
  (void)*(*writer)->output("one", 1000);
  EXPECT_EQ((*reader)->next(event), Outcome::kNeedMore);  // merged timing still waits
  ASSERT_TRUE((*writer)->flush(20000).ok());
  ASSERT_EQ((*reader)->next(event), Outcome::kEvent);
  EXPECT_EQ(event.bytes, "one");
  EXPECT_EQ((*reader)->next(event), Outcome::kNeedMore);
  EXPECT_EQ((*reader)->next(event), Outcome::kNeedMore);
  ASSERT_TRUE((*writer)->end({}, 30000).ok());
  const auto told = read_all(**reader);  // the writer still holds the lock
  EXPECT_EQ(told.outcome, Outcome::kEnd);
  EXPECT_EQ(told.count(Event::Kind::kEnd), 1);
}

TEST(RecordingReader, AWriterThatDiesLeavesATornRecordingWithAllItsBytes) {
  const TempDir dir;
  const std::string time = dir.file(std::string(kName) + ".time");
  {
    auto writer = RecordingWriter::create(options_for(dir), sample_info(), 0);
    ASSERT_TRUE(writer.ok());
    (void)*(*writer)->output("timed", 1000);
    ASSERT_TRUE((*writer)->flush(20000).ok());
  }
  {
    Fd log(::open(dir.file(std::string(kName) + ".log").c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
    ASSERT_TRUE(write_all(log.get(), "untimed").ok());
  }
  const auto told = read_all(dir.file(kName));
  EXPECT_EQ(told.outcome, Outcome::kTorn);
  EXPECT_EQ(told.output, "timeduntimed");
  EXPECT_EQ(told.count(Event::Kind::kGap), 1);
  EXPECT_NE(told.problem, "");
}

TEST(RecordingReader, BytesMissingFromTheLogAreAGapAndTheRestIsTold) {
  const TempDir dir;
  make_small(dir);
  const std::string log = dir.file(std::string(kName) + ".log");
  const std::string bytes = slurp(log);
  spill(log, bytes.substr(0, bytes.size() - 3));
  auto told = read_all(dir.file(kName));
  EXPECT_EQ(told.outcome, Outcome::kTorn);
  EXPECT_NE(told.problem.find("3 recorded bytes"), std::string::npos) << told.problem;
  EXPECT_EQ(told.count(Event::Kind::kEnd), 1);
  EXPECT_EQ(told.output, std::string("hello\r\n\0\xff", 9));
  // And bytes that were added to it are no part of the session.
  spill(log, bytes + "added");
  told = read_all(dir.file(kName));
  EXPECT_EQ(told.outcome, Outcome::kTorn);
  ::unlink(log.c_str());
  told = read_all(dir.file(kName));
  EXPECT_EQ(told.outcome, Outcome::kTorn);
  EXPECT_EQ(told.output, "");
  EXPECT_EQ(told.problem, "there is no .log");
}

TEST(RecordingReader, EveryTruncationOfTheTimingIsTornOrEndedAndLosesNoOutput) {
  const TempDir dir;
  make_small(dir);
  const std::string path = dir.file(std::string(kName) + ".time");
  const std::string whole = slurp(path);
  for (std::size_t length = 0; length < whole.size(); length += OPELOG_SAMPLE) {
    spill(path, whole.substr(0, length));
    const auto told = read_all(dir.file(kName), 1000);
    // Cut so early that nothing says whose file it is, it counts as plain script's, which has no end record.
    if (length > 30) {
      ASSERT_EQ(told.outcome, Outcome::kTorn) << length << ": " << told.problem;
    } else {
      ASSERT_TRUE(told.outcome == Outcome::kTorn || told.outcome == Outcome::kEnd) << length;
    }
    ASSERT_EQ(told.output, std::string("hello\r\n\0\xff\x1b[m", 12)) << length;
  }
}

TEST(RecordingReader, EveryFlippedByteComesToANamedEnd) {
  const TempDir dir;
  make_small(dir);
  const std::string path = dir.file(std::string(kName) + ".time");
  const std::string whole = slurp(path);
  std::map<Outcome, int> seen;
  for (std::size_t at = 0; at < whole.size(); at += OPELOG_SAMPLE) {
    for (const int mask : {0x01, 0xff}) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ mask);
      spill(path, damaged);
      const auto told = read_all(dir.file(kName), 5000);
      ASSERT_TRUE(told.outcome == Outcome::kEnd || told.outcome == Outcome::kTorn ||
                  told.outcome == Outcome::kCorrupt)
          << at;
      if (told.outcome != Outcome::kEnd) {
        ASSERT_NE(told.problem, "");
      }
      ++seen[told.outcome];
    }
  }
  EXPECT_GT(seen[Outcome::kCorrupt], 50 / OPELOG_SAMPLE);
  EXPECT_GT(seen[Outcome::kTorn], 0);
}

TEST(RecordingReader, RandomDamageNeitherCrashesNorLoops) {
  const TempDir dir;
  make_small(dir);
  const std::string path = dir.file(std::string(kName) + ".time");
  const std::string whole = slurp(path);
  std::mt19937 random(99);
  for (int round = 0; round < 500; ++round) {
    std::string damaged = whole;
    for (unsigned n = random() % 8; n > 0; --n) {
      const std::size_t at = random() % damaged.size();
      switch (random() % 3) {
        case 0:
          damaged[at] = static_cast<char>(random());
          break;
        case 1:
          damaged.erase(at, random() % 40);
          break;
        default:
          damaged.insert(at, std::string(random() % 20, "0O\n H~{9"[random() % 8]));
      }
      if (damaged.empty()) damaged = "x";
    }
    spill(path, damaged);
    (void)read_all(dir.file(kName), 20000);
  }
}

TEST(RecordingReader, HostileTimingStaysDataAndIsNamed) {
  struct Case {
    const char* name;
    std::string time;
    Outcome outcome;
  };
  std::string sum;
  for (int i = 0; i < 5000; ++i) sum += "S 1000000000.000000 SIGX \n";
  const Case cases[] = {
      {"sizes of 2^63-1",
       "H 0.000000 OPELOG_X v\nO 0.000000 9223372036854775807\nO 0.000000 9223372036854775807\n",
       Outcome::kTorn},
      {"a size of 2^63", "O 0.000000 9223372036854775808\n", Outcome::kCorrupt},
      {"a negative delay", "O -1.000000 5\n", Outcome::kCorrupt},
      {"nan", "O nan 5\n", Outcome::kCorrupt},
      {"a huge delay", "O 99999999999999.000000 5\n", Outcome::kCorrupt},
      {"delays that overflow", sum, Outcome::kCorrupt},
      {"a line without end", std::string(200000, 'O'), Outcome::kCorrupt},
      {"binary", std::string(5000, '\0'), Outcome::kTorn},
      {"binary lines", std::string("\0\n\0\n", 4), Outcome::kCorrupt},
      {"an end among output", "H 0.000000 OPELOG_END x\nO 0.000000 5\n", Outcome::kTorn},
      {"a path in OUTPUT_LOG", "H 0.000000 OUTPUT_LOG ../../../../etc/passwd\nO 0.000000 5\n", Outcome::kEnd},
  };
  for (const Case& one : cases) {
    const TempDir dir;
    spill(dir.file("x.time"), one.time);
    spill(dir.file("x.log"), "Script started on x\nhello");
    const auto told = read_all(dir.file("x"), 10000);
    EXPECT_EQ(told.outcome, one.outcome) << one.name << ": " << told.problem;
    EXPECT_EQ(told.output.substr(0, 5), told.output.empty() ? "" : "hello") << one.name;
  }
}

TEST(RecordingReader, FollowsNoLinksAndWaitsForNoFifo) {
  const TempDir dir;
  spill(dir.file("secret"), "Script started on x\nsecret");
  spill(dir.file("a.time"), "O 0.000000 6\n");
  ASSERT_EQ(::symlink(dir.file("secret").c_str(), dir.file("a.log").c_str()), 0);
  EXPECT_EQ(RecordingReader::open(dir.file("a")).error().code, Code::kDenied);
  spill(dir.file("b.log"), "x\n");
  ASSERT_EQ(::mkfifo(dir.file("b.time").c_str(), 0600), 0);
  EXPECT_EQ(RecordingReader::open(dir.file("b")).error().code, Code::kDenied);
  spill(dir.file("c.time"), "H 0.000000 OUTPUT_LOG ../secret\nO 0.000000 6\n");
  ASSERT_EQ(::symlink(dir.file("secret").c_str(), dir.file("d").c_str()), 0);
  spill(dir.file("d.time"), "H 0.000000 OUTPUT_LOG d\nO 0.000000 6\n");
  EXPECT_EQ(RecordingReader::open(dir.file("d.time")).error().code, Code::kDenied);
}

TEST(RecordingReader, ALogAloneIsShownAndCalledTorn) {
  const TempDir dir;
  spill(dir.file("x.log"), "Script started on 2026-11-22 17:06:26+00:00 [x]\nhello");
  const auto told = read_all(dir.file("x"));
  EXPECT_EQ(told.outcome, Outcome::kTorn);
  EXPECT_EQ(told.problem, "there is no timing file");
  EXPECT_EQ(told.output, "hello");
}

// Recordings of plain script -------------------------------------------------------------------------------

/// Runs script with output that scriptreplay then shows as well.
void expect_same_as_scriptreplay(const TempDir& dir, const std::vector<std::string>& script,
                                 const std::string& command, const std::string& log,
                                 const std::string& time) {
  std::vector<std::string> argv = script;
  argv.insert(argv.end(), {"-q", "-c", command});
  const auto made = testing::run(argv);
  ASSERT_EQ(made.status, 0) << made.err;
  auto played = testing::run({"scriptreplay", "-m", "0.001", "-d", "1000", "--log-out", dir.file(log),
                              "--log-timing", dir.file(time)});
  ASSERT_EQ(played.status, 0) << played.err;
  if (!played.out.empty()) played.out.pop_back();
  ASSERT_GT(played.out.size(), 20U);
  auto reader = RecordingReader::open(dir.file(time));
  ASSERT_TRUE(reader.ok()) << reader.error().message;
  EXPECT_FALSE((*reader)->native());
  const auto told = read_all(**reader);
  EXPECT_EQ(told.outcome, Outcome::kEnd) << told.problem;
  EXPECT_EQ(told.output, played.out);
  EXPECT_EQ(told.count(Event::Kind::kGap), 0);
  EXPECT_GT((*reader)->info().started, 1700000000000000);
}

constexpr const char* kCommandLine = "head -c 20000 /dev/urandom; printf '\\0\\377end\\n'; seq 1 3000";

TEST(PlainScript, MultiStreamRecordingsAreReadByteForByte) {
  const TempDir dir;
  expect_same_as_scriptreplay(
      dir, {"script", "--log-out", dir.file("a.log"), "--log-timing", dir.file("a.time"), "-m", "advanced"},
      kCommandLine, "a.log", "a.time");
  const auto told = read_all(dir.file("a"));
  EXPECT_EQ(told.count(Event::Kind::kEnd), 1);  // EXIT_CODE
}

TEST(PlainScript, ClassicRecordingsAreReadByteForByte) {
  const TempDir dir;
  expect_same_as_scriptreplay(
      dir, {"script", "--log-out", dir.file("a.log"), "--log-timing", dir.file("a.time"), "-m", "classic"},
      kCommandLine, "a.log", "a.time");
}

TEST(PlainScript, OtherNamesAreFoundBesideEachOther) {
  const TempDir dir;
  expect_same_as_scriptreplay(dir,
                              {"script", "--log-out", dir.file("a.typescript"), "--log-timing",
                               dir.file("a.timing"), "-m", "classic"},
                              kCommandLine, "a.typescript", "a.timing");
  expect_same_as_scriptreplay(
      dir,
      {"script", "--log-out", dir.file("some.where"), "--log-timing", dir.file("b.tm"), "-m", "advanced"},
      kCommandLine, "some.where", "b.tm");
}

TEST(PlainScript, InputAndOutputInOneFileAreToldApart) {
  const TempDir dir;
  spill(dir.file("a.time"),
        "H 0.000000 START_TIME 2026-11-22 17:06:26+00:00\nH 0.000000 OUTPUT_LOG a.log\n"
        "H 0.000000 INPUT_LOG a.log\nO 0.100000 3\nI 0.100000 2\nO 0.100000 4\n"
        "H 0.000000 DURATION 0.300000\nH 0.000000 EXIT_CODE 7\n");
  spill(dir.file("a.log"), "Script started on x\n$> lsfile\nScript done on x\n");
  const auto told = read_all(dir.file("a"));
  EXPECT_EQ(told.outcome, Outcome::kEnd) << told.problem;
  EXPECT_EQ(told.output, "$> file");
  EXPECT_EQ(told.input, "ls");
  EXPECT_EQ(told.events.back().end->exit_code, 7);
}

TEST(PlainScript, TheRecipesNameGivesUserAndClient) {
  const TempDir dir;
  spill(dir.file("bob_20260102030405_198.51.100.9.time"), "0.1 5\n");
  spill(dir.file("bob_20260102030405_198.51.100.9.log"),
        "Script started on 2026-01-02 03:04:05+00:00 [x]\nhello\nScript done on x\n");
  auto reader = RecordingReader::open(dir.file("bob_20260102030405_198.51.100.9"));
  ASSERT_TRUE(reader.ok());
  EXPECT_EQ((*reader)->info().user, "bob");
  EXPECT_EQ((*reader)->info().client, "198.51.100.9");
  EXPECT_EQ((*reader)->info().started, 1767323045000000);
  EXPECT_EQ(read_all(**reader).outcome, Outcome::kEnd);
}

TEST(RecordingReader, AHoleOfTerabytesIsAGapAndNotPlayed) {
  const TempDir dir;
  constexpr std::uint64_t kSize = std::uint64_t{1} << 40;
  const std::string first = "Script started on 2026-11-22 14:05:09+00:00 [x]\n";
  spill(dir.file("huge.log"), first + "shown");
  ASSERT_EQ(::truncate(dir.file("huge.log").c_str(), static_cast<off_t>(kSize)), 0);
  const std::uint64_t all = kSize - first.size();
  spill(dir.file("huge.time"), "O 0.100000 " + std::to_string(all) + "\n");
  auto reader = RecordingReader::open(dir.file("huge"));
  ASSERT_TRUE(reader.ok()) << reader.error().message;
  (*reader)->leave_out_holes(true);
  const auto told = read_all(**reader);
  EXPECT_EQ(told.outcome, Outcome::kEnd) << told.problem;
  EXPECT_EQ(told.output.substr(0, 5), "shown");
  ASSERT_EQ(told.count(Event::Kind::kGap), 1);
  EXPECT_EQ(told.events.back().gap->what, "output");
  EXPECT_EQ(told.output.size() + told.events.back().gap->bytes, all);
}

TEST(RecordingReader, ZerosAreDataAndSoIsAHoleUnlessItIsToBeLeftOut) {
  const TempDir dir;
  const std::string first = "Script started on x\n";
  constexpr std::size_t kWritten = 3 << 20, kSmall = 500000, kLarge = 2 << 20;
  spill(dir.file("zeros.log"), first + std::string(kWritten, '\0'));
  for (const std::size_t hole : {kSmall, kLarge}) {
    const std::size_t all = kWritten + hole;
    ASSERT_EQ(::truncate(dir.file("zeros.log").c_str(), static_cast<off_t>(first.size() + all)), 0);
    spill(dir.file("zeros.time"), "O 0.100000 " + std::to_string(all) + "\n");
    EXPECT_EQ(read_all(dir.file("zeros")).output.size(), all) << "a sparse copy of a recording";
    auto reader = RecordingReader::open(dir.file("zeros"));
    ASSERT_TRUE(reader.ok());
    (*reader)->leave_out_holes(true);
    const auto told = read_all(**reader);
    EXPECT_GE(told.output.size(), kWritten);
    EXPECT_EQ(told.count(Event::Kind::kGap), hole == kLarge ? 1 : 0) << hole;
  }
}

}  // namespace
}  // namespace opelog::format
