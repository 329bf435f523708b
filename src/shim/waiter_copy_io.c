#include "shim/waiter_copy_io.h"

#include "shim/waiter_layout.h"

enum { kBuffer = 65536, kAtomic = 4096 /* PIPE_BUF: what a pipe that can be written to takes at once */ };

struct flow {
  int from, to;
  int at, filled; /* of the buffer */
  int done;
};

static struct flow flows[kCopyFlows];
static int flow_count;
static unsigned sockets;     /* bit N: descriptor N is one */
static unsigned half_closed; /* bit N: the shell shut its socket N down for writing */
static int terminal;         /* the flows are a terminal's */
static int in_background;
static int refusals;                               /* reads in a row that failed though we are not */
static unsigned char buffers[kCopyFlows][kBuffer]; /* pages that are never used are never there */

static int is_socket(int fd) {
  return (sockets >> fd & 1u) != 0;
}
static int is_daemons(int fd) {
  return fd >= OPELOG_WAITER_OUTER && fd < OPELOG_WAITER_LINK;
}
static int is_users(int fd) {
  return fd < OPELOG_WAITER_CONNECTION;
}

static void add(int from, int to) {
  struct flow* f = &flows[flow_count++];
  f->from = from;
  f->to = to;
}

void opelog_copy_set_up(const char* kinds) {
  sockets = 0x3fu << OPELOG_WAITER_OUTER;
  for (int i = 0; i < 3 && kinds[i] != '\0'; ++i) {
    int input = i == 0;
    int from = i; /* whose descriptors it uses */
    /* One socket both ways: its outputs are one. */
    if (kinds[i] == '0' && (i == 1 || kinds[1] != '0'))
      from = 0;
    else if (kinds[i] != 's' && kinds[i] != 'p')
      continue;
    int user = OPELOG_WAITER_USER + from;
    int outer = OPELOG_WAITER_OUTER + from;
    int inner = OPELOG_WAITER_INNER + from;
    int link = OPELOG_WAITER_LINK + from;
    if (kinds[i] == 's') sockets |= 1u << user | 1u << link;
    add(input ? user : outer, input ? outer : user);
    add(input ? inner : link, input ? link : inner);
  }
}

void opelog_copy_set_up_terminal(void) {
  terminal = 1;
  sockets = 1u << OPELOG_WAITER_OUTER;
  add(OPELOG_WAITER_OUTER, OPELOG_WAITER_USER);
  add(OPELOG_WAITER_USER, OPELOG_WAITER_OUTER);
}

int opelog_copy_in_background(void) {
  return in_background;
}

static int others_have_terminal(void) {
  int group = 0;
  return kernel(__NR_ioctl, OPELOG_WAITER_USER, kGetForeground, (long)&group, 0, 0) == 0 &&
         group != kernel(__NR_getpgid, 0, 0, 0, 0, 0);
}

int opelog_copy_running(void) {
  for (int i = 0; i < flow_count; ++i)
    if (!flows[i].done) return 1;
  return 0;
}

static int is_needed(int fd) {
  for (int i = 0; i < flow_count; ++i)
    if (!flows[i].done && (flows[i].from == fd || flows[i].to == fd)) return 1;
  return 0;
}

/* `how`: 0 nothing more is read, 1 nothing more is written. The user's own socket is not shut down: other
 * processes of his may go on with it, as they could after a shell that only closes it. */
static void let_go(int fd, int how) {
  if (!is_needed(fd))
    kernel(__NR_close, fd, 0, 0, 0, 0);
  else if (!is_users(fd))
    kernel(__NR_shutdown, fd, how, 0, 0, 0);
}

/* Of a terminal's flows: it is gone, or opelogd has sent the last byte and that has been shown. Both are
 * over, and that ours ends tells opelogd which it was. */
static void finish_terminal(void) {
  flows[0].done = flows[1].done = 1;
  kernel(__NR_close, OPELOG_WAITER_OUTER, 0, 0, 0, 0);
}

static void finish(struct flow* f) {
  if (terminal) {
    finish_terminal();
    return;
  }
  f->done = 1;
  let_go(f->to, 1);
  let_go(f->from, 0);
}

/* All output has gone to the user's end. If that is his input as well: the shell has shut its socket down for
 * writing, and so his is; or all who had it have closed it, so that nobody reads from it either. */
