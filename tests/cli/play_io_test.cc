// The real `opelog play` on real ptys: whatever ends it, the terminal is as it was.
#include <gtest/gtest.h>
#include <signal.h>

#include <random>

#include "support_io.h"

namespace opelog::cli {
namespace {

using format::testing::slurp;
using format::testing::spill;
using testing::kName;
using testing::OnPty;
using testing::opelog;
using testing::same_settings;
using testing::TempDir;

// Sets what must be undone: alternate screen, hidden cursor, scroll region, colour, line drawing.
const std::string kScene = "scene\x1B[?1049h\x1B[?25l\x1B[2;5r\x1B[31m\x1B(0ready";

class Play : public ::testing::Test {
 protected:
  // A scene, then nothing for an hour: the player waits.
  void SetUp() override {
    testing::make_recording(dir, kName, format::testing::sample_info(),
                            {{0, kScene}, {3600 * kUsPerS, "late"}});
  }
  std::vector<std::string> words(std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"play", "alice", "--directory", dir.path()});
    return more;
  }
  // What every exit must have sent after the scene.
  static void expect_restored(const OnPty& pty) {
    EXPECT_TRUE(same_settings(pty.before(), pty.now()));
    const std::string tail = pty.seen().substr(pty.seen().find("ready") + 5);
    for (const char* part : {"\x1B[?1049l", "\x1B[?25h", "\x1B[r", "\x1B[0m", "\x1B(B"}) {
      EXPECT_NE(tail.find(part), std::string::npos) << part + 1;
    }
  }
  TempDir dir;
};

TEST_F(Play, QuittingRestoresTheTerminal) {
  OnPty pty(words());
  ASSERT_TRUE(pty.wait_for("ready"));
  ASSERT_TRUE(pty.wait_for_raw(true));
  EXPECT_FALSE(same_settings(pty.before(), pty.now()));
  pty.send("q");
  EXPECT_EQ(pty.wait_end(), 0);
  expect_restored(pty);
}

TEST_F(Play, EverySignalThatEndsItRestoresTheTerminal) {
  for (const int signum : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) {
    OnPty pty(words());
    ASSERT_TRUE(pty.wait_for("ready"));
    ASSERT_TRUE(pty.wait_for_raw(true));
    pty.signal(signum);
    EXPECT_EQ(pty.wait_end(), 128 + signum);
    expect_restored(pty);
  }
}

TEST_F(Play, CtrlCRestoresTheTerminal) {
  OnPty pty(words());
  ASSERT_TRUE(pty.wait_for("ready"));
  ASSERT_TRUE(pty.wait_for_raw(true));
  pty.send("\x03");
  EXPECT_EQ(pty.wait_end(), 128 + SIGINT);
  expect_restored(pty);
}

TEST_F(Play, StoppedItRestoresTheTerminalAndContinuedItDrawsAgain) {
  OnPty pty(words());
  ASSERT_TRUE(pty.wait_for("ready"));
  ASSERT_TRUE(pty.wait_for_raw(true));
  pty.send("\x1A");
  ASSERT_TRUE(pty.wait_stopped());
  expect_restored(pty);
  const std::size_t before = pty.seen().size();
  pty.signal(SIGUSR1);  // fg
  ASSERT_TRUE(pty.wait_for_raw(true));
  ASSERT_TRUE(pty.wait_for("ready", before)) << "drawn again";
  pty.send("q");
  EXPECT_EQ(pty.wait_end(), 0);
  expect_restored(pty);
}

TEST_F(Play, AnErrorInTheMiddleRestoresTheTerminal) {
  const std::string time = slurp(dir.file(kName) + ".time");
  spill(dir.file("dirt_20261122140509_192.0.2.7.log"), slurp(dir.file(kName) + ".log"));
  spill(dir.file("dirt_20261122140509_192.0.2.7.time"),
        time.substr(0, time.find("O 3600")) + "\x80\x80 nonsense\nO 0.1 5\nO 0.1 5\n");
  OnPty pty({"play", "dirt", "--directory", dir.path()});
  EXPECT_EQ(pty.wait_end(), 5) << pty.seen();
  expect_restored(pty);
}

TEST_F(Play, AHungUpTerminalEndsIt) {
  OnPty pty(words());
  ASSERT_TRUE(pty.wait_for("ready"));
  pty.hang_up();
  EXPECT_NE(pty.wait_end(), -1) << "it went on playing to nobody";
}

