// Real processes, watched by the real kernel. Only membership, completeness and contents are looked at, never
// time.
#include "record/exec_capture_io.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <thread>

#include "core/clock_io.h"
#include "probe.h"

namespace opelog::record {
namespace {

using namespace test;
using format::ExecInfo;
using format::ExitInfo;

constexpr std::uint64_t kSession = 0xfedcba9876543210U;

Fd pidfd_of(pid_t pid) {
  return Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

/// A process that waits to be joined and then executes `argv`; its end is waited for by watch().
class Held {
 public:
  explicit Held(std::vector<std::string> argv, std::function<void()> before = {}) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(ends[1]);
      char byte = 0;
      while (::read(ends[0], &byte, 1) < 0) {
      }
      if (before) before();
      std::vector<char*> pointers;
      for (std::string& one : argv) pointers.push_back(one.data());
      pointers.push_back(nullptr);
      ::execv(argv[0].c_str(), pointers.data());
      ::_exit(98);
    }
    ::close(ends[0]);
    gate_ = Fd(ends[1]);
    pidfd_ = pidfd_of(pid_);
  }
  ~Held() {
    if (pid_ > 0 && !reaped_) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
  }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] int pidfd() const { return pidfd_.get(); }
  // A byte and no mere end: another Held's child has this end of the pipe too.
  void go() { ASSERT_TRUE(write_all(gate_.get(), "x")); }
  bool ended() {
    if (!reaped_ && ::waitpid(pid_, &status_, WNOHANG) == pid_) reaped_ = true;
    return reaped_;
  }
  [[nodiscard]] int status() const { return status_; }

 private:
  Fd gate_, pidfd_;
  pid_t pid_ = -1;
  int status_ = -1;
  bool reaped_ = false;
};

std::unique_ptr<Held> shell(const std::string& script) {
  return std::make_unique<Held>(std::vector<std::string>{"/bin/sh", "-c", script});
}

class ExecCaptureTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::access("/sys/kernel/btf/vmlinux", R_OK) != 0) GTEST_SKIP() << "this kernel has no BTF";
    open({});
  }
  void open(ExecCaptureOptions options) {
    capture_.reset();
    options.host_mounts = "/proc/self/ns/mnt";  // the first process may not be ours to look at
    ExecSink sink;
    sink.event = [this](ProcessEvent&& event) { events_.push_back(std::move(event)); };
    sink.lost = [this](std::uint64_t session, std::uint64_t count) { lost_[session] += count; };
    auto opened = ExecCapture::open(loop_, sink, options);
    ASSERT_TRUE(opened) << opened.error().message;
    capture_ = std::move(*opened);
  }
  void join(const Held& held, std::uint64_t session = kSession,
            Membership membership = Membership::kProcess) {
    const Status joined = capture_->join(held.pidfd(), session, membership);
    ASSERT_TRUE(joined) << joined.error().message;
  }
  /// Turns the loop until `done`; what comes is delivered by its own timer.
  void until(const std::function<bool()>& done, const char* what) {
    const MonoUs deadline = mono_now() + kDeadlineMs * kUsPerMs;
    while (!done()) {
      ASSERT_LT(mono_now(), deadline) << "never: " << what;
      loop_.run_once(false);
      ::usleep(500);
    }
  }
  /// Lets `held` run and waits until its end has been told (or lost).
  void watch(Held& held) {
    held.go();
    until([&] { return held.ended(); }, "the process ends");
    until([&] { return !lost_.empty() || exit_of(held.pid()) != nullptr; }, "its end is told");
  }
  void run(const std::string& script) {
    const auto held = shell(script);
    join(*held);
    watch(*held);
    // What it left behind ends too.
    until([&] { return alive().empty(); }, "all have ended");
  }
  /// Those that executed something and have not ended.
  [[nodiscard]] std::set<std::int64_t> alive() const {
    std::set<std::int64_t> pids;
    for (const ProcessEvent& event : events_) {
      if (const auto* exec = std::get_if<ExecInfo>(&event.what)) pids.insert(exec->pid);
      if (const auto* exit = std::get_if<ExitInfo>(&event.what)) pids.erase(exit->pid);
    }
    return pids;
  }
  [[nodiscard]] std::vector<ExecInfo> execs() const {
    std::vector<ExecInfo> found;
    for (const ProcessEvent& event : events_) {
      if (const auto* exec = std::get_if<ExecInfo>(&event.what)) found.push_back(*exec);
    }
    return found;
  }
  /// The only exec with these arguments.
  ExecInfo exec_of(const std::vector<std::string>& argv) const {
    std::vector<ExecInfo> found = execs();
    found.erase(
        std::remove_if(found.begin(), found.end(), [&](const ExecInfo& info) { return info.argv != argv; }),
        found.end());
    EXPECT_EQ(found.size(), 1U) << (argv.empty() ? "" : argv[0]);
    return found.empty() ? ExecInfo{} : found[0];
  }
  const ExitInfo* exit_of(std::int64_t pid) const {
    for (const ProcessEvent& event : events_) {
      const auto* exit = std::get_if<ExitInfo>(&event.what);
      if (exit != nullptr && exit->pid == pid) return exit;
    }
    return nullptr;
  }
  void expect_all_of_session() const {
    for (const ProcessEvent& event : events_) EXPECT_EQ(event.session, kSession);
    EXPECT_TRUE(lost_.empty());
  }

  Loop loop_;
  std::unique_ptr<ExecCapture> capture_;
  std::vector<ProcessEvent> events_;
  std::map<std::uint64_t, std::uint64_t> lost_;
};