static void finish_output(struct flow* f) {
  int user = f->to;
  finish(f);
  if (!is_needed(user)) return;
  if ((half_closed >> (user - OPELOG_WAITER_USER) & 1u) != 0) {
    kernel(__NR_shutdown, user, 1, 0, 0, 0);
    return;
  }
  for (int i = 0; i < flow_count; ++i)
    if (!flows[i].done && flows[i].from == user) finish(&flows[i]);
}

/* Nothing can be written any more. An opelogd that takes nothing has perhaps sent something. */
static void lose_sink(struct flow* f) {
  if (terminal && f->to == OPELOG_WAITER_OUTER)
    f->done = 1;
  else
    finish(f);
}

/* What a read from a terminal that gave nothing means: only a hang-up is its end. In the background it is an
 * error; and others can set it so that there is an end of file, or nothing, to read. */
static void read_nothing(long n, short returned) {
  int gone = (returned & (kPollError | kPollHangUp)) != 0 || (n < 0 && n != -kIoError);
  if (!gone && n < 0) {
    in_background = others_have_terminal();
    gone = !in_background && ++refusals > 1; /* once: it may have been handed to us just now */
  }
  if (gone) finish_terminal();
}

static void write_some(struct flow* f) {
  const unsigned char* bytes = buffers[f - flows] + f->at;
  long size = f->filled - f->at;
  if (is_users(f->to) && !is_socket(f->to) && size > kAtomic) size = kAtomic;
  long n = is_socket(f->to) ? kernel(__NR_sendto, f->to, (long)bytes, size, kDontWait | kNoSignal, 0)
                            : kernel(__NR_write, f->to, (long)bytes, size, 0, 0);
  if (n == -kAgain || n == -kInterrupted) return;
  if (n < 0) {
    lose_sink(f);
    return;
  }
  f->at += (int)n;
  if (f->at == f->filled) f->at = f->filled = 0;
}

/* `returned`: by the poll. */
static void read_some(struct flow* f, short returned) {
  unsigned char* bytes = buffers[f - flows];
  long n = is_socket(f->from) ? kernel(__NR_recvfrom, f->from, (long)bytes, kBuffer, kDontWait, 0)
                              : kernel(__NR_read, f->from, (long)bytes, kBuffer, 0, 0);
  if (n == -kAgain || n == -kInterrupted) return;
  if (n <= 0 && terminal && is_users(f->from)) {
    read_nothing(n, returned);
    return;
  }
  if (n <= 0) { /* nothing waits: the buffer is empty when we read */
    if (f->from >= OPELOG_WAITER_LINK && (returned & kPollHangUp) == 0)
      half_closed |= 1u << (f->from - OPELOG_WAITER_LINK);
    if (is_users(f->to))
      finish_output(f);
    else
      finish(f);
    return;
  }
  f->filled = (int)n;
  refusals = 0;
  /* A pipe of the user's may block: only after a poll. */
  if (!is_users(f->to) || is_socket(f->to)) write_some(f);
}

void opelog_copy_prepare(struct poll_entry* entries) {
  if (in_background) in_background = others_have_terminal();
  for (int i = 0; i < kCopyFlows; ++i) {
    struct poll_entry* from = &entries[2 * i];
    struct poll_entry* to = &entries[2 * i + 1];
    from->fd = to->fd = -1;
    from->events = to->events = from->returned = to->returned = 0;
    if (i >= flow_count || flows[i].done) continue;
    if (flows[i].at < flows[i].filled) {
      to->fd = flows[i].to;
      to->events = kPollOut;
      continue;
    }
    from->fd = flows[i].from;
    from->events = in_background && is_users(flows[i].from) ? 0 : kPollIn;
    /* For its hang-up: opelogd wants no more, or nobody is there any more to read what the user passed. */
    if (is_daemons(flows[i].to) || is_users(flows[i].to)) to->fd = flows[i].to;
  }
}

void opelog_copy_step(const struct poll_entry* entries) {
  for (int i = 0; i < flow_count; ++i) {
    struct flow* f = &flows[i];
    if (f->done) continue;
    if (f->at < f->filled) {
      if (entries[2 * i + 1].returned != 0) write_some(f);
    } else if (entries[2 * i + 1].returned != 0) {
      lose_sink(f);
    } else if (entries[2 * i].returned != 0) {
      read_some(f, entries[2 * i].returned);
    }
  }
}
