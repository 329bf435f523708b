// Threat row 2, carried out as the unprivileged user: signals, ptrace, pidfd_getfd, /proc, LD_PRELOAD, core
// dumps.
#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "sandbox.h"

namespace {

// Each returns 0 if the attack succeeded, else errno. They run as the user in a process of their own.
int attach(pid_t target) {
  return ::ptrace(PTRACE_ATTACH, target, nullptr, nullptr) == 0 ? 0 : errno;
}
int seize(pid_t target) {
  return ::ptrace(PTRACE_SEIZE, target, nullptr, nullptr) == 0 ? 0 : errno;
}
int open_in_proc(pid_t target, const char* name, int flags) {
  return ::open(("/proc/" + std::to_string(target) + "/" + name).c_str(), flags) >= 0 ? 0 : errno;
}
int steal_descriptor(pid_t target) {
  const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, target, 0));
  if (pidfd < 0) return errno;
  for (int fd = 0; fd < 16; ++fd)
    if (::syscall(SYS_pidfd_getfd, pidfd, fd, 0) >= 0) return 0;
  return errno == EBADF ? 0 : errno;  // EBADF would mean that we may look
}
int list_descriptors(pid_t target) {
  DIR* d = ::opendir(("/proc/" + std::to_string(target) + "/fd").c_str());
  if (d == nullptr) return errno;
  ::closedir(d);
  return 0;
}
int read_memory(pid_t target) {
  char byte = 0;
  iovec local{&byte, 1};
  iovec remote{reinterpret_cast<void*>(0x400000), 1};
  if (::process_vm_readv(target, &local, 1, &remote, 1, 0) == 1) return 0;
  return errno == EFAULT ? 0 : errno;  // EFAULT: allowed, only the address was wrong
}

const struct {
  const char* name;
  std::function<int(pid_t)> run;
} kAttacks[] = {
    {"PTRACE_ATTACH", attach},
    {"PTRACE_SEIZE", seize},
    {"pidfd_getfd", steal_descriptor},
    {"list /proc/PID/fd", list_descriptors},
    {"open /proc/PID/fd/3", [](pid_t t) { return open_in_proc(t, "fd/3", O_RDONLY); }},
    {"read /proc/PID/mem", [](pid_t t) { return open_in_proc(t, "mem", O_RDWR); }},
    {"read /proc/PID/environ", [](pid_t t) { return open_in_proc(t, "environ", O_RDONLY); }},
    {"read /proc/PID/maps", [](pid_t t) { return open_in_proc(t, "maps", O_RDONLY); }},
    {"read /proc/PID/auxv", [](pid_t t) { return open_in_proc(t, "auxv", O_RDONLY); }},
    {"process_vm_readv", read_memory},
};

// All attacks on `target` by the user; the name of the first that succeeded, or "".
std::string attack(pid_t target) {
  for (const auto& a : kAttacks) {
    const pid_t attacker = ::fork();
    if (attacker == 0) {
      if (::setresgid(kUserGroup, kUserGroup, kUserGroup) != 0 || ::setresuid(kUser, kUser, kUser) != 0)
        ::_exit(0);
      const int err = a.run(target);
      ::_exit(err == EPERM || err == EACCES ? 1 : err == 0 ? 0 : 2);
    }
    int status = 0;
    ::waitpid(attacker, &status, 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 1) return a.name;
  }
  return "";
}

struct Recorded {
  explicit Recorded(Sandbox& sandbox, const std::string& command) {
    Start start;
    start.arguments = {"opelog-shell", "-c", command};
    start.descriptors[0] = in.read_end.get();
    start.descriptors[1] = start.descriptors[2] = out.write_end.get();
    child = std::make_unique<Child>(start);
    talk = std::make_unique<Talk>(sandbox.accept());
    greeting = talk->greeting();
    VerdictSpec spec;
    spec.shell = "/bin/sh";
    talk->record_streams(greeting, spec);
    in.read_end.close();
    out.write_end.close();
    shell = talk->started().pid;
  }
  Pipe in, out;
  std::unique_ptr<Child> child;
  std::unique_ptr<Talk> talk;
  Greeting greeting;
  pid_t shell = 0;
};

