#include "shim/daemon_link_io.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static int64_t now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* The kernel waits for us, at most until the deadline: a full backlog cannot be polled for. */
static bool arm(int fd, int option, int64_t deadline) {
  int64_t left = deadline - now_us();
  if (left <= 0) return false;
  struct timeval t = {.tv_sec = left / 1000000, .tv_usec = left % 1000000};
  return setsockopt(fd, SOL_SOCKET, option, &t, sizeof t) == 0;
}

static void disarm(int fd) {
  struct timeval forever = {0, 0};
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &forever, sizeof forever);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &forever, sizeof forever);
}

static bool own_fault(int err) {
  return err == EMFILE || err == ENFILE || err == ENOMEM || err == ENOBUFS || err == EACCES || err == EPERM ||
         err == ETOOMANYREFS;
}

/* Another daemon may answer: this one died with our question, or has not begun to listen. */
static bool may_come_back(int err) {
  return err == ECONNREFUSED || err == EAGAIN || err == ECONNRESET || err == EPIPE;
}

static enum opelog_link_result verdict_on(int err) {
  if (own_fault(err)) return OPELOG_LINK_OWN_FAULT;
  return may_come_back(err) ? OPELOG_LINK_BROKEN : OPELOG_LINK_UNREACHABLE;
}

static bool peer_is_root(int fd) {
  struct ucred peer;
  socklen_t size = sizeof peer;
  return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == 0;
}

static enum opelog_link_result open_link(struct opelog_link* link, int64_t deadline) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  _Static_assert(sizeof OPELOG_LOGIN_SOCKET <= sizeof address.sun_path, "OPELOG_LOGIN_SOCKET is too long");
  memcpy(address.sun_path, OPELOG_LOGIN_SOCKET, sizeof OPELOG_LOGIN_SOCKET);
  link->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (link->fd < 0) return verdict_on(errno);
  for (;;) {
    /* At least one try, whatever the clock says: a user may have stopped us until the deadline had passed. */
    if (!arm(link->fd, SO_SNDTIMEO, deadline) && !arm(link->fd, SO_SNDTIMEO, now_us() + 1000000))
      return OPELOG_LINK_OWN_FAULT;
    if (connect(link->fd, (const struct sockaddr*)&address, sizeof address) == 0) break;
    if (errno != EINTR) return verdict_on(errno);
  }
  return peer_is_root(link->fd) ? OPELOG_LINK_VERDICT : OPELOG_LINK_UNREACHABLE;
}

static enum opelog_link_result send_hello(int fd, const struct opelog_hello_facts* facts, int64_t deadline) {
  static char packet[OPELOG_MAX_FRAME];
  static const int terminal = 0;
  union {
    char bytes[CMSG_SPACE(sizeof terminal)];
    struct cmsghdr align;
  } control = {{0}};
  struct iovec part = {packet, opelog_build_hello(packet, sizeof packet, facts)};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  if (part.iov_len == 0) return OPELOG_LINK_OWN_FAULT;
  if (opelog_terminal_comes(facts->how, facts->terminals)) {
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof control.bytes;
    struct cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof terminal);
    memcpy(CMSG_DATA(header), &terminal, sizeof terminal);
  }
  for (;;) {
    if (!arm(fd, SO_SNDTIMEO, deadline))
      return OPELOG_LINK_VERDICT; /* stopped meanwhile: what has it said? */
    ssize_t n = sendmsg(fd, &message, MSG_NOSIGNAL);
    if (n == (ssize_t)part.iov_len) return OPELOG_LINK_VERDICT;
    if (n >= 0) return OPELOG_LINK_UNREACHABLE;
    /* A daemon that refuses without reading has closed already; what it said is still there to read. */
    if (errno == EPIPE || errno == ECONNRESET) return OPELOG_LINK_VERDICT;
    if (errno != EINTR) return verdict_on(errno);
  }
}

enum { kControlRoom = 8 }; /* more than any verdict carries, so that one too many is seen as such */

/* Takes every descriptor out of the message, also those of a message that will be rejected. */
static unsigned collect(struct msghdr* message, int out[kControlRoom], bool* strange) {
  unsigned count = 0;
  *strange = false;
  for (struct cmsghdr* c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
      *strange = true;
      continue;
    }
    size_t here = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < here && count < kControlRoom; ++i)
      memcpy(&out[count++], CMSG_DATA(c) + i * sizeof(int), sizeof(int));
  }
  return count;
}

