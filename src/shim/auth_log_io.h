/* One line to the host's log, facility auth, and never a wait for it: syslog(3) would block a login for as
 * long as the log's reader is stuck, and the break-glass group exists for exactly such days.
 */
#ifndef OPELOG_SHIM_AUTH_LOG_IO_H
#define OPELOG_SHIM_AUTH_LOG_IO_H

/* Lost if nobody reads /dev/log or its queue is full; whoever logs in is told on the terminal all the same.
 */
void opelog_log_warning(const char* text);

#endif
