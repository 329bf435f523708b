/* The shim's own process: descriptors, signals, group, last words.
 *
 * Invariant: what the shim changes about itself is put back before the real shell starts, and the group
 * `opelog` is given up for good before anything of the user's runs.
 */
#ifndef OPELOG_SHIM_PROCESS_IO_H
#define OPELOG_SHIM_PROCESS_IO_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define OPELOG_TOUCHED_SIGNALS 9

struct opelog_signals {
  uint64_t mask; /* the kernel's: libcs hide some of it */
  struct sigaction actions[OPELOG_TOUCHED_SIGNALS];
};

/* Descriptors 0, 1 and 2 exist afterwards (/dev/null in a hole). */
bool opelog_fill_standard_descriptors(void);

/* Remembers mask and dispositions, then ignores SIGHUP: the daemon is about to hang up our terminal. */
void opelog_signals_save(struct opelog_signals* saved);
void opelog_signals_restore(const struct opelog_signals* saved);

/* Before the shell is begun: all blocked, SIGCHLD and SIGWINCH at their default, for the waiter to collect;
 * the others it will ignore, as they may be sent to the shell's process group. */
void opelog_signals_block_for_waiter(void);

/* Real, effective and saved group become the real one, and nobody may trace us nonetheless (fs.suid_dumpable
 * would let him). True only if the kernel confirms it. */
bool opelog_drop_group(void);

/* Reads `fd` to its end, or until `capacity` bytes are there: their number, or -1 with errno. */
ssize_t opelog_read_all(int fd, char* buffer, size_t capacity);

/* "text\n" to `fd`, made safe for a terminal; cut at some 8 KiB. */
void opelog_say(int fd, const char* text);

/* The same to stderr, then leaves. Never returns; no exit handlers run. */
_Noreturn void opelog_leave(int exit_code, const char* text);

#endif