TEST_F(ExecCaptureTest, AProcessIsToldInFull) {
  ScratchDirectory scratch;
  std::filesystem::create_directory(scratch / "de ep\n");
  std::filesystem::create_symlink("/usr/bin/env", scratch / "link");
  int m = -1, s = -1;
  ASSERT_EQ(::openpty(&m, &s, nullptr, nullptr, nullptr), 0);
  const Fd master(m), slave(s);
  const std::string tty = ::ttyname(s);
  Held held({scratch / "link", "true", "", "a\nb\xff"}, [&] {
    if (::setsid() < 0 || ::ioctl(s, TIOCSCTTY, 0) != 0 || ::chdir((scratch / "de ep\n").c_str()) != 0 ||
        ::setresuid(kStranger, 0, 0) != 0) {
      ::_exit(97);
    }
  });
  join(held);
  const MonoUs before = mono_now();
  watch(held);
  ASSERT_EQ(events_.size(), 3U);  // env becomes true
  const ExecInfo info = std::get<ExecInfo>(events_[0].what);
  EXPECT_EQ(info.pid, held.pid());
  EXPECT_EQ(info.parent, ::getpid());
  EXPECT_EQ(info.uid, kStranger);
  EXPECT_EQ(info.euid, 0U);
  std::ifstream loginuid("/proc/self/loginuid"), audit("/proc/self/sessionid");
  std::uint32_t number = 0;
  if (loginuid >> number) {
    EXPECT_EQ(info.loginuid, number);
  }
  if (audit >> number) {
    EXPECT_EQ(info.audit_session, number);
  }
  EXPECT_EQ(info.tty, tty);
  EXPECT_EQ(info.file, scratch / "link");
  EXPECT_EQ(info.exe, std::filesystem::canonical("/usr/bin/env"));
  EXPECT_EQ(info.cwd, scratch / "de ep\n");
  EXPECT_EQ(info.argv, (std::vector<std::string>{scratch / "link", "true", "", "a\nb\xff"}));
  EXPECT_FALSE(info.argv_cut || info.argv_missing || info.exe_cut || info.cwd_cut);
  EXPECT_FALSE(info.foreign_mounts);
  EXPECT_GE(events_[0].when, before);
  EXPECT_LE(events_[0].when, mono_now());
  EXPECT_EQ(std::get<ExecInfo>(events_[1].what).exe, std::filesystem::canonical("/usr/bin/true"));
  const ExitInfo end = std::get<ExitInfo>(events_[2].what);
  EXPECT_EQ(end.exit_code, 0);
  EXPECT_EQ(end.execs, 2U);
  EXPECT_EQ(end.parent, ::getpid());
  EXPECT_LE(end.duration_us, events_[2].when - events_[1].when + 1);
  expect_all_of_session();
}

