/* A line of passwd(5), as getent(1) prints it.
 *
 * Invariant: what is found is an absolute path and belongs to the uid that was asked for; anything else is no
 * entry.
 */
#ifndef OPELOG_SHIM_PASSWD_ENTRY_H
#define OPELOG_SHIM_PASSWD_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record/login_protocol.h"

/* The shell of the entry NAME:…:UID:GID:GECOS:HOME:SHELL and a newline; an empty
 * field means /bin/sh. False: `text` is not one whole line, not of `uid`, or its shell is no absolute path of
 * at most OPELOG_MAX_PATH bytes. */
bool opelog_shell_of_entry(const char* text, size_t length, uint32_t uid, char shell[OPELOG_MAX_PATH + 1]);

#endif
