#include "shim/auth_log_io.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

void opelog_log_warning(const char* text) {
  const struct sockaddr_un log = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
  char line[512];
  char stamp[32] = "";
  time_t now = time(NULL);
  struct tm utc; /* readers put their own time in its place; the local one would be the user's TZ */
  if (gmtime_r(&now, &utc) != NULL) strftime(stamp, sizeof stamp, "%b %e %H:%M:%S", &utc);
  int n = snprintf(line, sizeof line, "<%d>%s opelog-shell[%d]: %s", LOG_AUTH | LOG_WARNING, stamp,
                   (int)getpid(), text);
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return;
  if (n > 0 && connect(fd, (const struct sockaddr*)&log, sizeof log) == 0)
    (void)!send(fd, line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
  close(fd);
}
