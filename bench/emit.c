/* What is recorded in the benchmarks: `bench_emit text MIB`, `bench_emit random MIB`, `bench_emit echo` (raw
 * mode, each byte comes back), `bench_emit idle` (says READY and waits for a byte), `bench_emit lines RATE`
 * (so many lines a second, each the nanosecond of CLOCK_MONOTONIC at which it was due, until a byte comes).
 * All say READY first; text, random and lines then wait for one byte, so that start-up is not measured. */
#define _GNU_SOURCE
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static void put(const char* p, size_t n) {
  while (n > 0) {
    const ssize_t w = write(1, p, n);
    if (w <= 0) _exit(1);
    p += w;
    n -= (size_t)w;
  }
}

static void lines(long rate) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  long long due = t.tv_sec * 1000000000LL + t.tv_nsec;
  for (;;) {
    due += 1000000000LL / rate;
    clock_gettime(CLOCK_MONOTONIC, &t);
    const long long left = due - (t.tv_sec * 1000000000LL + t.tv_nsec);
    struct pollfd key = {0, POLLIN, 0};
    const struct timespec wait = {left > 0 ? left / 1000000000LL : 0, left > 0 ? left % 1000000000LL : 0};
    if (ppoll(&key, 1, &wait, NULL) != 0) return;
    char line[64];
    put(line, (size_t)snprintf(line, sizeof line, "%lld\r\n", due));
  }
}

int main(int argc, char** argv) {
  if (argc < 2) return 64;
  struct termios t;
  if (tcgetattr(0, &t) == 0) {
    cfmakeraw(&t);
    tcsetattr(0, TCSANOW, &t);
  }
  put("READY\r\n", 7);
  char byte;
  if (strcmp(argv[1], "echo") == 0) {
    while (read(0, &byte, 1) == 1 && byte != 'q') put(&byte, 1);
    return 0;
  }
  if (read(0, &byte, 1) != 1 || strcmp(argv[1], "idle") == 0) return 0;
  if (strcmp(argv[1], "lines") == 0) {
    lines(argc > 2 && atol(argv[2]) > 0 ? atol(argv[2]) : 20);
    return 0;
  }
  static char block[32768];
  unsigned state = 1;
  for (size_t i = 0; i < sizeof block; ++i) {
    state = state * 1103515245u + 12345u;
    block[i] = strcmp(argv[1], "random") == 0 ? (char)(state >> 16)
               : i % 80 == 79                 ? '\n'
                                              : (char)(' ' + (state >> 16) % 95);
  }
  const long blocks = (argc > 2 ? atol(argv[2]) : 16) * 32;
  for (long i = 0; i < blocks; ++i) put(block, sizeof block);
  return 0;
}
