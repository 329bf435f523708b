/* The other end of a socket in tests: connects as whoever it was started, from as deep as it is told, and
 * stays until the test closes.
 *
 *   peer_probe [name NAME] [depth N] [daemonise] connect SOCKET [TEXT...]
 *
 * name: its comm; depth: forks N times, each parent waits for its child; daemonise: its parent leaves first.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* The child returns, the parent waits and leaves with its status. */
static void descend(void) {
  const pid_t child = fork();
  if (child == 0) return;
  int status = 1;
  waitpid(child, &status, 0);
  _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

int main(int argc, char** argv) {
  int i = 1;
  for (; i + 1 < argc && strcmp(argv[i], "connect") != 0; ++i) {
    if (strcmp(argv[i], "name") == 0) {
      prctl(PR_SET_NAME, argv[++i]);
    } else if (strcmp(argv[i], "depth") == 0) {
      for (int depth = atoi(argv[++i]); depth > 0; --depth) descend();
    } else if (strcmp(argv[i], "daemonise") == 0) {
      const pid_t parent = getpid();
      if (fork() != 0) _exit(0);
      while (getppid() == parent) usleep(1000);
    }
  }
  if (i + 1 >= argc) return 64;
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  strncpy(name.sun_path, argv[i + 1], sizeof name.sun_path - 1);
  const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (connect(fd, (struct sockaddr*)&name, sizeof name) != 0) {
    perror(argv[i + 1]);
    return 1;
  }
  char text[4096] = "";
  for (int j = i + 2; j < argc; ++j) {
    strncat(text, argv[j], sizeof text - strlen(text) - 2);
    if (j + 1 < argc) strcat(text, " ");
  }
  if (send(fd, text, strlen(text) + 1, 0) < 0) return 1;
  char answer[16];
  while (recv(fd, answer, sizeof answer, 0) > 0) {
  }
  return 0;
}
