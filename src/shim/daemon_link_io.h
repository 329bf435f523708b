/* One question to the daemon: connect, HELLO, VERDICT, within a bounded time.
 *
 * A daemon that dies or is restarted before it has answered is no answer: the next one is asked, within the
 * same time. Nothing is asked twice once a byte of a verdict has come.
 * Every way it can go wrong is told apart, because the fallback may let a login pass when the daemon is
 * absent, but never because the user starved his own shim of descriptors.
 */
#ifndef OPELOG_SHIM_DAEMON_LINK_IO_H
#define OPELOG_SHIM_DAEMON_LINK_IO_H

#include <stdbool.h>

#include "shim/frames.h"

/* From the first connection to the verdict. Longer than a restart of the daemon takes (its listening socket
 * stays), shorter than the patience of somebody who logs in. */
#define OPELOG_VERDICT_SECONDS 15

enum opelog_link_result {
  OPELOG_LINK_VERDICT,
  OPELOG_LINK_UNREACHABLE, /* no socket, nobody listens, no answer in time, or no answer that makes sense */
  OPELOG_LINK_BROKEN,      /* never returned: no verdict, but the next daemon may give one */
  OPELOG_LINK_OWN_FAULT /* our own limits or a lost setgid: the daemon may be well, so no fallback applies */
};

struct opelog_link {
  int fd; /* close-on-exec; -1 if not connected */
  struct opelog_verdict_facts verdict;
  int descriptors[OPELOG_MAX_VERDICT_FDS]; /* close-on-exec, all above 2 */
  unsigned count;
};

enum opelog_link_result opelog_ask_daemon(const struct opelog_hello_facts* facts, struct opelog_link* link);

/* The process that becomes the shell exists: its pid. False if the daemon is gone. */
bool opelog_send_started(int fd, int pid);

#endif
