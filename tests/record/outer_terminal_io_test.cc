#include "record/outer_terminal_io.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <sys/stat.h>

#include <utility>

namespace opelog::record {
namespace {

struct Pty {
  Pty() {
    int m = -1, s = -1;
    EXPECT_EQ(::openpty(&m, &s, nullptr, nullptr, nullptr), 0);
    master = Fd(m);
    slave = Fd(s);
    EXPECT_EQ(::tcgetattr(s, &first), 0);
  }
  void make_raw(mode_t mode) const {
    termios raw = first;
    ::cfmakeraw(&raw);
    EXPECT_EQ(::tcsetattr(slave.get(), TCSANOW, &raw), 0);
    EXPECT_EQ(::fchown(slave.get(), 0, 0), 0);
    EXPECT_EQ(::fchmod(slave.get(), mode), 0);
  }
  Fd master, slave;
  termios first{};
};

TEST(OuterTerminal, OneThatAKilledDaemonLeftRawIsALoginsAgain) {
  const Pty pty;
  pty.make_raw(0600);
  auto outer = OuterTerminal::open(pty.slave.get());
  ASSERT_TRUE(outer.ok());
  const termios saved = (*outer)->mark().saved;
  EXPECT_EQ(saved.c_iflag & (ICRNL | IXON), tcflag_t{ICRNL | IXON});
  EXPECT_EQ(saved.c_oflag, pty.first.c_oflag);
  EXPECT_EQ(saved.c_lflag, pty.first.c_lflag);
  EXPECT_EQ((*outer)->mark().exclusive, 0);
}

TEST(OuterTerminal, OneThatItsUserMadeRawStaysSo) {
  const Pty pty;
  pty.make_raw(0620);
  auto outer = OuterTerminal::open(pty.slave.get());
  ASSERT_TRUE(outer.ok());
  EXPECT_EQ((*outer)->mark().saved.c_lflag & (ICANON | ECHO | ISIG), 0U);
  EXPECT_EQ((*outer)->mark().saved.c_oflag & OPOST, 0U);
}

}  // namespace
}  // namespace opelog::record