static enum opelog_link_result receive_verdict(struct opelog_link* link,
                                               const struct opelog_hello_facts* facts, int64_t deadline) {
  static char packet[OPELOG_MAX_VERDICT + 1];
  union {
    char bytes[CMSG_SPACE(kControlRoom * sizeof(int))];
    struct cmsghdr align;
  } control;
  struct iovec part = {packet, sizeof packet};
  struct msghdr message;
  ssize_t n = 0;
  int resets = 0; /* closed with our HELLO unread: reported once, before what was said */
  do {
    message = (struct msghdr){.msg_iov = &part,
                              .msg_iovlen = 1,
                              .msg_control = control.bytes,
                              .msg_controllen = sizeof control.bytes};
    /* Past the deadline (stopped meanwhile) the verdict may still lie there: the daemon answers within its
     * own. */
    bool late = !arm(link->fd, SO_RCVTIMEO, deadline);
    n = recvmsg(link->fd, &message, MSG_CMSG_CLOEXEC | (late ? MSG_DONTWAIT : 0));
  } while (n < 0 && (errno == EINTR || (errno == ECONNRESET && resets++ == 0)));
  if (n < 0 && errno == EAGAIN) return OPELOG_LINK_UNREACHABLE; /* it is silent */
  if (n < 0) return verdict_on(errno);
  if (n == 0) return OPELOG_LINK_BROKEN;

  int got[kControlRoom];
  bool strange = false;
  unsigned count = collect(&message, got, &strange);
  bool cut_by_us = (message.msg_flags & MSG_CTRUNC) != 0 && count < kControlRoom;
  bool good = !strange && (message.msg_flags & (MSG_CTRUNC | MSG_TRUNC)) == 0 &&
              count <= OPELOG_MAX_VERDICT_FDS &&
              opelog_parse_verdict(packet, (size_t)n, count, facts, &link->verdict) == 0;
  for (unsigned i = 0; i < count; ++i) {
    if (good)
      link->descriptors[i] = got[i];
    else
      close(got[i]);
  }
  if (!good) return cut_by_us ? OPELOG_LINK_OWN_FAULT : OPELOG_LINK_UNREACHABLE;
  link->count = count;
  return OPELOG_LINK_VERDICT;
}

/* The deadline of the verdict counts from the first connection on. */
static enum opelog_link_result ask_once(const struct opelog_hello_facts* facts, struct opelog_link* link,
                                        int64_t* deadline, bool* connected) {
  link->fd = -1;
  link->count = 0;
  enum opelog_link_result result = open_link(link, *deadline);
  if (result == OPELOG_LINK_VERDICT && !*connected) {
    *connected = true;
    *deadline = now_us() + OPELOG_VERDICT_SECONDS * 1000000LL;
  }
  if (result == OPELOG_LINK_VERDICT) result = send_hello(link->fd, facts, *deadline);
  if (result == OPELOG_LINK_VERDICT) result = receive_verdict(link, facts, *deadline);
  if (result == OPELOG_LINK_VERDICT) {
    disarm(link->fd);
  } else if (link->fd >= 0) {
    close(link->fd);
    link->fd = -1;
  }
  return result;
}

enum opelog_link_result opelog_ask_daemon(const struct opelog_hello_facts* facts, struct opelog_link* link) {
  int64_t deadline = now_us() + OPELOG_VERDICT_SECONDS * 1000000LL;
  bool connected = false;
  /* A daemon that was killed may have left the terminal raw; the next one, or we, must find it as it was. */
  struct termios modes;
  bool terminal = opelog_terminal_comes(facts->how, facts->terminals) && tcgetattr(0, &modes) == 0;
  enum opelog_link_result result = ask_once(facts, link, &deadline, &connected);
  if (result == OPELOG_LINK_BROKEN && terminal) tcsetattr(0, TCSANOW, &modes);
  /* Asked anew once whatever the clock says: a user may have stopped us until the deadline had passed. */
  if (result == OPELOG_LINK_BROKEN && connected && now_us() >= deadline)
    deadline = now_us() + OPELOG_VERDICT_SECONDS * 1000000LL;
  for (int64_t pause = 20000; result == OPELOG_LINK_BROKEN && now_us() + pause < deadline;
       pause = pause < 100000 ? 2 * pause : 200000) {
    struct timespec t = {.tv_sec = 0, .tv_nsec = pause * 1000};
    nanosleep(&t, NULL);
    result = ask_once(facts, link, &deadline, &connected);
    if (result == OPELOG_LINK_BROKEN && terminal) tcsetattr(0, TCSANOW, &modes);
  }
  return result == OPELOG_LINK_BROKEN ? OPELOG_LINK_UNREACHABLE : result;
}

bool opelog_send_started(int fd, int pid) {
  struct opelog_started frame = {{OPELOG_LOGIN_MAGIC, OPELOG_STARTED}, pid};
  ssize_t n = 0;
  do {
    n = send(fd, &frame, sizeof frame, MSG_NOSIGNAL);
  } while (n < 0 && errno == EINTR);
  return n == (ssize_t)sizeof frame;
}
