/* What the shim tells and keeps about the terminal it was started on, and does to one that stays the user's.
 *
 * In a file of its own because the kernel's struct termios, which the waiter uses without a libc, cannot
 * meet the libc's in one source file.
 */
#ifndef OPELOG_SHIM_TERMINAL_IO_H
#define OPELOG_SHIM_TERMINAL_IO_H

#include <stdbool.h>
#include <stdint.h>

/* Size of the first terminal among 0, 1, 2, and its settings as hex digits of the kernel's struct, for the
 * waiter to put back. NULL and 0, 0 without a terminal. Static storage. */
const char* opelog_read_terminal(uint16_t* rows, uint16_t* cols);

/* The settings that were read, on another terminal or on the same again; none were: nothing is changed. */
void opelog_apply_terminal(int fd);
/* Every byte as it comes: the terminal inside does what the settings ask for. Blocked signals are not waited
 * for: also from the background, where SIGTTOU would stop us. */
void opelog_make_raw(int fd);

/* The terminal that 0 is, with an open description of our own that does not block: O_NONBLOCK on 0 would be
 * on whatever else the user has it open with. By its path, or where that is not his to open (after su) as our
 * controlling terminal. Close-on-exec; -1: neither. */
int opelog_reopen_terminal(void);

#endif
