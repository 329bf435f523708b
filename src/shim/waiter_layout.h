/* How opelog-shell hands descriptors to opelog-waiter: fixed numbers, and a word that says what they are: a
 * letter for each stream, or one for a terminal session. */
#ifndef OPELOG_SHIM_WAITER_LAYOUT_H
#define OPELOG_SHIM_WAITER_LAYOUT_H

enum {
  OPELOG_WAITER_USER = 0, /* + N: what the user passed, if we copy it; 0: his terminal; else /dev/null */
  OPELOG_WAITER_CONNECTION = 3, /* to opelogd, frames */
  OPELOG_WAITER_OUTER = 4,      /* + N: to opelogd, the user's side of stream N */
  OPELOG_WAITER_INNER = 7,      /* + N: to opelogd, the shell's side */
  OPELOG_WAITER_LINK = 10,      /* + N: to the shell */
  OPELOG_WAITER_END = 13
};

/* Letters of streams, by enum opelog_stream: none, socket, pipe, the same as 0, the same as 1, kept. */
#define OPELOG_WAITER_KINDS "-sp01----"

/* A terminal that the daemon has taken, or one that stays the user's: USER + 0 is it. For the latter OUTER +
 * 0 leads to opelogd. */
#define OPELOG_WAITER_TAKEN "t"
#define OPELOG_WAITER_OWN "r"

#endif
