/* Stands for sshd above a login, in the benchmarks: `sshd CMD ARGS...` starts it as leader of the session of
 * the terminal on descriptor 0, and waits. Static and small, the same for whatever is measured. opelog keeps
 * over a restart what begins below a program of this name. */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char** argv) {
  if (argc < 2) return 64;
  const pid_t child = vfork();
  if (child < 0) return 1;
  if (child == 0) {
    setsid();
    ioctl(0, TIOCSCTTY, 0);
    execvp(argv[1], argv + 1);
    _exit(127);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
