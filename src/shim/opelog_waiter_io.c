/* opelog-waiter PID t | r TERMIOS | STREAMS: waits for the recorded shell PID, our child, and leaves with its
 * status.
 *
 * What the shim becomes once the shell runs; waiter_layout.h says which descriptor is what. It tells the
 * daemon about new window sizes and the shell's end, and leaves only at the daemon's DONE, because sshd cuts
 * off output that is still on its way when its child has gone. If the connection breaks first, nobody records
 * any more: the session ends here. t, r: a terminal session, the shell leads a session of its own. t: the
 * daemon has the outer terminal. r: it stays the user's, and we copy (waiter_copy_io.h); it is raw, and
 * however we leave it is given back with TERMIOS, its settings as hex. STREAMS, a letter each: the shell
 * stays in our session, and we copy; what is still to be copied at DONE a child of ours goes on with.
 * Freestanding: no libc, no memory but the stack and the buffers.
 */
#include "record/login_protocol.h"
#include "shim/waiter_copy_io.h"
#include "shim/waiter_kernel_io.h"
#include "shim/waiter_layout.h"

#if defined(__x86_64__)
__asm__(
    ".globl _start\n"
    "_start:\n"
    "  xor %ebp, %ebp\n"
    "  mov %rsp, %rdi\n"
    "  and $-16, %rsp\n"
    "  call waiter_main\n"
    "  hlt\n");
#elif defined(__aarch64__)
__asm__(
    ".globl _start\n"
    "_start:\n"
    "  mov x29, #0\n"
    "  mov x30, #0\n"
    "  mov x0, sp\n"
    "  bl waiter_main\n"
    "  brk #0\n");
#endif

enum { kConnection = OPELOG_WAITER_CONNECTION, kGraceSeconds = 2, kShowSeconds = 2, kMaxTermios = 64 };
_Static_assert(kShowSeconds + kGraceSeconds < OPELOG_LEAVE_SECONDS, "opelogd ends us before we have left");

struct waiter {
  int shell;
  int signals; /* signalfd: SIGCHLD and SIGWINCH */
  int terminal;
  int own_terminal; /* it is our 0 */
  int resize_owed;  /* a RESIZED that the connection could not take yet; many merge into one */
  const char* termios;
};

static long call1(long number, long a) {
  return kernel(number, a, 0, 0, 0, 0);
}
static long call2(long number, long a, long b) {
  return kernel(number, a, b, 0, 0, 0);
}
static long call3(long number, long a, long b, long c) {
  return kernel(number, a, b, c, 0, 0);
}

static __attribute__((noreturn)) void leave(int code) {
  for (;;) call1(__NR_exit_group, code);
}

static void kill_process(int pid, int number) {
  call2(__NR_kill, pid, number);
}

static void set_action(int number, uint64_t handler) {
  struct signal_action action = {handler, 0, 0, 0};
  kernel(__NR_rt_sigaction, number, (long)&action, 0, 8, 0);
}

static void change_mask(int how, uint64_t mask) {
  kernel(__NR_rt_sigprocmask, how, (long)&mask, 0, 8, 0);
}

static uint64_t bit(int number) {
  return UINT64_C(1) << (number - 1);
}

/* The shell's wait status, or -1 while it lives. If it is not ours to wait for there is nothing to wait for.
 */
static int ended_status(const struct waiter* w) {
  int status = 0;
  long n = kernel(__NR_wait4, w->shell, (long)&status, kNoHang, 0, 0);
  if (n == w->shell) return status;
  return n == 0 || n == -kInterrupted ? -1 : OPELOG_EXIT_UNAVAILABLE << 8;
}

static int hex_digit(char c) {
  return c <= '9' ? c - '0' : c - 'a' + 10;
}

/* What opelogd has sent is shown first, which after an orderly end it is already. One that takes nothing is
 * not waited for long: opelogd would end us by force, and it would stay raw. */
static void give_back_terminal(const struct waiter* w) {
  struct poll_entry entries[kCopyEntries];
  struct time_spec left = {kShowSeconds, 0}; /* the kernel writes back what remains of it */
  while (opelog_copy_running()) {
    opelog_copy_prepare(entries);
    long n = kernel(__NR_ppoll, (long)entries, kCopyEntries, (long)&left, 0, 8);
    if (n == 0 || (n < 0 && n != -kInterrupted)) break;
    if (n > 0) opelog_copy_step(entries);
    if (left.seconds == 0 && left.nanoseconds == 0) break; /* it was ready just in time, each time */
  }
  if (w->termios == 0) return;
  unsigned char settings[kMaxTermios];
  int length = 0;
  for (const char* p = w->termios; p[0] != '\0' && p[1] != '\0' && length < kMaxTermios; p += 2)
    settings[length++] = (unsigned char)(hex_digit(p[0]) << 4 | hex_digit(p[1]));
  call3(__NR_ioctl, OPELOG_WAITER_USER, kTcsets, (long)settings);
}