TEST_F(Play, ATerminalThatDoesNotReadCanStillBeInterrupted) {
  testing::make_recording(dir, "flood_20261122140509_192.0.2.7", format::testing::sample_info(),
                          {{0, std::string(1 << 20, 'x')}});
  OnPty pty({"play", "flood", "--directory", dir.path()});
  ASSERT_TRUE(pty.wait_for("xxxx"));  // and then nobody reads
  pty.signal(SIGTERM);
  EXPECT_EQ(pty.wait_end(), 128 + SIGTERM);
  EXPECT_TRUE(same_settings(pty.before(), pty.now()));
}

TEST_F(Play, KeysSeekAndPause) {
  OnPty pty(words());
  ASSERT_TRUE(pty.wait_for("ready"));
  ASSERT_TRUE(pty.wait_for_raw(true));
  pty.send("i");
  ASSERT_TRUE(pty.wait_for("speed 1x"));
  pty.send(" ");
  pty.send("G");
  EXPECT_EQ(pty.wait_end(), 0);
  EXPECT_NE(pty.seen().find("late"), std::string::npos);
}

TEST_F(Play, HostileBytesDoNotReachTheTerminalUnlessRaw) {
  testing::make_recording(dir, "eve_20261122140509_192.0.2.7", format::testing::sample_info(),
                          {{0, "a\x1B]52;c;eA==\x07\x1B[6n\x1B[21tz"}});
  OnPty safe({"play", "eve", "--directory", dir.path()});
  EXPECT_EQ(safe.wait_end(), 0);
  EXPECT_EQ(safe.seen(), "az\r\n");
  OnPty raw({"play", "--raw", "eve", "--directory", dir.path()});
  EXPECT_EQ(raw.wait_end(), 0);
  EXPECT_NE(raw.seen().find("]52;c;"), std::string::npos);
  EXPECT_NE(raw.seen().find("\x1B[?1000l"), std::string::npos) << "raw restores all that can be set";
}

TEST_F(Play, RawToAFileIsTheLogByteForByte) {
  std::mt19937 random(7);
  std::string bytes;
  for (int i = 0; i < 300000; ++i) bytes += static_cast<char>(random() % 256);
  testing::make_recording(dir, "random_20261122140509_192.0.2.7", format::testing::sample_info(),
                          {{0, bytes.substr(0, 1000)}, {kUsPerS, bytes.substr(1000)}});
  const auto ran = opelog({"play", "--raw", "random", "--directory", dir.path()});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_TRUE(ran.out == bytes);
  const std::string log = slurp(dir.file("random_20261122140509_192.0.2.7.log"));
  EXPECT_TRUE(log.substr(log.find('\n') + 1) == ran.out);
}

TEST_F(Play, RecordingsOfPlainScriptPlayToo) {
  const std::string base = dir.file("old");
  const auto made = format::testing::run({"script", "-q", "-c", "printf 'hello\\n'; seq 1 3", "--log-out",
                                          base + ".log", "--log-timing", base + ".time"});
  ASSERT_EQ(made.status, 0) << made.err;
  const auto ran = opelog({"play", "--raw", base});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(ran.out, "hello\r\n1\r\n2\r\n3\r\n");
}

TEST_F(Play, ClassicTimingOfPlainScriptPlaysToo) {
  const std::string base = dir.file("classic");
  const auto made = format::testing::run({"script", "-q", "-c", "seq 1 3", "--logging-format", "classic",
                                          "--log-out", base + ".log", "--log-timing", base + ".time"});
  ASSERT_EQ(made.status, 0) << made.err;
  EXPECT_EQ(opelog({"play", "--raw", base}).out, "1\r\n2\r\n3\r\n");
}

TEST_F(Play, ATornRecordingIsShownAndExitsOne) {
  const std::string time = slurp(dir.file(kName) + ".time");
  spill(dir.file("torn_20261122140509_192.0.2.7.log"), slurp(dir.file(kName) + ".log"));
  spill(dir.file("torn_20261122140509_192.0.2.7.time"), time.substr(0, time.find("O 3600") + 6));
  const auto ran = opelog({"play", "torn", "--directory", dir.path()});
  EXPECT_EQ(ran.status, 1) << ran.err;
  EXPECT_NE(ran.out.find("ready"), std::string::npos);
  EXPECT_EQ(ran.err.find("opelog: "), 0U) << ran.err;
}