TEST_F(ExecCaptureTest, EndsAreToldByCodeAndSignal) {
  run("(exit 37); /bin/sh -c 'exit 200'; /bin/sh -c 'kill -9 $$'; /bin/sh -c 'kill -SEGV $$'; exit 5");
  std::multiset<int> codes, signals;
  int forks = 0;
  for (const ProcessEvent& event : events_) {
    const auto* exit = std::get_if<ExitInfo>(&event.what);
    if (exit == nullptr) continue;
    if (exit->exit_code) codes.insert(*exit->exit_code);
    if (exit->signal) signals.insert(*exit->signal);
    if (exit->execs == 0) ++forks;
  }
  EXPECT_EQ(codes, (std::multiset<int>{5, 37, 200}));
  EXPECT_EQ(signals, (std::multiset<int>{9, 11}));
  EXPECT_EQ(forks, 1);  // the subshell
  expect_all_of_session();
}

TEST_F(ExecCaptureTest, NobodyLeavesBySetsidDoubleForkOrNohup) {
  run("setsid sh -c 'setsid /bin/echo one >/dev/null & exit 0'\n"
      "( (/bin/sleep 0.05; exec /bin/echo two) >/dev/null & ) & \n"
      "nohup sh -c 'sleep 0.1; exec /bin/echo three' >/dev/null 2>&1 &\n"
      "trap '' HUP; kill -HUP $$; exit 0");
  until([&] { return alive().empty() && execs().size() >= 9; }, "those that were left behind");
  for (const char* word : {"one", "two", "three"})
    EXPECT_EQ(exec_of({"/bin/echo", word}).argv.size(), 2U) << word;
  // The first parent is known although it has ended: everybody's chain leads to the shell.
  std::map<std::int64_t, std::int64_t> parents;
  for (const ProcessEvent& event : events_) {
    if (const auto* exit = std::get_if<ExitInfo>(&event.what)) parents[exit->pid] = exit->parent;
  }
  for (const auto& [pid, parent] : parents) {
    std::int64_t above = pid;
    for (int steps = 0; parents.count(above) > 0 && steps < 20; ++steps) above = parents[above];
    EXPECT_EQ(above, ::getpid()) << pid;
  }
  expect_all_of_session();
}

TEST_F(ExecCaptureTest, AScriptIsToldByItsPathAndItsInterpreter) {
  ScratchDirectory scratch;
  { std::ofstream(scratch / "script") << "#!/bin/sh -e\n/bin/true\n"; }
  ::chmod((scratch / "script").c_str(), 0755);
  run("cd " + scratch.path() + "; ./script word; exit 0");
  const ExecInfo info = exec_of({"/bin/sh", "-e", "./script", "word"});
  EXPECT_EQ(info.file, "./script");
  EXPECT_EQ(info.exe, std::filesystem::canonical("/bin/sh"));
  EXPECT_EQ(info.cwd, scratch.path());
  EXPECT_EQ(exec_of({"/bin/true"}).parent, info.pid);
  expect_all_of_session();
}

TEST_F(ExecCaptureTest, AThreadThatExecutesStaysAMember) {
  // Not the leader: the kernel gives it the leader's number and throws the leader's task away.
  run("exec python3 -c 'import os, threading\n"
      "threading.Thread(target=lambda: os.execv(\"/bin/sh\", [\"sh\", \"-c\", \"/bin/echo inside >/dev/null; "
      "exit 3\"])).start()\n"
      "threading.Event().wait()'");
  const ExecInfo inside = exec_of({"/bin/echo", "inside"});
  const ExecInfo from_thread = exec_of({"sh", "-c", "/bin/echo inside >/dev/null; exit 3"});
  EXPECT_EQ(inside.parent, from_thread.pid);
  ASSERT_NE(exit_of(from_thread.pid), nullptr);
  EXPECT_EQ(exit_of(from_thread.pid)->exit_code, 3);
  expect_all_of_session();
}

