#include "shim/process_io.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shim/text.h"

static const int touched[OPELOG_TOUCHED_SIGNALS] = {SIGHUP,  SIGINT,  SIGQUIT, SIGTSTP, SIGTTIN,
                                                    SIGTTOU, SIGPIPE, SIGCHLD, SIGWINCH};

static void set(int number, void (*handler)(int)) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  sigaction(number, &action, NULL);
}

/* Past the libc, which keeps some signals for itself: they, too, are to be as they were. */
static void change_mask(const uint64_t* to, uint64_t* old) {
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, to, old, sizeof *to);
}

bool opelog_fill_standard_descriptors(void) {
  for (;;) {
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (fd < 0) return false;
    if (fd > 2) {
      close(fd);
      return true;
    }
    fcntl(fd, F_SETFD, 0); /* a hole among 0..2: the shell shall find something there too */
  }
}

void opelog_signals_save(struct opelog_signals* saved) {
  change_mask(NULL, &saved->mask);
  for (int i = 0; i < OPELOG_TOUCHED_SIGNALS; ++i) sigaction(touched[i], NULL, &saved->actions[i]);
  set(SIGHUP, SIG_IGN);
}

void opelog_signals_restore(const struct opelog_signals* saved) {
  for (int i = 0; i < OPELOG_TOUCHED_SIGNALS; ++i) sigaction(touched[i], &saved->actions[i], NULL);
  change_mask(&saved->mask, NULL);
}

void opelog_signals_block_for_waiter(void) {
  /* Default first: with SIGCHLD ignored, as a caller may leave it, the status of the shell would be lost. */
  set(SIGCHLD, SIG_DFL);
  set(SIGWINCH, SIG_DFL);
  const uint64_t all = ~UINT64_C(0);
  change_mask(&all, NULL);
}

bool opelog_drop_group(void) {
  gid_t real = getgid();
  gid_t r = 0;
  gid_t e = 0;
  gid_t s = 0;
  return setresgid(real, real, real) == 0 && prctl(PR_SET_DUMPABLE, 0) == 0 && getresgid(&r, &e, &s) == 0 &&
         r == real && e == real && s == real;
}

ssize_t opelog_read_all(int fd, char* buffer, size_t capacity) {
  size_t length = 0;
  while (length < capacity) {
    ssize_t n = read(fd, buffer + length, capacity - length);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -1;
    if (n == 0) break;
    length += (size_t)n;
  }
  return (ssize_t)length;
}

void opelog_say(int fd, const char* text) {
  char line[8192];
  size_t length = strlen(text);
  if (length > sizeof line - 1) length = sizeof line - 1;
  memcpy(line, text, length);
  opelog_make_safe(line, length);
  if (length == 0 || line[length - 1] != '\n') line[length++] = '\n';
  for (size_t done = 0; done < length;) {
    ssize_t n = write(fd, line + done, length - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return; /* nobody listens */
    done += (size_t)n;
  }
}

void opelog_leave(int exit_code, const char* text) {
  if (text != NULL) opelog_say(2, text);
  _exit(exit_code);
}
