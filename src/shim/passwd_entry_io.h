/* Asks the host who this user is.
 *
 * By getent(1), not by getpwuid(3): the answer comes from whatever the host is set up to ask (nsswitch.conf),
 * which only the host's own libc can load.
 */
#ifndef OPELOG_SHIM_PASSWD_ENTRY_IO_H
#define OPELOG_SHIM_PASSWD_ENTRY_IO_H

#include <stdbool.h>

#include "record/login_protocol.h"

/* The shell of the real uid's passwd entry. False: there is none, or nobody could be asked. To be called
 * without the group, for another program is run; SIGCHLD is at its default afterwards. */
bool opelog_ask_passwd_shell(char shell[OPELOG_MAX_PATH + 1]);

#endif