TEST_F(ExecCaptureTest, AProcessOfManyThreadsEndsOnceAndWithTheLast) {
  run("python3 -c 'import os, threading\n"
      "early = threading.Thread(target=int); early.start(); early.join()\n"
      "for i in range(20): threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
      "os._exit(4)'; exit 0");
  int ends = 0;
  for (const ProcessEvent& event : events_) {
    const auto* exit = std::get_if<ExitInfo>(&event.what);
    if (exit != nullptr && exit->exit_code == 4) ++ends;
  }
  EXPECT_EQ(ends, 1);
  expect_all_of_session();
}

TEST_F(ExecCaptureTest, PathsLeadThroughMounts) {
  ScratchDirectory scratch;
  std::filesystem::create_directory(scratch / "on");
  Held held({"/bin/true"}, [&] {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("none", (scratch / "on").c_str(), "tmpfs", 0, nullptr) != 0 ||
        ::chdir((scratch / "on").c_str()) != 0 || ::mkdir("below", 0755) != 0 || ::chdir("below") != 0) {
      ::_exit(97);
    }
  });
  join(held);
  watch(held);
  EXPECT_EQ(execs().at(0).cwd, scratch / "on/below");
  EXPECT_TRUE(execs().at(0).foreign_mounts);
}

TEST_F(ExecCaptureTest, ChangedUsersStayMembers) {
  run("setpriv --reuid 65534 --regid 65534 --clear-groups /bin/echo other >/dev/null; exit 0");
  EXPECT_EQ(exec_of({"/bin/echo", "other"}).uid, kStranger);
  EXPECT_EQ(exec_of({"/bin/echo", "other"}).euid, kStranger);
  run("su -s /bin/sh -c '/bin/echo by-su >/dev/null' nobody </dev/null; exit 0");
  EXPECT_EQ(exec_of({"/bin/echo", "by-su"}).uid, kStranger);
  expect_all_of_session();
}

TEST_F(ExecCaptureTest, WhoIsNoMemberIsNotSeen) {
  const auto stranger = shell("/bin/echo stranger >/dev/null; exit 0");
  const auto other = shell("/bin/echo other >/dev/null; exit 0");
  const auto member = shell("/bin/echo member >/dev/null; exit 0");
  join(*other, 2);
  join(*member, kSession);
  stranger->go();
  until([&] { return stranger->ended(); }, "the stranger ends");
  watch(*other);
  watch(*member);
  std::map<std::uint64_t, std::set<std::int64_t>> pids;
  for (const ProcessEvent& event : events_) {
    if (const auto* exec = std::get_if<ExecInfo>(&event.what)) pids[event.session].insert(exec->pid);
  }
  EXPECT_EQ(pids.size(), 2U);
  EXPECT_EQ(pids[2], (std::set<std::int64_t>{other->pid(), exec_of({"/bin/echo", "other"}).pid}));
  EXPECT_EQ(pids[kSession], (std::set<std::int64_t>{member->pid(), exec_of({"/bin/echo", "member"}).pid}));
}

TEST_F(ExecCaptureTest, OfTheShimOnlyItsChildrenAreTold) {
  const auto shim = shell("/bin/echo child >/dev/null; exit 0");
  join(*shim, kSession, Membership::kChildrenOnly);
  shim->go();
  until([&] { return shim->ended() && events_.size() >= 2; }, "the child's end");
  ASSERT_EQ(events_.size(), 2U);
  EXPECT_EQ(std::get<ExecInfo>(events_[0].what).argv, (std::vector<std::string>{"/bin/echo", "child"}));
  EXPECT_EQ(std::get<ExecInfo>(events_[0].what).parent, shim->pid());
}

TEST_F(ExecCaptureTest, AnInnerSessionTakesItsProcessesOver) {
  const auto held = shell("/bin/true; exit 0");
  join(*held, 1);
  join(*held, 2);
  watch(*held);
  for (const ProcessEvent& event : events_) EXPECT_EQ(event.session, 2U);
  EXPECT_EQ(execs().size(), 2U);
}

