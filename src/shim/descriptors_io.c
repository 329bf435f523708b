#include "shim/descriptors_io.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "shim/terminal_io.h"
#include "shim/waiter_layout.h"

static bool is_socket(int fd) {
  int type = 0;
  socklen_t size = sizeof type;
  return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
}

/* Whether it can be read (0) or written (1, 2). */
static bool has_its_direction(int fd) {
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || (flags & O_PATH) != 0) return false;
  int access = flags & O_ACCMODE;
  return access == O_RDWR || access == (fd == 0 ? O_RDONLY : O_WRONLY);
}

/* What is left to the shell, for the record. */
static uint8_t kept_kind(int fd, const struct stat* s) {
  if (S_ISREG(s->st_mode)) return OPELOG_STREAM_KEPT_FILE;
  if (S_ISCHR(s->st_mode) && isatty(fd) == 1) return OPELOG_STREAM_KEPT_TERMINAL;
  return S_ISCHR(s->st_mode) || S_ISBLK(s->st_mode) ? OPELOG_STREAM_KEPT_DEVICE : OPELOG_STREAM_KEPT_OTHER;
}

static uint8_t kind_of(int fd, const struct stat* s) {
  if (S_ISFIFO(s->st_mode) && has_its_direction(fd)) return OPELOG_STREAM_PIPE;
  if (S_ISSOCK(s->st_mode) && has_its_direction(fd) && is_socket(fd)) return OPELOG_STREAM_SOCKET;
  return kept_kind(fd, s);
}

/* What the daemon will take for one (record/terminal_check_io.h). */
static bool is_terminal(int fd, const struct stat* s) {
  return S_ISCHR(s->st_mode) && opelog_is_terminal_major(major(s->st_rdev)) &&
         (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR && isatty(fd) == 1;
}

void opelog_look_at_descriptors(struct opelog_hello_facts* facts) {
  struct stat s[3] = {{0}};
  for (int fd = 0; fd < 3; ++fd)
    if (fstat(fd, &s[fd]) != 0) s[fd].st_mode = 0;
  facts->terminals = 0;
  if (is_terminal(0, &s[0]))
    for (int fd = 0; fd < 3; ++fd)
      if (S_ISCHR(s[fd].st_mode) && s[fd].st_rdev == s[0].st_rdev) facts->terminals |= (uint8_t)(1u << fd);
  for (int fd = 0; fd < 3; ++fd) {
    uint8_t* stream = &facts->streams[fd];
    if (facts->terminals != 0) { /* what is beside the terminal is not relayed */
      *stream = (facts->terminals >> fd & 1u) != 0 ? OPELOG_STREAM_NONE : kept_kind(fd, &s[fd]);
      continue;
    }
    *stream = kind_of(fd, &s[fd]);
    for (int other = 0; other < fd; ++other) {
      /* A pipe has a direction: what is read from and what is written to are two streams all the same. */
      if (facts->streams[other] == *stream && opelog_is_relayed(*stream) && s[other].st_dev == s[fd].st_dev &&
          s[other].st_ino == s[fd].st_ino && (*stream == OPELOG_STREAM_SOCKET || other > 0))
        *stream = (uint8_t)(OPELOG_STREAM_AS_0 + other);
    }
  }
}

/* To a number above the waiter's; closes the old one. */
static bool move_up(int* fd) {
  int high = fcntl(*fd, F_DUPFD_CLOEXEC, OPELOG_WAITER_END);
  if (high < 0) return false;
  close(*fd);
  *fd = high;
  return true;
}

/* What the shell gets, of the kind it was, and the waiter's end of it. */
static bool make_link(int fd, bool socket, struct opelog_stream_ends* ends) {
  int both[2];
  if (socket ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both) != 0 : pipe2(both, O_CLOEXEC) != 0)
    return false;
  ends->shell = both[fd == 0 ? 0 : 1];
  ends->link = both[fd == 0 ? 1 : 0];
  return fcntl(ends->link, F_SETFL, fcntl(ends->link, F_GETFL) | O_NONBLOCK) == 0 && move_up(&ends->shell) &&
         move_up(&ends->link);
}

/* One the daemon has taken: nobody but it can open that any more, and the waiter may have to say why it ends.
 */