/* A terminal that the daemon has taken is its alone to open; it may have died before it gave it back. */
static void let_others_open(const struct waiter* w) {
  if (w->terminal && !w->own_terminal) call2(__NR_ioctl, OPELOG_WAITER_USER, kNotExclusive);
}

static void say_gone(const struct waiter* w) {
  static const char text[] = "\r\nopelog: the recorder is gone; this session ends\r\n";
  if (w->terminal) call3(__NR_write, OPELOG_WAITER_USER, (long)text, sizeof text - 1);
}

/* Nobody records: ask the shell to end, say so, and see to it that it does. */
static __attribute__((noreturn)) void end_session(const struct waiter* w, int say) {
  if (w->terminal) {
    kill_process(-w->shell, kSigHup);
    kill_process(-w->shell, kSigCont);
  }
  kill_process(w->shell, kSigHup);
  kill_process(w->shell, kSigCont);
  if (w->own_terminal) give_back_terminal(w);
  if (say) say_gone(w);
  struct time_spec left = {kGraceSeconds, 0}; /* the kernel writes back what remains of it */
  struct poll_entry entry = {w->signals, kPollIn, 0};
  while (ended_status(w) < 0) {
    if (kernel(__NR_ppoll, (long)&entry, 1, (long)&left, 0, 8) == 0) break;
    unsigned char drained[512];
    call3(__NR_read, w->signals, (long)drained, sizeof drained);
  }
  if (w->terminal) kill_process(-w->shell, kSigKill);
  kill_process(w->shell, kSigKill);
  let_others_open(w);
  leave(OPELOG_EXIT_UNAVAILABLE);
}

/* 1 sent, 0 no room now, -1 the connection is broken. */
static int send_frame(const void* frame, long size, int flags) {
  for (;;) {
    long n = kernel(__NR_sendto, kConnection, (long)frame, size, flags | kNoSignal, 0);
    if (n == size) return 1;
    if (n == -kAgain) return 0;
    if (n != -kInterrupted) return -1;
  }
}

static void send_resized(struct waiter* w) {
  struct opelog_resized frame = {{OPELOG_LOGIN_MAGIC, OPELOG_RESIZED}, 0, 0, 0, 0};
  if (w->own_terminal && call3(__NR_ioctl, OPELOG_WAITER_USER, kGetSize, (long)&frame.rows) < 0) {
    w->resize_owed = 0; /* it is gone */
    return;
  }
  int sent = send_frame(&frame, sizeof frame, kDontWait);
  if (sent < 0) end_session(w, 1);
  w->resize_owed = sent == 0;
}

enum heard { kNothing, kDone, kBroken };

static enum heard listen_once(int flags) {
  struct opelog_frame frame = {0, 0};
  long n = kernel(__NR_recvfrom, kConnection, (long)&frame, sizeof frame, flags, 0);
  if (n == -kAgain || n == -kInterrupted) return kNothing;
  return n == sizeof frame && frame.magic == OPELOG_LOGIN_MAGIC && frame.type == OPELOG_DONE ? kDone
                                                                                             : kBroken;
}

/* Leaves as the shell left, so that sshd and scripts see what they would have seen. */
static __attribute__((noreturn)) void leave_like(int status) {
  int number = status & 0x7f;
  if (number == 0) leave(status >> 8 & 0xff);
  struct resource_limit none = {0, 0};
  kernel(__NR_prlimit64, 0, kResourceCore, (long)&none, 0, 0);
  set_action(number, 0);
  change_mask(kUnblock, ~UINT64_C(0));
  kill_process((int)call1(__NR_getpid, 0), number);
  leave(128 + number); /* a signal that does not end us, or we are init of a namespace */
}

/* Of streams: the daemon need not wait for a slow reader, nor sshd for a background process that holds a
 * stream. */
static void go_on_copying(void) {
  struct poll_entry entries[kCopyEntries];
  if (!opelog_copy_running()) return;
  long child = kernel(__NR_clone, kSigChld, 0, 0, 0, 0);
  if (child > 0) return;
  if (child == 0) call1(__NR_close, kConnection);
  while (opelog_copy_running()) {
    opelog_copy_prepare(entries);
    long n = kernel(__NR_ppoll, (long)entries, kCopyEntries, 0, 0, 8);
    if (n < 0 && n != -kInterrupted) break; /* the user's limits; they are his streams */
    if (n > 0) opelog_copy_step(entries);
  }
  if (child == 0) leave(0);
}