// The attacks themselves work: against a plain process of the same user they succeed.
TEST(Attack, EachSucceedsAgainstAnOrdinaryProcess) {
  Sandbox sandbox;
  Start start;
  start.program = "/bin/sleep";
  start.arguments = {"sleep", "1000"};
  for (const auto& a : kAttacks) {
    Child victim(start);
    ASSERT_TRUE(eventually(
        [&] { return read_text("/proc/" + std::to_string(victim.pid()) + "/comm") == "sleep\n"; }));
    const pid_t attacker = ::fork();
    if (attacker == 0) {
      // Not its parent's child order, but uid and dumpability decide: Yama, where active, is stated by the
      // skip.
      if (::setresgid(kUserGroup, kUserGroup, kUserGroup) != 0 || ::setresuid(kUser, kUser, kUser) != 0)
        ::_exit(9);
      const int err = a.run(victim.pid());
      ::_exit(err == 0 || err == ENXIO || err == ENOENT ? 0 : 1);
    }
    int status = 0;
    ::waitpid(attacker, &status, 0);
    if (read_text("/proc/sys/kernel/yama/ptrace_scope").substr(0, 1) > "0")
      GTEST_SKIP() << "Yama forbids even this here";
    EXPECT_EQ(WEXITSTATUS(status), 0) << a.name;
  }
}

TEST(Attack, TheShimThatWaitsForItsVerdictIsOutOfReach) {
  Sandbox sandbox;
  sandbox.listen();
  Start start;
  start.arguments = {"-opelog-shell"};
  Child child(start);
  Talk talk = sandbox.accept();
  (void)talk.greeting();
  EXPECT_EQ(attack(child.pid()), "");
}

TEST(Attack, TheWaiterIsOutOfReach) {
  Sandbox sandbox;
  sandbox.listen();
  Recorded r(sandbox, "echo up; read x");
  (void)read_until(r.out.read_end.get(), "up");
  const std::string comm = "/proc/" + std::to_string(r.child->pid()) + "/comm";
  ASSERT_TRUE(eventually([&] { return read_text(comm) == "opelog-waiter\n"; }));
  EXPECT_EQ(attack(r.child->pid()), "");
}

TEST(Attack, NeitherProgramCanBeReadOrCopied) {
  Sandbox sandbox;
  const pid_t user = ::fork();
  if (user == 0) {
    if (::setresgid(kUserGroup, kUserGroup, kUserGroup) != 0 || ::setresuid(kUser, kUser, kUser) != 0)
      ::_exit(9);
    ::_exit(::open(kShell, O_RDONLY) < 0 && errno == EACCES && ::open(kWaiter, O_RDONLY) < 0 &&
                    errno == EACCES
                ? 0
                : 1);
  }
  int status = 0;
  ::waitpid(user, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

// A tracer that is there before the exec keeps the shim from its group: it cannot even connect.
TEST(Attack, ATracedShimHasNoGroupAndNoDaemon) {
  Sandbox sandbox;
  sandbox.listen();
  sandbox.write_fallback("absent pass\nshell 54321 /mnt/opelog/probe\n");
  const pid_t tracer = ::fork();
  if (tracer == 0) {
    if (::setresgid(kUserGroup, kUserGroup, kUserGroup) != 0 || ::setresuid(kUser, kUser, kUser) != 0)
      ::_exit(200);
    const pid_t shim = ::fork();
    if (shim == 0) {
      ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
      ::close_range(0, ~0U, 0);
      ::execl(kShell, "-opelog-shell", nullptr);
      ::_exit(201);
    }
    int status = 0;
    for (;;) {
      if (::waitpid(shim, &status, 0) != shim) ::_exit(202);
      if (!WIFSTOPPED(status)) break;
      const int number = WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
      ::ptrace(PTRACE_CONT, shim, nullptr, number);
    }
    ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 203);
  }
  int status = 0;
  ::waitpid(tracer, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), OPELOG_EXIT_UNAVAILABLE);
  EXPECT_FALSE(sandbox.somebody_waits());
}

