/* What the shim tells and keeps about the terminal it was started on.
 *
 * In a file of its own because the kernel's struct termios, which the waiter uses without a libc, cannot
 * meet the libc's in one source file.
 */
#ifndef OPELOG_SHIM_TERMINAL_IO_H
#define OPELOG_SHIM_TERMINAL_IO_H

#include <stdint.h>

/* Size of the first terminal among 0, 1, 2, and its settings as hex digits of the kernel's struct, for the
 * waiter to put back should the daemon vanish. NULL and 0, 0 without a terminal. Static storage. */
const char* opelog_read_terminal(uint16_t* rows, uint16_t* cols);

#endif