static void tell_ended(int status) {
  int number = status & 0x7f;
  struct opelog_ended frame = {
      {OPELOG_LOGIN_MAGIC, OPELOG_ENDED}, number == 0, number == 0 ? status >> 8 & 0xff : number};
  send_frame(&frame, sizeof frame, 0); /* a broken connection shows when we listen */
}

static void read_signals(struct waiter* w) {
  unsigned char info[256]; /* two signalfd_siginfo of 128 bytes; the number is their first word */
  long n = call3(__NR_read, w->signals, (long)info, sizeof info);
  for (long at = 0; at + 128 <= n; at += 128)
    if (info[at] == kSigWinch) w->resize_owed = 1; /* NOLINT: the kernel filled the first n bytes */
}

static __attribute__((noreturn)) void wait_for_shell(struct waiter* w) {
  int status = -1; /* of the shell; told as soon as it is known */
  for (;;) {
    if (status < 0 && (status = ended_status(w)) >= 0) tell_ended(status);
    if (w->resize_owed && status < 0) send_resized(w);
    struct poll_entry entries[2 + kCopyEntries];
    entries[0].fd = kConnection;
    entries[0].events = (short)(kPollIn | (w->resize_owed && status < 0 ? kPollOut : 0));
    entries[1].fd = w->signals;
    entries[1].events = kPollIn;
    entries[0].returned = entries[1].returned = 0;
    opelog_copy_prepare(entries + 2);
    struct time_spec second = {1, 0};
    long n = kernel(__NR_ppoll, (long)entries, 2 + kCopyEntries,
                    opelog_copy_in_background() ? (long)&second : 0, 0, 8);
    if (n < 0 && n != -kInterrupted) { /* the user's limits: nobody can wait for his shell any more */
      if (status < 0) end_session(w, 1);
      if (w->own_terminal) give_back_terminal(w);
      leave_like(status);
    }
    if (n <= 0) continue;
    if (entries[1].returned != 0) read_signals(w);
    if ((entries[0].returned & ~kPollOut) != 0) {
      enum heard heard = listen_once(kDontWait);
      if (heard != kNothing) {
        if (status < 0) status = ended_status(w);
        if (status < 0) end_session(w, heard == kBroken); /* DONE early: the daemon has said why itself */
        if (w->own_terminal)
          give_back_terminal(w);
        else
          go_on_copying();
        /* Its master was the daemon's: a shell that ends at once when that dies may be seen first. */
        if (heard == kBroken) say_gone(w);
        let_others_open(w);
        leave_like(status);
      }
    }
    opelog_copy_step(entries + 2);
  }
}

static int parse_pid(const char* text) {
  int value = 0;
  for (; *text >= '0' && *text <= '9' && value < 100000000; ++text) value = value * 10 + (*text - '0');
  return *text == '\0' ? value : 0;
}

__attribute__((noreturn, used)) void waiter_main(long* stack) {
  long argc = stack[0];
  char** argv = (char**)(stack + 1);
  struct waiter w = {0, -1, 0, 0, 0, 0};
  if (argc < 3 || argc > 4) leave(OPELOG_EXIT_USAGE);
  w.shell = parse_pid(argv[1]);
  w.own_terminal = argv[2][0] == OPELOG_WAITER_OWN[0];
  w.terminal = w.own_terminal || argv[2][0] == OPELOG_WAITER_TAKEN[0];
  if (argc == 4) w.termios = argv[3];
  if (w.shell <= 1) leave(OPELOG_EXIT_USAGE);
  w.resize_owed = w.own_terminal; /* its size may be another by now */
  if (w.own_terminal)
    opelog_copy_set_up_terminal();
  else if (!w.terminal)
    opelog_copy_set_up(argv[2]);
  /* The shell of a command is of our process group: what is sent to the group (kill 0, sshd's signals) is for
   * it. Only SIGKILL ends us. */
  for (int number = 1; number <= kLastSignal; ++number)
    if (number != kSigChld && number != kSigWinch) set_action(number, 1);
  uint64_t mask = bit(kSigChld) | bit(kSigWinch);
  change_mask(kBlock, mask);
  w.signals = (int)kernel(__NR_signalfd4, -1, (long)&mask, 8, kNonBlock | kCloseOnExec, 0);
  if (w.signals < 0) end_session(&w, 1); /* the user's limits: no shell without somebody who waits for it */
  wait_for_shell(&w);
}