TEST_F(ExecCaptureTest, WhatWasForkedBeforeIsJoinedAtItsExec) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  Fd reading(ends[0]), writing(ends[1]);
  // Its child waits for the pipe to close, and was there before the join.
  const pid_t parent = ::fork();
  if (parent == 0) {
    writing.reset();
    const pid_t child = ::fork();
    if (child == 0) {
      char byte;
      while (::read(ends[0], &byte, 1) < 0) {
      }
      ::execl("/bin/echo", "echo", "-n", nullptr);
    }
    ::waitpid(child, nullptr, 0);
    ::_exit(0);
  }
  const std::string children =
      "/proc/" + std::to_string(parent) + "/task/" + std::to_string(parent) + "/children";
  until(
      [&] {
        std::ifstream file(children);
        std::string pid;
        return static_cast<bool>(file >> pid);
      },
      "the fork");
  const Fd pidfd = pidfd_of(parent);
  ASSERT_TRUE(capture_->join(pidfd.get(), kSession, Membership::kProcess));
  writing.reset();
  ::waitpid(parent, nullptr, 0);
  until([&] { return exit_of(parent) != nullptr; }, "the parent's end");
  EXPECT_EQ(exec_of({"echo", "-n"}).parent, parent);
}

TEST_F(ExecCaptureTest, LongArgumentsKeepTheirBeginningAndTrueLength) {
  const std::string word(100, 'w');
  std::vector<std::string> argv{"/bin/true"};
  for (int i = 0; i < 5000; ++i) argv.push_back(word);
  Held held(argv);
  join(held);
  watch(held);
  const ExecInfo info = execs().at(0);
  EXPECT_TRUE(info.argv_cut);
  EXPECT_EQ(info.argc, 5001U);
  EXPECT_EQ(info.argument_bytes, 10U + 5000 * 101);
  std::size_t bytes = 0;
  for (const std::string& one : info.argv) bytes += one.size() + 1;
  EXPECT_EQ(bytes, format::kMaxArgumentBytes + 1);  // the last has no NUL
  // Exactly as much as is kept.
  events_.clear();
  Held exact({"/bin/true", std::string(format::kMaxArgumentBytes - 11, 'x')});
  join(exact);
  watch(exact);
  EXPECT_FALSE(execs().at(0).argv_cut);
  EXPECT_EQ(execs().at(0).argument_bytes, format::kMaxArgumentBytes);
  EXPECT_EQ(execs().at(0).argv.at(1).size(), format::kMaxArgumentBytes - 11);
}

TEST_F(ExecCaptureTest, DeepDirectoriesAreWholeOrSaySo) {
  ScratchDirectory scratch;
  std::string path = scratch.path();
  std::size_t depth = 0;
  for (int i = 0; i < 100; ++i) path += "/" + std::to_string(i);
  std::filesystem::create_directories(path);
  std::string wide = scratch.path();
  for (int i = 0; i < 14; ++i) wide += "/" + std::string(255, static_cast<char>('a' + i));
  std::filesystem::create_directories(wide);
  for (const std::string& directory : {path, wide}) {
    events_.clear();
    Held held({"/bin/true"}, [&] {
      if (::chdir(directory.c_str()) != 0) ::_exit(97);
    });
    join(held);
    watch(held);
    const ExecInfo info = execs().at(0);
    if (directory == path) {
      EXPECT_TRUE(info.cwd_cut);
      EXPECT_EQ(directory.substr(directory.size() - info.cwd.size()), info.cwd);
      depth = static_cast<std::size_t>(std::count(info.cwd.begin(), info.cwd.end(), '/')) + 1;
    } else {
      EXPECT_FALSE(info.cwd_cut);
      EXPECT_EQ(info.cwd, directory);
    }
  }
  EXPECT_EQ(depth, 64U);
}

TEST_F(ExecCaptureTest, AProgramWithoutAFileHasAPath) {
  const Fd memory(::memfd_create("op/elog", MFD_CLOEXEC));
  {
    std::ifstream source("/bin/true", std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(source), {}};
    ASSERT_TRUE(write_all(memory.get(), bytes));
  }
  Held held({"/proc/self/fd/" + std::to_string(memory.get())});
  join(held);
  watch(held);
  EXPECT_EQ(execs().at(0).exe, "/memfd:op/elog");
}

