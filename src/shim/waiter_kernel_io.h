/* The few system calls of opelog-waiter, without a libc: it stays in memory once per session, and a libc
 * would be forty times its size. x86-64 and aarch64; 64-bit kernels only. Structures are the kernel's own.
 */
#ifndef OPELOG_SHIM_WAITER_KERNEL_IO_H
#define OPELOG_SHIM_WAITER_KERNEL_IO_H

#include <asm/unistd.h>
#include <stdint.h>

#if defined(__x86_64__)
static inline long kernel(long number, long a, long b, long c, long d, long e) {
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = 0; /* the sixth argument is 0 in every call here */
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}
#elif defined(__aarch64__)
static inline long kernel(long number, long a, long b, long c, long d, long e) {
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  register long x5 __asm__("x5") = 0; /* the sixth argument is 0 in every call here */
  __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
  return x0;
}
#else
#error "opelog-waiter knows x86-64 and aarch64 only"
#endif

enum {
  kAgain = 11, /* errno values and flags, the same on both */
  kInterrupted = 4,
  kIoError = 5,
  kNonBlock = 04000,
  kCloseOnExec = 02000000,
  kPollIn = 1,
  kPollOut = 4,
  kPollError = 8,
  kPollHangUp = 16,
  kDontWait = 0x40,
  kNoSignal = 0x4000,
  kNoHang = 1,
  kNotExclusive = 0x540d, /* TIOCNXCL */
  kTcsets = 0x5402,
  kGetForeground = 0x540f, /* TIOCGPGRP */
  kGetSize = 0x5413,       /* TIOCGWINSZ */
  kResourceCore = 4,
  kBlock = 0,
  kUnblock = 1
};

enum { kSigHup = 1, kSigKill = 9, kSigChld = 17, kSigCont = 18, kSigWinch = 28, kLastSignal = 64 };

struct poll_entry {
  int fd;
  short events, returned;
};

struct time_spec {
  long seconds, nanoseconds;
};

/* handler, flags, restorer (x86 only; unused without a handler), mask: all zero but the first. */
struct signal_action {
  uint64_t handler, flags, restorer, mask;
};

struct resource_limit {
  uint64_t soft, hard;
};

#endif