TEST_F(Play, OfASessionWithoutATerminalItSaysWhatItWas) {
  format::SessionInfo info = format::testing::sample_info();
  info.terminal = false;
  info.records_payload = false;
  info.command = "rsync --server .";
  const std::string base = "sync_20261122140509_192.0.2.7";
  auto writer = testing::begin_recording(dir, base, info, {});
  auto ran = opelog({"play", base, "--directory", dir.path()});
  EXPECT_NE(ran.err.find("\"rsync --server .\"; the bytes are counted"), std::string::npos) << ran.err;
  format::EndInfo end;
  end.exit_code = 0;
  end.bytes_out = 12;
  end.bytes_in = 3456;
  ASSERT_TRUE(writer->end(end, kUsPerS));
  for (const char* command : {"play", "tail"}) {
    ran = opelog({command, base, "--directory", dir.path()});
    EXPECT_EQ(ran.status, 0);
    EXPECT_EQ(ran.out, "");
    EXPECT_NE(
        ran.err.find("\"rsync --server .\", 12 bytes out (0 of them stderr), 3456 in; the bytes are counted"),
        std::string::npos)
        << ran.err;
    EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
  }
}

TEST_F(Play, AtLeavesOutWhatCameBeforeWhereThereIsNoScreen) {
  testing::make_recording(dir, "parts_20261122140509_192.0.2.7", format::testing::sample_info(),
                          {{0, "one \x1B]0;tit"}, {10 * kUsPerS, "le\x07two "}, {20 * kUsPerS, "three"}});
  const auto play = [this](std::vector<std::string> more) {
    more.insert(more.begin(), {"play", "parts", "--directory", dir.path()});
    return opelog(more).out;
  };
  EXPECT_EQ(play({}), "one two three");
  EXPECT_EQ(play({"--at", "10"}), "two three") << "a string that began before ends behind the place";
  EXPECT_EQ(play({"--at", "11", "--raw"}), "three");
  EXPECT_EQ(play({"--at", "30"}), "");
}

TEST_F(Play, AtBeginsInTheMiddle) {
  const auto ran = opelog({"play", "--at", "30:00", "alice", "--directory", dir.path()});
  EXPECT_EQ(ran.status, 0);
  EXPECT_NE(ran.out.find("late"), std::string::npos);
  EXPECT_EQ(opelog({"play", "--at", "soon", "alice", "--directory", dir.path()}).status, 2);
}

TEST_F(Play, GapsAreStated) {
  auto writer = testing::begin_recording(dir, "gap_20261122140509_192.0.2.7", format::testing::sample_info(),
                                         {{0, "x"}});
  ASSERT_TRUE(writer->gap({"output", "the disk was full", 12}, kUsPerS));
  format::EndInfo end;
  ASSERT_TRUE(writer->end(end, kUsPerS));
  const auto ran = opelog({"play", "gap", "--directory", dir.path()});
  EXPECT_NE(ran.err.find("gap: output, 12 bytes: the disk was full"), std::string::npos) << ran.err;
}

TEST_F(Play, FollowsALiveSession) {
  auto writer = testing::begin_recording(dir, "live_20261122140509_192.0.2.7", format::testing::sample_info(),
                                         {{0, "one"}});
  OnPty pty({"play", "-f", "live", "--directory", dir.path()});
  ASSERT_TRUE(pty.wait_for("one"));
  ASSERT_TRUE(writer->output("two", 3600 * kUsPerS));
  ASSERT_TRUE(writer->flush(3600 * kUsPerS));
  ASSERT_TRUE(pty.wait_for("two")) << "what comes live is shown at once";
  format::EndInfo end;
  ASSERT_TRUE(writer->end(end, 3600 * kUsPerS));
  EXPECT_EQ(pty.wait_end(), 0);
}

TEST_F(Play, AReaderThatLeavesEndsItQuietly) {
  const auto ran = format::testing::run(
      {"/bin/sh", "-c",
       std::string(OPELOG_BINARY) + " play --speed 1 alice --directory " + dir.path() + " | head -c 5"});
  EXPECT_EQ(ran.status, 0);
  EXPECT_EQ(ran.out, "scene");
  EXPECT_EQ(ran.err, "");
}