static bool prepare_taken(const struct opelog_link* link, struct opelog_handover* handover) {
  handover->terminal = fcntl(link->descriptors[1], F_DUPFD_CLOEXEC, OPELOG_WAITER_END);
  return handover->terminal >= 0;
}

static bool prepare_own(struct opelog_link* link, struct opelog_handover* handover) {
  handover->terminal = opelog_reopen_terminal();
  if (handover->terminal < 0)
    handover->terminal = 0; /* to write to it may wait; that is the user's own session alone */
  else if (!move_up(&handover->terminal))
    return false;
  handover->terminal_link = link->descriptors[1];
  return move_up(&handover->terminal_link);
}

bool opelog_prepare_handover(const uint8_t streams[3], enum opelog_outside outside, struct opelog_link* link,
                             struct opelog_handover* handover) {
  unsigned next = 0;
  handover->streams = streams;
  handover->terminal = handover->terminal_link = -1;
  handover->null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (handover->null < 0 || !move_up(&handover->null) || !move_up(&link->fd)) return false;
  handover->connection = link->fd;
  if (outside == OPELOG_OUTSIDE_TAKEN && !prepare_taken(link, handover)) return false;
  if (outside == OPELOG_OUTSIDE_OWN && !prepare_own(link, handover)) return false;
  for (int fd = 0; fd < 3; ++fd) {
    struct opelog_stream_ends* ends = &handover->ends[fd];
    *ends = (struct opelog_stream_ends){-1, -1, -1, -1};
    if (!opelog_is_relayed(streams[fd])) continue;
    ends->inner = link->descriptors[next++];
    ends->outer = link->descriptors[next++];
    if (!move_up(&ends->inner) || !move_up(&ends->outer)) return false;
    if (!make_link(fd, streams[fd] == OPELOG_STREAM_SOCKET, ends)) return false;
  }
  return true;
}

bool opelog_take_streams(const struct opelog_handover* handover) {
  for (int fd = 0; fd < 3; ++fd) {
    int from = handover->ends[fd].shell;
    if (handover->streams[fd] == OPELOG_STREAM_AS_0 || handover->streams[fd] == OPELOG_STREAM_AS_1)
      from = handover->streams[fd] - OPELOG_STREAM_AS_0; /* which is new already */
    if (from >= 0 && dup2(from, fd) < 0) return false;
  }
  return true;
}

/* Nothing above `first` stays open over an exec. */
static void close_from(unsigned first) {
  if (syscall(SYS_close_range, first, ~0u, 0) == 0 || errno != ENOSYS) return;
  struct rlimit limit;
  unsigned end =
      getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 65536 ? (unsigned)limit.rlim_cur : 65536;
  for (unsigned fd = first; fd < end; ++fd) close((int)fd);
}

bool opelog_arrange_for_waiter(const struct opelog_handover* handover, char kinds[4]) {
  int from[OPELOG_WAITER_END];
  for (int i = 0; i < OPELOG_WAITER_END; ++i) from[i] = i < OPELOG_WAITER_CONNECTION ? handover->null : -1;
  from[OPELOG_WAITER_CONNECTION] = handover->connection;
  if (handover->terminal >= 0) {
    from[OPELOG_WAITER_USER] = handover->terminal;
    from[OPELOG_WAITER_OUTER] = handover->terminal_link; /* of his own only */
  }
  for (int fd = 0; fd < 3; ++fd) {
    kinds[fd] = OPELOG_WAITER_KINDS[handover->streams[fd]];
    if (!opelog_is_relayed(handover->streams[fd])) continue;
    from[OPELOG_WAITER_USER + fd] = OPELOG_WAITER_USER + fd; /* stays */
    from[OPELOG_WAITER_OUTER + fd] = handover->ends[fd].outer;
    from[OPELOG_WAITER_INNER + fd] = handover->ends[fd].inner;
    from[OPELOG_WAITER_LINK + fd] = handover->ends[fd].link;
  }
  kinds[3] = '\0';
  for (int to = 0; to < OPELOG_WAITER_END; ++to) {
    if (from[to] < 0)
      close(to);
    else if (from[to] != to && dup2(from[to], to) < 0)
      return false;
  }
  close_from(OPELOG_WAITER_END);
  return true;
}
