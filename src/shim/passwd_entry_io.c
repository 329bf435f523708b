#include "shim/passwd_entry_io.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/passwd_entry.h"
#include "shim/process_io.h"

static _Noreturn void become_getent(int output) {
  char uid[16];
  snprintf(uid, sizeof uid, "%u", (unsigned)getuid());
  char* const arguments[] = {"getent", "passwd", uid, NULL};
  char* const environment[] = {NULL};
  if (dup2(output, 1) == 1) execve("/usr/bin/getent", arguments, environment);
  _exit(127);
}

bool opelog_ask_passwd_shell(char shell[OPELOG_MAX_PATH + 1]) {
  char answer[2 * OPELOG_MAX_PATH];
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return false;
  signal(SIGCHLD, SIG_DFL); /* ignored, as a caller may leave it, it would cost us the status */
  pid_t child = fork();
  if (child == 0) become_getent(ends[1]);
  close(ends[1]);
  ssize_t length = child > 0 ? opelog_read_all(ends[0], answer, sizeof answer) : -1;
  close(ends[0]);
  int status = -1;
  while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return status == 0 && length > 0 && (size_t)length < sizeof answer &&
         opelog_shell_of_entry(answer, (size_t)length, getuid(), shell);
}