// What a bash 5 shows of three commands, far apart: ten minutes, and then nothing for an hour.
class PlayCommands : public Play {
 protected:
  void SetUp() override {
    const auto typed = [](const char* line, const char* output) {
      return std::string(line) + "\r\n\x1B[?2004l\r" + output + "\r\n";
    };
    const std::string prompt = "\x1B[?2004h$ ";
    testing::make_recording(dir, kSession, format::testing::sample_info(),
                            {{0, prompt},
                             {kUsPerS, "echo one"},
                             {600 * kUsPerS, typed("", "FIRST")},
                             {601 * kUsPerS, prompt},
                             {602 * kUsPerS, "echo \xE6\x97\xA5"},
                             {1200 * kUsPerS, typed("", "SECOND")},
                             {1201 * kUsPerS, prompt},
                             {1202 * kUsPerS, "echo three"},
                             {1800 * kUsPerS, typed("", "THIRD")},
                             {1801 * kUsPerS, prompt},
                             {9000 * kUsPerS, "late"}});
  }
  std::vector<std::string> words(std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"play", kSession, "--directory", dir.path()});
    return more;
  }
  const std::string kSession = "typist_20261122140509_192.0.2.7";
};

TEST_F(PlayCommands, BracketsGoToTheNextAndThePreviousCommand) {
  OnPty pty(words({"--paused"}));
  ASSERT_TRUE(pty.wait_for_raw(true));
  pty.send("]");
  ASSERT_TRUE(pty.wait_for("FIRST"));
  pty.send("]");
  ASSERT_TRUE(pty.wait_for("SECOND"));
  EXPECT_EQ(pty.seen().find("THIRD"), std::string::npos);
  const std::size_t before = pty.seen().size();
  pty.send("[");
  ASSERT_TRUE(pty.wait_for("FIRST", before));
  pty.send("i");
  ASSERT_TRUE(pty.wait_for("600.0 s", before));
  EXPECT_EQ(pty.seen().find("SECOND", before), std::string::npos);
  pty.send("q");
  EXPECT_EQ(pty.wait_end(), 0);
  EXPECT_TRUE(same_settings(pty.before(), pty.now()));
}

TEST_F(PlayCommands, TheListGoesToAChosenOne) {
  OnPty pty(words());
  ASSERT_TRUE(pty.wait_for_raw(true));
  pty.send("c");
  ASSERT_TRUE(pty.wait_for("command 1 of 3"));
  ASSERT_TRUE(pty.wait_for("echo \xE6\x97\xA5"));
  pty.send("\x1B[Bj");
  ASSERT_TRUE(pty.wait_for("command 3 of 3"));
  const std::size_t before = pty.seen().size();
  pty.send("\r");
  ASSERT_TRUE(pty.wait_for("THIRD", before));
  EXPECT_NE(pty.seen().find("\x1B[?1049l", before), std::string::npos) << "the list has gone";
  pty.send("q");
  EXPECT_EQ(pty.wait_end(), 0);
  EXPECT_TRUE(same_settings(pty.before(), pty.now()));
}

TEST_F(PlayCommands, EscLeavesTheListAndPlayingGoesOnWhereItWas) {
  OnPty pty(words({"--at", "10:05"}));
  ASSERT_TRUE(pty.wait_for("FIRST"));
  ASSERT_TRUE(pty.wait_for_raw(true));
  pty.send("c");
  ASSERT_TRUE(pty.wait_for("command 1 of 3"));
  const std::size_t before = pty.seen().size();
  pty.send("\x1B");
  ASSERT_TRUE(pty.wait_for("FIRST", before));
  EXPECT_EQ(pty.seen().find("SECOND", before), std::string::npos);
  pty.send("q");
  EXPECT_EQ(pty.wait_end(), 0);
}

TEST_F(PlayCommands, WhateverEndsItWhileTheListIsShownRestoresTheTerminal) {
  OnPty pty(words());
  ASSERT_TRUE(pty.wait_for_raw(true));
  pty.send("c");
  ASSERT_TRUE(pty.wait_for("command 1 of 3"));
  const std::size_t before = pty.seen().size();
  pty.signal(SIGTERM);
  EXPECT_EQ(pty.wait_end(), 128 + SIGTERM);
  for (const char* part : {"\x1B[?1049l", "\x1B[?25h", "\x1B[?7h"})
    EXPECT_NE(pty.seen().find(part, before), std::string::npos) << part + 1;
  EXPECT_TRUE(same_settings(pty.before(), pty.now()));
}

