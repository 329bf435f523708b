#include "shim/terminal_io.h"

#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <fcntl.h>
#include <stddef.h>
#include <unistd.h>

/* From <sys/ioctl.h> and <asm/termios.h>, which define a second struct termios. */
extern int ioctl(int fd, unsigned long request, ...);
struct size {
  unsigned short rows, cols, x, y;
};

static struct termios found;
static bool is_found;

const char* opelog_read_terminal(uint16_t* rows, uint16_t* cols) {
  static char hex[2 * sizeof(struct termios) + 1];
  *rows = *cols = 0;
  for (int fd = 0; fd < 3; ++fd) {
    if (ioctl(fd, TCGETS, &found) != 0) continue;
    is_found = true;
    struct size size = {0, 0, 0, 0};
    if (ioctl(fd, TIOCGWINSZ, &size) == 0) {
      *rows = size.rows;
      *cols = size.cols;
    }
    const unsigned char* bytes = (const unsigned char*)&found;
    for (size_t i = 0; i < sizeof found; ++i) {
      hex[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
      hex[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
    }
    hex[2 * sizeof found] = '\0';
    return hex;
  }
  return NULL;
}

void opelog_apply_terminal(int fd) {
  if (is_found) ioctl(fd, TCSETS, &found);
}

/* As cfmakeraw(3). */
void opelog_make_raw(int fd) {
  if (!is_found) return;
  struct termios raw = found;
  raw.c_iflag &= ~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
  raw.c_oflag &= ~(tcflag_t)OPOST;
  raw.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
  raw.c_cflag &= ~(tcflag_t)(CSIZE | PARENB);
  raw.c_cflag |= CS8;
  raw.c_cc[VMIN] = 1;
  raw.c_cc[VTIME] = 0;
  ioctl(fd, TCSETS, &raw);
}

int opelog_reopen_terminal(void) {
  static const char* const paths[] = {"/proc/self/fd/0", "/dev/tty"};
  for (int i = 0; i < 2; ++i) {
    int fd = open(paths[i], O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) continue;
    unsigned ours = 0;
    unsigned given = 0;
    if (ioctl(fd, TIOCGDEV, &ours) == 0 && ioctl(0, TIOCGDEV, &given) == 0 && ours == given) return fd;
    close(fd);
  }
  return -1;
}
