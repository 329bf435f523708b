/* How opelog-shell hands descriptors to opelog-waiter: fixed numbers, and a letter for each stream. */
#ifndef OPELOG_SHIM_WAITER_LAYOUT_H
#define OPELOG_SHIM_WAITER_LAYOUT_H

enum {
  OPELOG_WAITER_USER = 0,       /* + N: what the user passed, if it is relayed; else /dev/null */
  OPELOG_WAITER_CONNECTION = 3, /* to opelogd, frames */
  OPELOG_WAITER_OUTER = 4,      /* + N: to opelogd, the user's side of stream N */
  OPELOG_WAITER_INNER = 7,      /* + N: to opelogd, the shell's side, if the shell has a pipe */
  OPELOG_WAITER_PIPE = 10,      /* + N: that pipe */
  OPELOG_WAITER_END = 13
};

/* Letters of streams: '-' kept, 's' socket, 'p' pipe, '0' and '1' the same as that one. */

#endif