TEST(Attack, APreloadedLibraryReachesTheShellButNotUs) {
  Sandbox sandbox;
  sandbox.listen();
  Start start;
  start.arguments = {"-opelog-shell"};
  start.environment = {"LD_PRELOAD=/mnt/opelog/preload.so", "LD_AUDIT=/mnt/opelog/preload.so"};
  Child child(start);
  Talk talk = sandbox.accept();
  (void)talk.greeting();
  EXPECT_NE(::access("/mnt/opelog/home/mark_mnt_opelog_opelog-shell", F_OK), 0);
  talk.send(verdict({}));
  EXPECT_EQ(child.wait(), 0);
  EXPECT_NE(::access("/mnt/opelog/home/mark_mnt_opelog_opelog-shell", F_OK), 0);
  EXPECT_EQ(::access("/mnt/opelog/home/mark_mnt_opelog_probe", F_OK), 0);
}

TEST(Attack, NoEnvironmentVariableLeadsElsewhere) {
  Sandbox sandbox;
  sandbox.listen();
  Start start;
  start.arguments = {"-opelog-shell"};
  start.environment = {"OPELOG_LOGIN_SOCKET=/tmp/x",
                       "OPELOG_FALLBACK=/tmp/x",
                       "OPELOG_WAITER=/bin/true",
                       "SHELL=/bin/sh",
                       "HOME=/",
                       "PATH="};
  Child child(start);
  Talk talk = sandbox.accept();
  EXPECT_EQ(talk.greeting().head.frame.type, static_cast<std::uint32_t>(OPELOG_HELLO));
}

TEST(Attack, NeitherLeavesACore) {
  Sandbox sandbox;
  sandbox.listen();
  const auto unlimited = [] {
    const rlimit limit{RLIM_INFINITY, RLIM_INFINITY};
    setrlimit(RLIMIT_CORE, &limit);
  };
  for (const int number : {SIGSEGV, SIGABRT, SIGQUIT}) {
    if (SHIM_SANITIZED != 0 && number != SIGQUIT) continue;  // the sanitizer's own handlers take the others
    Start start;
    start.arguments = {"-opelog-shell"};
    start.before_exec = unlimited;
    Child child(start);
    Talk talk = sandbox.accept();
    (void)talk.greeting();
    ::kill(child.pid(), number);
    const int status = child.wait();
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == number);
    EXPECT_FALSE(WCOREDUMP(status)) << number;
  }
  Recorded r(sandbox, "echo up; read x");
  (void)read_until(r.out.read_end.get(), "up");
  const std::string comm = "/proc/" + std::to_string(r.child->pid()) + "/comm";
  ASSERT_TRUE(eventually([&] { return read_text(comm) == "opelog-waiter\n"; }));
  const rlimit limit{RLIM_INFINITY, RLIM_INFINITY};
  ::prlimit(r.child->pid(), RLIMIT_CORE, &limit, nullptr);
  // What is sent to it does not even end it; a fault of its own would, and leave none: it cannot be dumped.
  for (const int number : {SIGSEGV, SIGABRT, SIGQUIT}) ::kill(r.child->pid(), number);
  ASSERT_EQ(::write(r.in.write_end.get(), "\n", 1), 1);
  r.talk->ended();
  r.talk->done();
  EXPECT_TRUE(WIFEXITED(r.child->wait()));
}

TEST(Attack, KillingTheShimBeforeItsVerdictIsSeenByTheDaemon) {
  Sandbox sandbox;
  sandbox.listen();
  Start start;
  start.arguments = {"-opelog-shell"};
  Child child(start);
  Talk talk = sandbox.accept();
  (void)talk.greeting();
  ::kill(child.pid(), SIGKILL);
  EXPECT_EQ(talk.packet(), "");
}

// The shell itself is ordinary again: debuggers work in it.
TEST(Attack, TheShellHasNothingOfOurs) {
  Sandbox sandbox;
  sandbox.listen();
  Recorded r(sandbox, "ls -l /proc/self/fd | grep -c socket; read x");
  EXPECT_EQ(read_until(r.out.read_end.get(), "\n"), "0\n");
  const std::string status = read_text("/proc/" + std::to_string(r.shell) + "/status");
  EXPECT_NE(status.find("Gid:\t54321\t54321\t54321\t54321"), std::string::npos) << status;
  struct stat s {};
  ASSERT_EQ(::stat(("/proc/" + std::to_string(r.shell) + "/mem").c_str(), &s), 0);
  EXPECT_EQ(s.st_uid, kUser) << "dumpable";
}

}  // namespace
