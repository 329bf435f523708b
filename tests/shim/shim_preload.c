/* What an attacker would put into LD_PRELOAD: leaves the name of every program it got into. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

__attribute__((constructor)) static void leave_a_mark(void) {
  char exe[4096];
  char mark[4200];
  ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
  if (n < 0) n = snprintf(exe, sizeof exe, "unknown");
  exe[n] = '\0';
  for (ssize_t i = 0; i < n; ++i)
    if (exe[i] == '/') exe[i] = '_';
  snprintf(mark, sizeof mark, "/mnt/opelog/home/mark%s", exe);
  int fd = open(mark, O_WRONLY | O_CREAT, 0600);
  if (fd >= 0) close(fd);
}
