#include <gtest/gtest.h>
#include <signal.h>

#include "support_io.h"

namespace opelog::cli {
namespace {

using testing::kName;
using testing::OnPty;
using testing::opelog;
using testing::TempDir;

TEST(Tail, ShowsTheLastLinesSafely) {
  TempDir dir;
  testing::make_recording(dir, kName, format::testing::sample_info(),
                          {{0, "one\r\ntwo\x1B]0;t\x07\r\n"}, {kUsPerS, "three\r\n"}});
  const auto ran = opelog({"tail", "-n", "2", "alice", "--directory", dir.path()});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(ran.out, "two\r\nthree\r\n");
}

TEST(Tail, FollowsALiveSessionToItsEnd) {
  TempDir dir;
  auto writer = testing::begin_recording(dir, kName, format::testing::sample_info(), {{0, "one\r\ntwo\r\n"}});
  OnPty pty({"tail", "-f", "-n", "1", "alice", "--directory", dir.path()});
  ASSERT_TRUE(pty.wait_for("two"));
  EXPECT_EQ(pty.seen().find("one"), std::string::npos);
  ASSERT_TRUE(writer->output("three\r\n", kUsPerS));
  ASSERT_TRUE(writer->flush(kUsPerS));
  ASSERT_TRUE(pty.wait_for("three"));
  format::EndInfo end;
  end.exit_code = 0;
  ASSERT_TRUE(writer->end(end, 2 * kUsPerS));
  EXPECT_EQ(pty.wait_end(), 0);
}

TEST(Tail, ACrashWhileFollowingIsAFinding) {
  TempDir dir;
  auto writer = testing::begin_recording(dir, kName, format::testing::sample_info(), {{0, "one\r\n"}});
  OnPty pty({"tail", "-f", "alice", "--directory", dir.path()});
  ASSERT_TRUE(pty.wait_for("one"));
  writer.reset();  // the writer goes without an end
  EXPECT_EQ(pty.wait_end(), 1);
}

}  // namespace
}  // namespace opelog::cli