TEST_F(PlayCommands, StoppedWithTheListItGoesOnWithTheSession) {
  OnPty pty(words({"--at", "10:05"}));
  ASSERT_TRUE(pty.wait_for("FIRST"));
  ASSERT_TRUE(pty.wait_for_raw(true));
  pty.send("c");
  ASSERT_TRUE(pty.wait_for("command 1 of 3"));
  pty.send("\x1A");
  ASSERT_TRUE(pty.wait_stopped());
  EXPECT_TRUE(same_settings(pty.before(), pty.now()));
  const std::size_t before = pty.seen().size();
  pty.signal(SIGUSR1);  // fg
  ASSERT_TRUE(pty.wait_for("FIRST", before));
  pty.send("q");
  EXPECT_EQ(pty.wait_end(), 0);
}

TEST_F(PlayCommands, ATerminalOfOneRowShowsTheChoice) {
  OnPty pty(words(), 1, 12);
  ASSERT_TRUE(pty.wait_for_raw(true));
  pty.send("c");
  ASSERT_TRUE(pty.wait_for(">    1     ~"));
  pty.send("q");
  pty.send("q");
  EXPECT_EQ(pty.wait_end(), 0);
}

TEST_F(PlayCommands, OfALiveSessionTheListHasWhatCameMeanwhile) {
  const std::string name = "living_20261122140509_192.0.2.7";
  auto writer = testing::begin_recording(dir, name, format::testing::sample_info(),
                                         {{0, "\x1B[?2004h$ "},
                                          {kUsPerS, "echo one\r\n\x1B[?2004l\rFIRST\r\n"},
                                          {2 * kUsPerS, "\x1B[?2004h$ "}});
  OnPty pty({"play", "-f", "-s", "0", name, "--directory", dir.path()});
  ASSERT_TRUE(pty.wait_for("FIRST"));
  ASSERT_TRUE(pty.wait_for_raw(true));
  pty.send("c");
  ASSERT_TRUE(pty.wait_for("command 1 of 1"));
  pty.send("q");
  ASSERT_TRUE(writer->output("echo two\r\n\x1B[?2004l\rSECOND\r\n\x1B[?2004h$ ", 3 * kUsPerS));
  ASSERT_TRUE(writer->flush(3 * kUsPerS));
  ASSERT_TRUE(pty.wait_for("SECOND"));
  pty.send("c");
  ASSERT_TRUE(pty.wait_for("command 2 of 2"));
  pty.send("qq");
  EXPECT_EQ(pty.wait_end(), 0);
}

TEST_F(PlayCommands, WithoutCommandsTheKeysSayThatThereAreNone) {
  testing::make_recording(dir, "mute_20261122140509_192.0.2.7", format::testing::sample_info(),
                          {{0, "ready"}, {3600 * kUsPerS, "late"}});
  OnPty pty({"play", "mute", "--directory", dir.path()});
  ASSERT_TRUE(pty.wait_for("ready"));
  ASSERT_TRUE(pty.wait_for_raw(true));
  pty.send("]");
  ASSERT_TRUE(pty.wait_for("no commands are known of this session"));
  const std::size_t before = pty.seen().size();
  pty.send("q");
  ASSERT_TRUE(pty.wait_for("ready", before));
  pty.send("q");
  EXPECT_EQ(pty.wait_end(), 0);
}

TEST_F(PlayCommands, CommandBeginsAtTheNumberOfTheList) {
  const auto list = opelog({"commands", kSession, "--directory", dir.path()});
  EXPECT_NE(list.out.find("2 20:00"), std::string::npos) << list.out;
  const auto ran = opelog(words({"--command", "2"}));
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(ran.out.find("FIRST"), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("SECOND"), std::string::npos) << ran.out;
  EXPECT_EQ(opelog(words({"--command", "4"})).status, 2);
  EXPECT_EQ(opelog(words({"--command", "0"})).status, 2);
  EXPECT_EQ(opelog(words({"--command", "1", "--at", "5"})).status, 2);
}

}  // namespace
}  // namespace opelog::cli