TEST_F(ExecCaptureTest, TenThousandShortProcessesAreAllThere) {
  // Four at a time.
  run("for j in 1 2 3 4; do (i=0; while [ $i -lt 2500 ]; do /bin/true $j $i; i=$((i+1)); done) & done; wait; "
      "exit 0");
  std::set<std::vector<std::string>> told;
  std::set<std::int64_t> ended;
  for (const ExecInfo& info : execs()) {
    if (info.argv.at(0) == "/bin/true") told.insert(info.argv);
    EXPECT_FALSE(info.argv_missing || info.argv_cut);
  }
  std::size_t ends = 0;
  for (const ProcessEvent& event : events_) ends += std::holds_alternative<ExitInfo>(event.what) ? 1U : 0U;
  EXPECT_EQ(told.size(), 10000U);
  EXPECT_EQ(ends, 10005U);
  expect_all_of_session();
}

TEST_F(ExecCaptureTest, WhatTheRingCannotHoldIsCountedExactly) {
  ExecCaptureOptions options;
  options.ring_bytes = 16U << 10;
  open(options);
  const auto held = shell("i=0; while [ $i -lt 500 ]; do /bin/true $i; i=$((i+1)); done; exit 0");
  join(*held);
  held->go();
  // Nobody reads meanwhile.
  int status = 0;
  ::waitpid(held->pid(), &status, 0);
  until([&] { return !lost_.empty(); }, "the loss is told");
  EXPECT_EQ(events_.size() + lost_[kSession], 2U * 501);
  EXPECT_GT(events_.size(), 0U);
  EXPECT_EQ(lost_.size(), 1U);
  EXPECT_EQ(capture_->lost(), lost_[kSession]);
}

TEST_F(ExecCaptureTest, LossesOfAForgottenSessionAreNobodys) {
  ExecCaptureOptions options;
  options.ring_bytes = 4U << 10;
  open(options);
  const auto held = shell("i=0; while [ $i -lt 100 ]; do /bin/true $i; i=$((i+1)); done; exit 0");
  join(*held);
  capture_->forget(kSession);
  held->go();
  int status = 0;
  ::waitpid(held->pid(), &status, 0);
  capture_->drain();
  EXPECT_TRUE(lost_.empty());
  EXPECT_FALSE(events_.empty());
  // Nothing of it is kept: the number is free again.
  const auto again = shell("exit 0");
  join(*again);
}

TEST_F(ExecCaptureTest, SleepsWhenNothingHappensAndWakesByItself) {
  const auto fall_asleep = [&] { until([&] { return capture_->asleep(); }, "asleep"); };
  for (int round = 0; round < 3; ++round) {
    fall_asleep();
    const std::uint64_t looks = capture_->looks();
    for (int i = 0; i < 100; ++i) {
      loop_.run_once(false);
      ::usleep(1000);
    }
    EXPECT_EQ(capture_->looks(), looks) << "it does not sleep";
    events_.clear();
    run("exit 0");
    EXPECT_EQ(events_.size(), 2U);
  }
  // One that is fetched by drain() and not by its own waking.
  fall_asleep();
  events_.clear();
  const auto held = shell("exit 0");
  join(*held);
  held->go();
  int status = 0;
  ::waitpid(held->pid(), &status, 0);
  capture_->drain();
  EXPECT_EQ(events_.size(), 2U);
  run("exit 0");
  EXPECT_EQ(events_.size(), 4U);
}

TEST_F(ExecCaptureTest, WhoHasEndedCannotBeJoined) {
  const auto held = shell("exit 0");
  held->go();
  until([&] { return held->ended(); }, "the process ends");
  const Status joined = capture_->join(held->pidfd(), kSession, Membership::kProcess);
  ASSERT_FALSE(joined);
  EXPECT_EQ(joined.error().code, Code::kGone) << joined.error().message;
  EXPECT_FALSE(capture_->join(-1, kSession, Membership::kProcess));
}

TEST_F(ExecCaptureTest, NumbersAreThoseOfTheDaemonsNamespace) {
  // A process in a pid namespace below ours: told by our number, not by its own.
  run("unshare --pid --fork /bin/sh -c '/bin/echo $$ >/dev/null; exit 0'; exit 0");
  const ExecInfo inner = exec_of({"/bin/echo", "1"});
  EXPECT_GT(inner.pid, 1);
  ASSERT_NE(exit_of(inner.pid), nullptr);
  expect_all_of_session();
}

