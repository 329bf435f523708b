/* What the shim was given as 0, 1, 2, and how they are handed on where the waiter copies: in a session
 * without a terminal, and in one whose terminal stays the user's.
 *
 * Invariant: a descriptor of the user's never leaves his own processes, but for a terminal that is taken out
 * of his hands. The daemon has sockets of its own making; the waiter copies between these and what the user
 * passed.
 */
#ifndef OPELOG_SHIM_DESCRIPTORS_IO_H
#define OPELOG_SHIM_DESCRIPTORS_IO_H

#include <stdbool.h>

#include "shim/daemon_link_io.h"
#include "shim/frames.h"

/* Fills `terminals` and `streams`. */
void opelog_look_at_descriptors(struct opelog_hello_facts* facts);

/* Where a stream's ends are, for both sides of the fork; -1: none. */
struct opelog_stream_ends {
  int shell; /* becomes the shell's 0, 1 or 2 */
  int link;  /* the other end of it, the waiter's */
  int inner; /* to the daemon, on the shell's side */
  int outer; /* to the daemon, on the user's side */
};
struct opelog_handover {
  const uint8_t* streams; /* enum opelog_stream of 0, 1, 2 */
  struct opelog_stream_ends ends[3];
  int terminal, terminal_link; /* what he sits at; if it stays his, to the daemon; -1: none */
  int connection;
  int null; /* /dev/null */
};

/* The terminal of a session: of a command there is none; the daemon has taken it; it stays the user's. */
enum opelog_outside { OPELOG_OUTSIDE_NONE, OPELOG_OUTSIDE_TAKEN, OPELOG_OUTSIDE_OWN };

/* Before the fork, so that a lack of descriptors shows while there is no shell: all out of the way of 0, 1, 2
 * and the waiter's numbers, but for a terminal that cannot be opened anew, which stays 0. The shell gets a
 * socket for a socket and a pipe for a pipe, so that /dev/stdout can be opened by name as before, and never
 * one of the daemon's: it could send descriptors over it. False: no descriptors left. `link` has given away
 * what is the waiter's. */
bool opelog_prepare_handover(const uint8_t streams[3], enum opelog_outside outside, struct opelog_link* link,
                             struct opelog_handover* handover);

/* In the child. */
bool opelog_take_streams(const struct opelog_handover* handover);

/* In the waiter: everything to its place (waiter_layout.h), what has none is closed. `kinds` gets a letter a
 * stream for its command line. */
bool opelog_arrange_for_waiter(const struct opelog_handover* handover, char kinds[4]);

#endif
