/* Starts the real shell: in our place, or as the child that a waiter waits for.
 *
 * Invariant: a shell started here runs without the group `opelog`, with the signals and the environment the
 * shim was given; a recorded one has a waiter or is killed, and one whose waiter is missing is never started.
 */
#ifndef OPELOG_SHIM_LAUNCH_IO_H
#define OPELOG_SHIM_LAUNCH_IO_H

#include "shim/daemon_link_io.h"
#include "shim/environment.h"
#include "shim/invocation.h"
#include "shim/process_io.h"

struct opelog_launch {
  const struct opelog_invocation* invocation;
  struct opelog_environment environment;
  struct opelog_signals signals;
  const char* shell;   /* absolute path of the real shell */
  uint8_t streams[3];  /* enum opelog_stream of 0, 1, 2 */
  const char* termios; /* hex of the caller's terminal for the waiter to put back, or NULL */
};

/* Does `path` name opelog-shell itself? */
bool opelog_is_the_shim(const char* path);

/* In our place. Returns never: exec or exit. */
_Noreturn void opelog_run_here(struct opelog_launch* launch);

/* As a child on what the verdict brought; we become the waiter. Returns never. */
_Noreturn void opelog_run_recorded(struct opelog_launch* launch, struct opelog_link* link);

#endif
