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
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstring>
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

/// Where a shell waits.
class Gate {
 public:
  Gate() {
    if (::mkfifo(path().c_str(), 0600) != 0) std::abort();
  }
  [[nodiscard]] std::string wait() const { return "read x < " + path(); }
  void open() const { std::ofstream(path()) << "x\n"; }

 private:
  [[nodiscard]] std::string path() const { return scratch_ / "gate"; }
  ScratchDirectory scratch_;
};

// As systemd takes descriptors and gives them back.
void send_fds(int socket, const std::vector<Fd>& fds) {
  std::vector<char> control(CMSG_SPACE(fds.size() * sizeof(int)));
  char byte = 'x';
  iovec part{&byte, 1};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
  for (std::size_t i = 0; i < fds.size(); ++i) {
    const int fd = fds[i].get();
    std::memcpy(CMSG_DATA(header) + i * sizeof fd, &fd, sizeof fd);
  }
  if (::sendmsg(socket, &message, 0) != 1) std::abort();
}
std::vector<Fd> receive_fds(int socket) {
  char control[CMSG_SPACE(64 * sizeof(int))], byte = 0;
  iovec part{&byte, 1};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  if (::recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != 1) return {};
  std::vector<Fd> fds;
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  for (std::size_t i = 0; header != nullptr && i < (header->cmsg_len - CMSG_LEN(0)) / sizeof(int); ++i) {
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
    fds.emplace_back(fd);
  }
  return fds;
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
    auto opened = ExecCapture::open(loop_, sink, std::move(options));
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
  /// Lets it run to its end while nobody looks.
  static void unseen(Held& held) {
    held.go();
    for (int i = 0; i < kDeadlineMs && !held.ended(); ++i) ::usleep(1000);
    ASSERT_TRUE(held.ended());
  }
  /// What is left when the daemon is gone.
  std::vector<Fd> leave() {
    std::vector<Fd> kept = capture_->keep();
    EXPECT_FALSE(kept.empty());
    capture_.reset();
    loop_.run_once(false);
    return kept;
  }
  void open_kept(std::vector<Fd> kept, ExecAdoption::How how, ExecCaptureOptions options = {}) {
    options.kept = std::move(kept);
    open(std::move(options));
    EXPECT_EQ(static_cast<int>(capture_->adoption().how), static_cast<int>(how))
        << capture_->adoption().problem;
  }
  /// How often each process ended, by the events.
  [[nodiscard]] std::map<std::int64_t, int> ends() const {
    std::map<std::int64_t, int> count;
    for (const ProcessEvent& event : events_) {
      if (const auto* exit = std::get_if<ExitInfo>(&event.what)) ++count[exit->pid];
    }
    return count;
  }
  void expect_each_once(std::size_t processes) const {
    EXPECT_EQ(ends().size(), processes);
    for (const auto& [pid, count] : ends()) EXPECT_EQ(count, 1) << pid;
    EXPECT_EQ(execs().size(), processes);
    for (std::size_t i = 1; i < events_.size(); ++i) EXPECT_LE(events_[i - 1].when, events_[i].when);
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
  constexpr std::size_t kEach = 2500 / OPELOG_SAMPLE;  // four of them at a time
  run("for j in 1 2 3 4; do (i=0; while [ $i -lt " + std::to_string(kEach) +
      " ]; do /bin/true $j $i; i=$((i+1)); done) & done; wait; exit 0");
  std::set<std::vector<std::string>> told;
  std::set<std::int64_t> ended;
  for (const ExecInfo& info : execs()) {
    if (info.argv.at(0) == "/bin/true") told.insert(info.argv);
    EXPECT_FALSE(info.argv_missing || info.argv_cut);
  }
  std::size_t ends = 0;
  for (const ProcessEvent& event : events_) ends += std::holds_alternative<ExitInfo>(event.what) ? 1U : 0U;
  EXPECT_EQ(told.size(), 4 * kEach);
  EXPECT_EQ(ends, 4 * kEach + 5);
  expect_all_of_session();
}

TEST_F(ExecCaptureTest, WhatTheRingCannotHoldIsCountedExactly) {
  ExecCaptureOptions options;
  options.ring_bytes = 16U << 10;
  open(std::move(options));
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
  open(std::move(options));
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
  open_kept(leave(), ExecAdoption::How::kWhole);
  ExecCaptureOptions options;
  options.wake_bytes = 128U << 10;
  open_kept(leave(), ExecAdoption::How::kCarried, std::move(options));
  capture_->drain();
  capture_.reset();
  loop_.run_once(false);
  EXPECT_EQ(count(), before);
}

// ---- what is kept for another

constexpr const char* kThree = "/bin/true; /bin/true; exit 0";

TEST_F(ExecCaptureTest, AnotherGoesOnWhereItEnded) {
  const auto before = shell(kThree), between = shell(kThree), after = shell(kThree);
  for (const auto* held : {&before, &between, &after}) join(**held);
  watch(*before);
  auto kept = leave();
  unseen(*between);
  EXPECT_EQ(events_.size(), 6U);
  open_kept(std::move(kept), ExecAdoption::How::kWhole);
  EXPECT_EQ(capture_->adoption().problem, "");
  EXPECT_EQ(capture_->adoption().counted, std::vector<std::uint64_t>{kSession});
  EXPECT_EQ(events_.size(), 6U) << "the sink was called before it could be ready";
  until([&] { return exit_of(between->pid()) != nullptr; }, "what happened between");
  watch(*after);
  const auto fresh = shell(kThree);
  join(*fresh);
  watch(*fresh);
  expect_each_once(12);
  expect_all_of_session();
  // And once more, asleep this time: the first event wakes the next one, too.
  until([&] { return capture_->asleep(); }, "asleep");
  open_kept(leave(), ExecAdoption::How::kWhole);
  until([&] { return capture_->asleep(); }, "asleep again");
  run(kThree);
  expect_each_once(15);
}

TEST_F(ExecCaptureTest, WhoOpensItAfterAKillMissesNothing) {
  capture_.reset();
  constexpr int kProcesses = 1000;
  const auto held = shell("i=0; while [ $i -lt " + std::to_string(kProcesses) +
                          " ]; do /bin/true $i; i=$((i+1)); done; exit 0");
  int pair[2], tell[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
  ASSERT_EQ(::pipe2(tell, O_CLOEXEC), 0);
  Fd ours(pair[0]), theirs(pair[1]), reading(tell[0]), writing(tell[1]);
  Child daemon(::fork());
  if (daemon.pid() == 0) {
    Loop loop;
    ExecSink sink;
    sink.event = [&](ProcessEvent&& event) {
      // A pid alone may come again on a busy machine.
      std::pair<std::int64_t, std::int64_t> end{0, event.when};
      if (const auto* exit = std::get_if<ExitInfo>(&event.what)) end.first = exit->pid;
      if (end.first != 0 && ::write(tell[1], &end, sizeof end) != sizeof end) ::_exit(2);
    };
    ExecCaptureOptions options;
    options.host_mounts = "/proc/self/ns/mnt";
    auto opened = ExecCapture::open(loop, sink, std::move(options));
    if (!opened || !(*opened)->join(held->pidfd(), kSession, Membership::kProcess)) ::_exit(3);
    const std::vector<Fd> kept = (*opened)->keep();
    send_fds(pair[1], kept);
    for (;;) {
      (*opened)->drain();
      loop.run_once(true);
    }
  }
  writing.reset();
  std::vector<Fd> kept = receive_fds(pair[0]);
  ASSERT_FALSE(kept.empty());
  held->go();
  std::map<std::pair<std::int64_t, std::int64_t>, int> told;
  const auto take = [&] {
    std::pair<std::int64_t, std::int64_t> end;
    const bool more = ::read(tell[0], &end, sizeof end) == sizeof end;
    if (more) ++told[end];
    return more;
  };
  while (told.size() < kProcesses / 3 && take()) {
  }
  ::kill(daemon.pid(), SIGKILL);
  while (take()) {
  }
  EXPECT_LT(told.size(), static_cast<std::size_t>(kProcesses));
  open_kept(std::move(kept), ExecAdoption::How::kWhole);
  until([&] { return held->ended() && exit_of(held->pid()) != nullptr; }, "the end");
  for (const ProcessEvent& event : events_) {
    if (const auto* exit = std::get_if<ExitInfo>(&event.what)) ++told[{exit->pid, event.when}];
  }
  EXPECT_EQ(told.size(), kProcesses + 1U);
  // The one that was just being told when it was killed may be told again.
  EXPECT_LE(std::count_if(told.begin(), told.end(), [](const auto& one) { return one.second != 1; }), 1);
  EXPECT_TRUE(lost_.empty());
}

TEST_F(ExecCaptureTest, WhatIsLostIsToldOnceWhoeverTellsIt) {
  for (const bool fits : {true, false}) {
    events_.clear();
    lost_.clear();
    ExecCaptureOptions options;
    options.ring_bytes = 16U << 10;
    open(std::move(options));
    const std::string many = "i=0; while [ $i -lt 100 ]; do /bin/true $i; i=$((i+1)); done; exit 0";
    const auto before = shell(many), between = shell(many), after = shell(many);
    for (const auto* held : {&before, &between, &after}) join(**held);
    unseen(*before);
    capture_->drain();
    const std::uint64_t told = lost_[kSession];
    EXPECT_GT(told, 0U);
    auto kept = leave();
    unseen(*between);
    ExecCaptureOptions next;
    next.ring_bytes = fits ? 16U << 10 : 32U << 10;
    open_kept(std::move(kept), fits ? ExecAdoption::How::kWhole : ExecAdoption::How::kCarried,
              std::move(next));
    capture_->drain();
    EXPECT_GT(lost_[kSession], told);
    EXPECT_EQ(events_.size() + lost_[kSession], 2U * 202);
    unseen(*after);
    capture_->drain();
    EXPECT_EQ(events_.size() + lost_[kSession], 2U * 303);
    capture_->drain();
    EXPECT_EQ(events_.size() + lost_[kSession], 2U * 303);
    // Nothing of it is kept beyond its end.
    capture_->forget(kSession);
    open_kept(leave(), ExecAdoption::How::kWhole, [&] {
      ExecCaptureOptions again;
      again.ring_bytes = fits ? 16U << 10 : 32U << 10;
      return again;
    }());
    EXPECT_TRUE(capture_->adoption().counted.empty());
  }
}

TEST_F(ExecCaptureTest, ProgramsThatDoNotFitHandTheirMembersOn) {
  const auto shim = shell("/bin/echo child >/dev/null; exit 0"), between = shell(kThree),
             after = shell(kThree);
  const auto idle = shell("exit 0");
  join(*shim, 5ULL << 40, Membership::kChildrenOnly);
  join(*between);
  join(*after);
  // Its thread was a member on its own before, and executes after.
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const Fd reading(ends[0]);
  Fd writing(ends[1]);
  Held threads({"/usr/bin/python3", "-c",
                "import os, threading\n"
                "os.close(" +
                    std::to_string(ends[1]) +
                    ")\n"
                    "def run(): os.read(" +
                    std::to_string(ends[0]) +
                    ", 1); os.execv('/bin/sh', ['sh', '-c', 'exit 6'])\n"
                    "threading.Thread(target=run).start()\n"
                    "os.execv('/bin/true', ['true']) if os.fork() == 0 else threading.Event().wait()"});
  join(threads, 7ULL << 40);
  threads.go();
  until([&] { return execs().size() >= 2; }, "its thread runs");
  events_.clear();
  auto kept = leave();
  unseen(*between);
  ExecCaptureOptions options;
  options.wake_bytes = 128U << 10;
  open_kept(std::move(kept), ExecAdoption::How::kCarried, std::move(options));
  EXPECT_EQ(capture_->adoption().problem, "");
  until([&] { return exit_of(between->pid()) != nullptr; }, "what the earlier ones saw");
  // Whoever had a living process may lack something.
  EXPECT_EQ(lost_, (std::map<std::uint64_t, std::uint64_t>{{kSession, 0}, {5ULL << 40, 0}, {7ULL << 40, 0}}));
  lost_.clear();
  watch(*after);
  shim->go();
  unseen(*idle);
  until([&] { return shim->ended(); }, "the shim ends");
  writing.reset();
  until([&] { return threads.ended() && exit_of(threads.pid()) != nullptr; }, "the thread's program");
  EXPECT_EQ(exit_of(threads.pid())->exit_code, 6);
  EXPECT_EQ(exit_of(threads.pid())->execs, 2U);
  capture_->drain();
  std::map<std::uint64_t, int> execs_of, ends_of;
  for (const ProcessEvent& event : events_)
    ++(std::holds_alternative<ExecInfo>(event.what) ? execs_of : ends_of)[event.session];
  EXPECT_EQ(execs_of, (std::map<std::uint64_t, int>{{kSession, 6}, {5ULL << 40, 1}, {7ULL << 40, 1}}));
  EXPECT_EQ(ends_of[kSession], 6);
  EXPECT_EQ(ends_of[5ULL << 40], 1);
  EXPECT_TRUE(lost_.empty());
}

TEST_F(ExecCaptureTest, BothMayBeKeptAndTheFirstMayBeTakenUpAgain) {
  const auto between = shell(kThree), after = shell(kThree);
  join(*between);
  join(*after);
  // As where the earlier descriptors are still kept when the next daemon dies.
  std::vector<Fd> first = capture_->keep();
  std::vector<Fd> both = leave();
  ExecCaptureOptions options;
  options.wake_bytes = 128U << 10;
  std::vector<Fd> second = [&] {
    open_kept(std::move(first), ExecAdoption::How::kCarried, std::move(options));
    return leave();
  }();
  unseen(*between);
  for (Fd& fd : second) both.push_back(std::move(fd));
  std::vector<Fd> again;
  for (const Fd& fd : both) again.push_back(std::move(duplicate(fd.get())).value());
  ExecCaptureOptions same;
  same.wake_bytes = 128U << 10;
  open_kept(std::move(both), ExecAdoption::How::kWhole, std::move(same));
  until([&] { return exit_of(between->pid()) != nullptr; }, "by the second");
  expect_each_once(3);
  lost_.clear();
  // A step back to the first build: again only one of them tells.
  capture_.reset();
  open_kept(std::move(again), ExecAdoption::How::kCarried);
  after->go();
  until([&] { return exit_of(after->pid()) != nullptr; }, "by the first");
  capture_->drain();
  expect_each_once(6);
  EXPECT_EQ(lost_, (std::map<std::uint64_t, std::uint64_t>{{kSession, 0}}));
}

TEST_F(ExecCaptureTest, BegunLoginsGoOnUnderTheirNumbers) {
  ScratchDirectory scratch;
  std::filesystem::copy("/bin/sh", scratch / "sshd");
  for (const bool fits : {true, false}) {
    events_.clear();
    const Gate one, two, three;
    Held server({scratch / "sshd", "-c",
                 "(" + one.wait() + "; exec /bin/true late) & /bin/sh -c '/bin/true first; " + two.wait() +
                     "; /bin/true second; exit 0'; " + three.wait() + "; /bin/true third; wait; exit 0"});
    ASSERT_TRUE(capture_->watch_server(server.pidfd()));
    server.go();
    until([&] { return execs().size() >= 2; }, "a login begins");
    const std::uint64_t number = events_[0].session;
    EXPECT_TRUE(events_[0].begins);
    ExecCaptureOptions options;
    options.wake_bytes = fits ? 256U << 10 : 128U << 10;
    open_kept(leave(), fits ? ExecAdoption::How::kWhole : ExecAdoption::How::kCarried, std::move(options));
    one.open();
    two.open();
    three.open();
    until([&] { return server.ended() && execs().size() >= 5; }, "the logins' end");
    capture_->drain();
    std::map<std::string, std::pair<std::uint64_t, bool>> found;
    for (const ProcessEvent& event : events_) {
      if (const auto* exec = std::get_if<ExecInfo>(&event.what))
        found[exec->argv.back()] = {event.session, event.begins};
    }
    EXPECT_EQ(found["first"], (std::pair{number, false}));
    EXPECT_EQ(found["second"], (std::pair{number, false}));
    std::set<std::uint64_t> numbers{number, found["third"].first, found["late"].first};
    EXPECT_EQ(numbers.size(), 3U);
    EXPECT_GT(*numbers.begin(), OPELOG_RING_SERVERS);
    EXPECT_EQ(*numbers.begin(), number);
    EXPECT_TRUE(found["third"].second && found["late"].second);
    open({});
  }
}

TEST_F(ExecCaptureTest, WhatIsReleasedStaysReleased) {
  ScratchDirectory scratch;
  std::filesystem::copy("/bin/sh", scratch / "sshd");
  for (const bool fits : {true, false}) {
    events_.clear();
    const Gate gate;
    Held server({scratch / "sshd", "-c", "/bin/sh -c '" + gate.wait() + "; /bin/true; exit 0'; exit 0"});
    ASSERT_TRUE(capture_->watch_server(server.pidfd()));
    server.go();
    until([&] { return !events_.empty(); }, "a login begins");
    capture_->release(events_[0].session);
    ExecCaptureOptions options;
    options.wake_bytes = fits ? 256U << 10 : 128U << 10;
    open_kept(leave(), fits ? ExecAdoption::How::kWhole : ExecAdoption::How::kCarried, std::move(options));
    gate.open();
    until([&] { return server.ended(); }, "its end");
    capture_->drain();
    EXPECT_EQ(events_.size(), 1U);
    open({});
  }
}

TEST_F(ExecCaptureTest, WhatIsNoneOfItIsNotTakenForIt) {
  const auto held = shell(kThree);
  join(*held);
  const std::vector<Fd> kept = leave();
  const auto copies = [&kept](std::size_t but = SIZE_MAX) {
    std::vector<Fd> some;
    for (std::size_t i = 0; i < kept.size(); ++i)
      if (i != but) some.push_back(std::move(duplicate(kept[i].get())).value());
    return some;
  };
  const auto problem = [this] { return capture_->adoption().problem; };
  std::vector<Fd> strange;
  strange.push_back(std::move(open_at(AT_FDCWD, "/dev/null", O_RDWR)).value());
  strange.emplace_back();
  strange.push_back(pidfd_of(::getpid()));
  open_kept(std::move(strange), ExecAdoption::How::kNothing);
  EXPECT_NE(problem(), "");
  // Any one of them missing: they are taken up in part or not at all, and it is said.
  ASSERT_EQ(kept.size(), 13U);
  for (const std::size_t i : {0U, 3U, 5U, 6U, 8U, 11U}) {
    ExecCaptureOptions options;
    options.host_mounts = "/proc/self/ns/mnt";
    options.kept = copies(i);
    auto opened = ExecCapture::open(loop_, {}, std::move(options));
    ASSERT_TRUE(opened) << i << opened.error().message;
    EXPECT_NE(static_cast<int>((*opened)->adoption().how), static_cast<int>(ExecAdoption::How::kWhole)) << i;
    EXPECT_NE((*opened)->adoption().problem, "") << i;
    opened->reset();
    loop_.run_once(false);
  }
  // Of a build with maps that are laid out in another way.
  union bpf_attr_of_a_map {
    struct {
      std::uint32_t type, key, value, entries, flags, inner, node;
      char name[16];
    } map;
    struct {
      std::uint32_t fd;
      std::uint64_t key, value, flags;
    } element;
    char all[128];
  } attributes{};
  attributes.map = {2 /* BPF_MAP_TYPE_ARRAY */, 4, 8, 1, 0, 0, 0, "exec_eve.rodata"};
  Fd map(static_cast<int>(::syscall(SYS_bpf, 0 /* BPF_MAP_CREATE */, &attributes, sizeof attributes)));
  ASSERT_TRUE(map);
  const std::uint32_t key = 0, value[2] = {4711, 0};
  attributes = {};
  attributes.element = {static_cast<std::uint32_t>(map.get()), reinterpret_cast<std::uintptr_t>(&key),
                        reinterpret_cast<std::uintptr_t>(value), 0};
  ASSERT_EQ(::syscall(SYS_bpf, 2 /* BPF_MAP_UPDATE_ELEM */, &attributes, sizeof attributes), 0);
  std::vector<Fd> other;
  other.push_back(std::move(map));
  open_kept(std::move(other), ExecAdoption::How::kNothing);
  EXPECT_NE(problem().find("4711"), std::string::npos) << problem();
  // With things beside them that are none of theirs they are good all the same, for what is left of them
  // here.
  std::vector<Fd> beside = copies();
  beside.push_back(std::move(open_at(AT_FDCWD, "/dev/null", O_RDWR)).value());
  open_kept(std::move(beside), ExecAdoption::How::kWhole);
  EXPECT_NE(problem(), "");
  held->go();
  until([&] { return exit_of(held->pid()) != nullptr; }, "its end");
  expect_each_once(3);
}

TEST(ExecCapture, TheUnitsCapabilitiesAreEnough) {
  if (::access("/sys/kernel/btf/vmlinux", R_OK) != 0) GTEST_SKIP() << "this kernel has no BTF";
  std::ifstream unit(std::string(OPELOG_SOURCE_DIR) + "/units/opelogd.service");
  std::string line, bounding = "-all";
  bool system_call = false;
  while (std::getline(unit, line)) {
    const auto words = line.substr(line.find('=') + 1);
    if (line.rfind("SystemCallFilter=", 0) == 0 && words[0] != '~')
      system_call = system_call || (" " + words + " ").find(" bpf ") != std::string::npos;
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
