/* The waiter's copying: in a session without a terminal between what the user passed and opelogd's sockets,
 * and between the shell and these; in one whose terminal stays the user's between that and opelogd's socket.
 *
 * Only here is a descriptor used that the user or his programs hold; whoever makes a call on it wait, or
 * sends something strange over it, makes his own waiter wait. A flow holds one buffer; while it is not empty
 * its source is not read. An end is passed on as soon as what came before it has gone;
 * what the user passed is closed as the shell would have closed it, and shut down only if the shell did that;
 * a terminal stays open, because its settings are still to be put back.
 */
#ifndef OPELOG_SHIM_WAITER_COPY_IO_H
#define OPELOG_SHIM_WAITER_COPY_IO_H

#include "shim/waiter_kernel_io.h"

enum { kCopyFlows = 6, kCopyEntries = 2 * kCopyFlows };

/* `kinds`: a letter for each stream (waiter_layout.h). */
void opelog_copy_set_up(const char* kinds);
void opelog_copy_set_up_terminal(void);
/* What to poll for: kCopyEntries of them, unused ones with descriptor -1. */
void opelog_copy_prepare(struct poll_entry* entries);
/* What the poll returned: each flow moves at most one buffer. */
void opelog_copy_step(const struct poll_entry* entries);
int opelog_copy_running(void);
/* Another process group has the terminal, so that nothing may be read from it. Nobody tells when that is
 * over: prepare anew after a second. */
int opelog_copy_in_background(void);

#endif