TEST(ExecCapture, ADaemonInAPidNamespaceTellsItsOwnNumbers) {
  if (::access("/sys/kernel/btf/vmlinux", R_OK) != 0) GTEST_SKIP() << "this kernel has no BTF";
  const pid_t outside = ::fork();
  if (outside == 0) {
    if (::unshare(CLONE_NEWPID) != 0) ::_exit(2);
    const pid_t daemon = ::fork();
    if (daemon != 0) {
      int status = 0;
      ::waitpid(daemon, &status, 0);
      ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 3);
    }
    Loop loop;
    std::vector<ProcessEvent> events;
    ExecSink sink;
    sink.event = [&](ProcessEvent&& event) { events.push_back(std::move(event)); };
    auto opened = ExecCapture::open(loop, sink);
    if (!opened) ::_exit(4);
    Held held({"/bin/true"});
    if (!(*opened)->join(held.pidfd(), kSession, Membership::kProcess)) ::_exit(5);
    held.go();
    int status = 0;
    ::waitpid(held.pid(), &status, 0);
    (*opened)->drain();
    if (events.size() != 2) ::_exit(6);
    const auto& info = std::get<ExecInfo>(events[0].what);
    const bool right = held.pid() < 10 && info.pid == held.pid() && info.parent == ::getpid();
    opened->reset();
    ::_exit(right ? 0 : 7);
  }
  EXPECT_EQ(Child(outside).wait(), 0);
}

TEST_F(ExecCaptureTest, LeavesNoDescriptorBehind) {
  capture_.reset();
  loop_.run_once(false);
  const auto count = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"),
                         std::filesystem::directory_iterator());
  };
  const auto before = count();
  open({});
  EXPECT_GT(count(), before);
  capture_.reset();
  loop_.run_once(false);
  EXPECT_EQ(count(), before);
}

TEST(ExecCapture, TheUnitsCapabilitiesAreEnough) {
  if (::access("/sys/kernel/btf/vmlinux", R_OK) != 0) GTEST_SKIP() << "this kernel has no BTF";
  std::ifstream unit(std::string(OPELOG_SOURCE_DIR) + "/units/opelogd.service");
  std::string line, bounding = "-all";
  bool system_call = false;
  while (std::getline(unit, line)) {
    const auto words = line.substr(line.find('=') + 1);
    if (line.rfind("SystemCallFilter=", 0) == 0 && words[0] != '~')
      system_call = (words + " ").find(" bpf ") != std::string::npos;
    if (line.rfind("CapabilityBoundingSet=", 0) != 0) continue;
    std::istringstream names(words);
    for (std::string name; names >> name;) {
      std::transform(name.begin(), name.end(), name.begin(),
                     [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      bounding += ",+" + name.substr(4);
    }
  }
  EXPECT_TRUE(system_call);
  const std::string self = std::filesystem::read_symlink("/proc/self/exe");
  const pid_t child = ::fork();
  if (child == 0) {
    ::execlp("setpriv", "setpriv", "--no-new-privs", "--inh-caps=-all",
             ("--bounding-set=" + bounding).c_str(), self.c_str(), "--gtest_brief=1",
             "--gtest_filter=ExecCaptureTest.EndsAreToldByCodeAndSignal", nullptr);
    ::_exit(99);
  }
  EXPECT_EQ(Child(child).wait(), 0) << bounding;
}

TEST(ExecCapture, WithoutRightsItSaysWhatItNeeds) {
  if (::access("/sys/kernel/btf/vmlinux", R_OK) != 0) GTEST_SKIP() << "this kernel has no BTF";
  const pid_t child = ::fork();
  if (child == 0) {
    become(kStranger, kStrangerGroup);
    Loop loop;
    auto opened = ExecCapture::open(loop, {});
    const bool told = !opened && opened.error().code == Code::kDenied &&
                      opened.error().message.find("CAP_BPF") != std::string::npos;
    if (!told && !opened) std::fprintf(stderr, "%s\n", opened.error().message.c_str());
    ::_exit(told ? 0 : 1);
  }
  EXPECT_EQ(Child(child).wait(), 0);
}

}  // namespace
}  // namespace opelog::record
