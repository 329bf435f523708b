/* The least a user-space recorder can do: a pty relay that records nothing. bench_relay CMD ARGS... */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static void put(int fd, const char* p, ssize_t n) {
  while (n > 0) {
    const ssize_t w = write(fd, p, (size_t)n);
    if (w < 0 && errno == EINTR) continue;
    if (w < 0) _exit(1);
    p += w;
    n -= w;
  }
}

int main(int argc, char** argv) {
  if (argc < 2) return 64;
  struct termios saved, raw;
  struct winsize size;
  if (tcgetattr(0, &saved) != 0 || ioctl(0, TIOCGWINSZ, &size) != 0) return 1;
  raw = saved;
  cfmakeraw(&raw);
  tcsetattr(0, TCSANOW, &raw);
  int master;
  const pid_t child = forkpty(&master, NULL, &saved, &size);
  if (child < 0) return 1;
  if (child == 0) {
    execvp(argv[1], argv + 1);
    _exit(127);
  }
  static char buffer[65536];
  struct pollfd fds[2] = {{0, POLLIN, 0}, {master, POLLIN, 0}};
  for (;;) {
    if (poll(fds, 2, -1) < 0 && errno != EINTR) break;
    if (fds[0].revents) {
      const ssize_t n = read(0, buffer, sizeof buffer);
      if (n <= 0) break;
      put(master, buffer, n);
    }
    if (fds[1].revents) {
      const ssize_t n = read(master, buffer, sizeof buffer);
      if (n <= 0) break; /* EIO: the child has ended */
      put(1, buffer, n);
    }
  }
  int status = 0;
  waitpid(child, &status, 0);
  tcsetattr(0, TCSANOW, &saved);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
