// One sample of what exec capture costs: COUNT times fork, exec of /bin/true and wait, in a process of its
// own.
//
//   bench_exec none|others|member COUNT
//
// none: without capture. others: captured, but the process belongs to no session, as everybody else's.
// member: it does; its events are fetched and decoded meanwhile. Prints the elapsed seconds, and the seconds
// on a processor of who fetched them; fails if an event is missing.
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "core/clock_io.h"
#include "record/exec_capture_io.h"

namespace {

using namespace opelog;

[[noreturn]] void work(int gate, int result, int count) {
  char byte;
  while (::read(gate, &byte, 1) < 0) {
  }
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
  (void)!::write(result, &elapsed, sizeof elapsed);
  ::_exit(0);
}

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc == 3 ? argv[1] : "";
  const int count = argc == 3 ? std::atoi(argv[2]) : 0;
  if (count < 1 || (mode != "none" && mode != "others" && mode != "member")) {
    std::fprintf(stderr, "usage: bench_exec none|others|member COUNT\n");
    return 2;
  }
  int gate[2], result[2];
  if (::pipe(gate) != 0 || ::pipe(result) != 0) return 1;
  const pid_t worker = ::fork();
  if (worker == 0) {
    ::close(gate[1]);
    work(gate[0], result[1], count);
  }
  Loop loop;
  std::unique_ptr<record::ExecCapture> capture;
  if (mode != "none") {
    auto opened = record::ExecCapture::open(loop, {});
    if (!opened) {
      std::fprintf(stderr, "bench_exec: %s\n", opened.error().message.c_str());
      return 1;
    }
    capture = std::move(*opened);
    const Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, worker, 0)));
    if (mode == "member" && !capture->join(pidfd.get(), 1, record::Membership::kChildrenOnly)) return 1;
  }
  MonoUs elapsed = 0;
  bool done = false;
  auto poll = Poll::open(loop, result[0], [&](int, int) {
    done = ::read(result[0], &elapsed, sizeof elapsed) == sizeof elapsed;
  });
  if (!poll || !(*poll)->watch(Poll::kReadable)) return 1;
  const double before = cpu_seconds();
  ::close(gate[1]);
  while (!done) loop.run_once(true);
  if (capture) capture->drain();
  const double cpu = cpu_seconds() - before;
  ::waitpid(worker, nullptr, 0);
  const auto told = capture ? capture->delivered() : 0;
  if (mode == "member" && told + (capture ? capture->lost() : 0) != 2 * static_cast<std::uint64_t>(count)) {
    std::fprintf(stderr, "bench_exec: %d processes, %llu events\n", count,
                 static_cast<unsigned long long>(told));
    return 1;
  }
  std::printf("%.6f %.6f\n", static_cast<double>(elapsed) / 1e6, cpu);
  return 0;
}
