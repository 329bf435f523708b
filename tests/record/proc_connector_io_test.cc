// The real proc connector. What it is too late to learn is not looked at, only that it says so.
#include "record/proc_connector_io.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>

#include "core/clock_io.h"
#include "probe.h"

namespace opelog::record {
namespace {

using namespace test;

class ProcConnectorTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ExecSink sink;
    sink.event = [this](ProcessEvent&& event) { events_.push_back(std::move(event)); };
    sink.lost = [this](std::uint64_t session, std::uint64_t count) { lost_[session] += count; };
    auto opened = ProcConnector::open(loop_, sink);
    if (!opened && opened.error().code == Code::kUnsupported) GTEST_SKIP() << opened.error().message;
    ASSERT_TRUE(opened) << opened.error().message;
    connector_ = std::move(*opened);
  }
  /// `argv` after its process was joined; returns when its end is told.
  pid_t run(std::vector<std::string> argv) {
    int gate[2];
    EXPECT_EQ(::pipe2(gate, O_CLOEXEC), 0);
    const Fd reading(gate[0]), writing(gate[1]);
    const pid_t pid = ::fork();
    if (pid == 0) {
      char byte;
      while (::read(gate[0], &byte, 1) < 0) {
      }
      std::vector<char*> pointers;
      for (std::string& one : argv) pointers.push_back(one.data());
      pointers.push_back(nullptr);
      ::execv(argv[0].c_str(), pointers.data());
      ::_exit(98);
    }
    const Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    EXPECT_TRUE(connector_->join(pidfd.get(), 7, Membership::kProcess));
    EXPECT_TRUE(write_all(gate[1], "x"));
    const MonoUs deadline = mono_now() + kDeadlineMs * kUsPerMs;
    while (exit_of(pid) == nullptr && mono_now() < deadline) {
      loop_.run_once(false);
      ::waitpid(pid, nullptr, WNOHANG);
      ::usleep(500);
    }
    return pid;
  }
  const format::ExitInfo* exit_of(std::int64_t pid) const {
    for (const ProcessEvent& event : events_) {
      const auto* exit = std::get_if<format::ExitInfo>(&event.what);
      if (exit != nullptr && exit->pid == pid) return exit;
    }
    return nullptr;
  }

  Loop loop_;
  std::unique_ptr<ProcConnector> connector_;
  std::vector<ProcessEvent> events_;
  std::map<std::uint64_t, std::uint64_t> lost_;
};

TEST_F(ProcConnectorTest, AProcessThatStaysIsToldInFull) {
  const pid_t pid = run({"/bin/sleep", "0.3"});
  ASSERT_EQ(events_.size(), 2U);
  const auto& info = std::get<format::ExecInfo>(events_[0].what);
  EXPECT_EQ(info.pid, pid);
  EXPECT_EQ(info.argv, (std::vector<std::string>{"/bin/sleep", "0.3"}));
  EXPECT_EQ(info.exe, std::filesystem::canonical("/bin/sleep"));
  EXPECT_EQ(info.cwd, std::filesystem::current_path());
  EXPECT_EQ(info.uid, 0U);
  EXPECT_FALSE(info.argv_missing || info.exe_missing || info.cwd_missing);
  const auto* exit = exit_of(pid);
  ASSERT_NE(exit, nullptr);
  EXPECT_EQ(exit->exit_code, 0);
  EXPECT_EQ(exit->execs, 1U);
  EXPECT_TRUE(lost_.empty());
}

TEST_F(ProcConnectorTest, EveryProcessOfATreeIsThereWholeOrMarked) {
  const pid_t pid =
      run({"/bin/sh", "-c",
           "i=0; while [ $i -lt 300 ]; do /bin/true $i; i=$((i+1)); done; (setsid /bin/true last); exit 3"});
  ASSERT_NE(exit_of(pid), nullptr);
  EXPECT_EQ(exit_of(pid)->exit_code, 3);
  std::size_t execs = 0, ends = 0;
  for (const ProcessEvent& event : events_) {
    EXPECT_EQ(event.session, 7U);
    if (const auto* info = std::get_if<format::ExecInfo>(&event.what)) {
      ++execs;
      EXPECT_TRUE(info->argv_missing || !info->argv.empty());
      EXPECT_TRUE(info->exe_missing || !info->exe.empty());
    } else {
      ++ends;
    }
  }
  EXPECT_GE(execs, 302U);
  EXPECT_GE(ends, 302U);
  EXPECT_TRUE(lost_.empty());
}

TEST_F(ProcConnectorTest, WhoHasEndedCannotBeJoined) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(0);
  const Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  ::waitpid(pid, nullptr, 0);
  const Status joined = connector_->join(pidfd.get(), 7, Membership::kProcess);
  ASSERT_FALSE(joined);
  EXPECT_EQ(joined.error().code, Code::kGone);
}

TEST(ProcConnector, WithoutRightsItSaysWhatItNeeds) {
  const pid_t child = ::fork();
  if (child == 0) {
    become(kStranger, kStrangerGroup);
    Loop loop;
    auto opened = ProcConnector::open(loop, {});
    ::_exit(!opened && (opened.error().code == Code::kDenied || opened.error().code == Code::kUnsupported)
                ? 0
                : 1);
  }
  EXPECT_EQ(Child(child).wait(), 0);
}

}  // namespace
}  // namespace opelog::record
