// What exec capture costs: fork, exec of /bin/true and wait, by two processes that do nothing else.
//
//   bench_exec [ROUNDS [COUNT]]
//
// In each round, COUNT times each and in an order that rotates: `none`, without capture; `others`, captured,
// but the process belongs to no session; `member`, it does, and its events are fetched and decoded meanwhile.
// Ratios are taken within a round. Fails if an event is missing.
#include <fcntl.h>
#include <sys/resource.h>
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

/// A process that runs so many programs when told, and says how long it took.
class Worker {
 public:
  Worker() {
    int to[2], from[2];
    if (::pipe2(to, O_CLOEXEC) != 0 || ::pipe2(from, O_CLOEXEC) != 0) fail("no pipes");
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(to[1]);
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
  /// Microseconds for each program; the loop turns meanwhile.
  double run(Loop& loop, int count) {
    MonoUs elapsed = 0;
    bool done = false;
    auto poll = Poll::open(loop, from_.get(), [&](int, int) {
      done = ::read(from_.get(), &elapsed, sizeof elapsed) == sizeof elapsed;
    });
    if (!poll || !(*poll)->watch(Poll::kReadable)) fail("no poll");
    if (::write(to_.get(), &count, sizeof count) != sizeof count) fail("a worker is gone");
    while (!done) loop.run_once(true);
    return static_cast<double>(elapsed) / count;
  }

 private:
  [[noreturn]] static void work(int orders, int results) {
    int count = 0;
    while (::read(orders, &count, sizeof count) == sizeof count) {
      const MonoUs begin = mono_now();
      for (int i = 0; i < count; ++i) {
        const pid_t pid = ::fork();
        if (pid == 0) {
          ::execl("/bin/true", "/bin/true", "--with", "some", "arguments", nullptr);
          ::_exit(1);
        }
        ::waitpid(pid, nullptr, 0);
      }
      const MonoUs elapsed = mono_now() - begin;
      if (::write(results, &elapsed, sizeof elapsed) < 0) break;
    }
    ::_exit(0);
  }
  pid_t pid_ = -1;
  Fd to_, from_, pidfd_;
};

double cpu_us() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

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
  constexpr std::array<const char*, 3> kPeers = {"none", "others", "member"};
  std::array<std::vector<double>, 3> times, ratios;
  std::vector<double> reader;
  Worker outside, inside;
  Loop loop;
  for (int round = 0; round < rounds; ++round) {
    std::array<double, 3> now{};
    const auto without = [&] { now[0] = outside.run(loop, count); };
    const auto with = [&] {
      auto opened = record::ExecCapture::open(loop, {});
      if (!opened) fail(opened.error().message.c_str());
      record::ExecCapture& capture = **opened;
      if (!capture.join(inside.pidfd(), 1, record::Membership::kChildrenOnly)) fail("no member");
      const auto member = [&] {
        const double before = cpu_us();
        now[2] = inside.run(loop, count);
        capture.drain();
        reader.push_back((cpu_us() - before) / count);
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
      times[i].push_back(now[i]);
      ratios[i].push_back(now[i] / now[0]);
    }
  }
  std::printf("  %-10s%12s   %16s%12s\n", "", "median us", "ratio to none", "least us");
  for (std::size_t i = 0; i < kPeers.size(); ++i) {
    std::printf("  %-10s%12.2f   %16.3f%12.2f\n", kPeers[i], median(times[i]), median(ratios[i]),
                *std::min_element(times[i].begin(), times[i].end()));
  }
  std::printf("  reader's CPU for each process: %.2f us\n", median(reader));
  return 0;
}
