#include "record/terminal_check_io.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/fd_io.h"

namespace opelog::record {
namespace {

TEST(TerminalCheck, OnlyAnOpenTerminalIsOne) {
  int m, s, ends[2], pair[2];
  char path[128];
  ASSERT_EQ(::openpty(&m, &s, path, nullptr, nullptr), 0);
  const Fd master(m), slave(s);
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const Fd reading(ends[0]), writing(ends[1]);
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
  const Fd one(pair[0]), other(pair[1]);
  const Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  const Fd name_only(::open(path, O_PATH | O_CLOEXEC));
  const Fd folder(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  EXPECT_TRUE(may_be_terminal(slave.get()));
  // Of the master side the node is everybody's; who may only write shall not read by our rights.
  const Fd only_writes(::open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC));
  const Fd only_reads(::open(path, O_RDONLY | O_NOCTTY | O_CLOEXEC));
  for (const Fd* fd : {&reading, &one, &null, &name_only, &folder, &master, &only_writes, &only_reads}) {
    ASSERT_TRUE(fd->valid());
    EXPECT_FALSE(may_be_terminal(fd->get()));
  }
  EXPECT_FALSE(may_be_terminal(-1));
}

}  // namespace
}  // namespace opelog::record
