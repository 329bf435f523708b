// What exec capture costs: fork, exec of /bin/true and wait, by two processes that do nothing else.
//
//   bench_exec [ROUNDS [COUNT]]
//
// In each round, COUNT times each and in an order that rotates: `none`, without capture; `others`, captured,
// but the process belongs to no session; `member`, it does, and its events are fetched and decoded meanwhile;
// `own pids`, without capture, in a pid namespace of its own; `psacct`, the same with the kernel's process
// accounting (acct(2), the source of psacct), which is switched on for such a namespace alone. Ratios are
// taken within a round, that of `psacct` to `own pids`. Fails if an event or the accounting is missing.
#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "core/clock_io.h"
#include "record/exec_capture_io.h"

namespace {

using namespace opelog;

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "bench_exec: %s\n", what);
  std::exit(1);
}

/// Microseconds for each program: by the clock, and on a processor, which a busy machine disturbs less.
struct Cost {
  double wall = 0, cpu = 0;
};

double cpu_us(int whose) {
  rusage usage{};
  ::getrusage(whose, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

/// A process that runs so many programs when told, and says what that cost.
class Worker {
 public:
  enum class Pids { kOurs, kOwn };
  /// `account`: the file to which its namespace's processes are accounted; nullptr: they are not.
  explicit Worker(Pids pids = Pids::kOurs, const char* account = nullptr) {
    int to[2], from[2];
    if (::pipe2(to, O_CLOEXEC) != 0 || ::pipe2(from, O_CLOEXEC) != 0) fail("no pipes");
    const unsigned long flags = pids == Pids::kOwn ? CLONE_NEWPID : 0;
    pid_ = static_cast<pid_t>(::syscall(SYS_clone, flags | SIGCHLD, nullptr, nullptr, nullptr, 0));
    if (pid_ < 0) fail("no process");
    if (pid_ == 0) {
      ::close(to[1]);
      if (account != nullptr && ::acct(account) != 0) ::_exit(1);
      work(to[0], from[1]);
    }
    ::close(to[0]);
    ::close(from[1]);
    to_ = Fd(to[1]);
    from_ = Fd(from[0]);
    pidfd_ = Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  }
  ~Worker() {
    to_.reset();
    ::waitpid(pid_, nullptr, 0);
  }
  [[nodiscard]] int pidfd() const { return pidfd_.get(); }
  /// The loop turns meanwhile.
  Cost run(Loop& loop, int count) {
    Cost cost;
    bool done = false;
    auto poll = Poll::open(loop, from_.get(),
                           [&](int, int) { done = ::read(from_.get(), &cost, sizeof cost) == sizeof cost; });
    if (!poll || !(*poll)->watch(Poll::kReadable)) fail("no poll");
    if (::write(to_.get(), &count, sizeof count) != sizeof count) fail("a worker is gone");
    while (!done) loop.run_once(true);
    return {cost.wall / count, cost.cpu / count};
  }

 private:
  [[noreturn]] static void work(int orders, int results) {
    int count = 0;
    while (::read(orders, &count, sizeof count) == sizeof count) {
      const MonoUs begin = mono_now();
      const double cpu = cpu_us(RUSAGE_SELF) + cpu_us(RUSAGE_CHILDREN);
      for (int i = 0; i < count; ++i) {
        const pid_t pid = ::fork();
        if (pid == 0) {
          ::execl("/bin/true", "/bin/true", "--with", "some", "arguments", nullptr);
          ::_exit(1);
        }
        ::waitpid(pid, nullptr, 0);
      }
      const Cost cost{static_cast<double>(mono_now() - begin),
                      cpu_us(RUSAGE_SELF) + cpu_us(RUSAGE_CHILDREN) - cpu};
      if (::write(results, &cost, sizeof cost) < 0) break;
    }
    ::_exit(0);
  }
  pid_t pid_ = -1;
  Fd to_, from_, pidfd_;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 60;
  const int count = argc > 2 ? std::atoi(argv[2]) : 100;
  if (argc > 3 || rounds < 1 || count < 1) {
    std::fprintf(stderr, "usage: bench_exec [ROUNDS [COUNT]]\n");
    return 2;
  }
  constexpr std::size_t kCount = 5, kOwnPids = 3, kPsacct = 4;
  constexpr std::array<const char*, kCount> kPeers = {"none", "others", "member", "own pids", "psacct"};
  std::array<std::vector<double>, kCount> wall, cpu, wall_ratio, cpu_ratio;
  std::vector<double> reader;
  char accounts[] = "/var/tmp/bench_exec.XXXXXX";
  Fd file(::mkstemp(accounts));
  if (!file) fail("no file for process accounting");
  Loop loop;
  {
    Worker outside, inside, own(Worker::Pids::kOwn), accounted(Worker::Pids::kOwn, accounts);
    for (int round = 0; round < rounds; ++round) {
      std::array<Cost, kCount> now{};
      const auto without = [&] {
        now[0] = outside.run(loop, count);
        if (round % 2 == 0) now[kOwnPids] = own.run(loop, count);
        now[kPsacct] = accounted.run(loop, count);
        if (round % 2 == 1) now[kOwnPids] = own.run(loop, count);
      };
      const auto with = [&] {
        auto opened = record::ExecCapture::open(loop, {});
        if (!opened) fail(opened.error().message.c_str());
        record::ExecCapture& capture = **opened;
        if (!capture.join(inside.pidfd(), 1, record::Membership::kChildrenOnly)) fail("no member");
        const auto member = [&] {
          const double before = cpu_us(RUSAGE_SELF);
          now[2] = inside.run(loop, count);
          capture.drain();
          reader.push_back((cpu_us(RUSAGE_SELF) - before) / count);
        };
        if (round % 2 == 0) member();
        now[1] = outside.run(loop, count);
        if (round % 2 == 1) member();
        if (capture.delivered() + capture.lost() != 2 * static_cast<std::uint64_t>(count))
          fail("events are missing");
      };
      if (round / 2 % 2 == 0) without();
      with();
      if (round / 2 % 2 == 1) without();
      for (std::size_t i = 0; i < kPeers.size(); ++i) {
        wall[i].push_back(now[i].wall);
        cpu[i].push_back(now[i].cpu);
        const Cost& base = now[i == kPsacct ? kOwnPids : 0];
        wall_ratio[i].push_back(now[i].wall / base.wall);
        cpu_ratio[i].push_back(now[i].cpu / base.cpu);
      }
    }
  }
  struct stat accounted {};
  const bool kept = ::fstat(file.get(), &accounted) == 0 && accounted.st_size > 0;
  ::unlink(accounts);
  if (!kept) fail("nothing was accounted");
  std::printf("  %-10s%12s%16s%12s%16s\n", "", "wall us", "ratio to none", "CPU us", "ratio to none");
  for (std::size_t i = 0; i < kPeers.size(); ++i) {
    std::printf("  %-10s%12.1f%16.3f%12.1f%16.3f\n", kPeers[i], median(wall[i]), median(wall_ratio[i]),
                median(cpu[i]), median(cpu_ratio[i]));
  }
  std::printf("  reader's CPU for each process: %.2f us\n", median(reader));
  return 0;
}
