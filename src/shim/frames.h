/* The shim's half of the login protocol: HELLO as bytes, VERDICT from bytes. Pure.
 *
 * record/login_protocol.h is the contract, docs/formats/login-protocol.md the reference. The daemon's
 * half is record/login_message.h.
 */
#ifndef OPELOG_SHIM_FRAMES_H
#define OPELOG_SHIM_FRAMES_H

#include <stddef.h>
#include <stdint.h>

#include "record/login_protocol.h"

/* Strings may be NULL: not set. */
struct opelog_hello_facts {
  uint32_t how;
  uint16_t rows, cols;
  uint8_t terminals, streams[3]; /* as in struct opelog_hello */
  const char* term;
  const char* command;
  const char* original; /* SSH_ORIGINAL_COMMAND */
  const char* claim;    /* SSH_CONNECTION */
};

/* HELLO into `out`; its length, or 0 if it does not fit into `capacity` or the command is longer than
 * execve could have delivered. TERM and claim that are not printable ASCII are left out, and cut at their
 * bounds; `original` is cut to the room that is left. Nobody's login may fail for any of these. */
size_t opelog_build_hello(char* out, size_t capacity, const struct opelog_hello_facts* facts);

#define OPELOG_MAX_VERDICT \
  (sizeof(struct opelog_verdict) + OPELOG_MAX_PATH + OPELOG_MAX_MESSAGE + OPELOG_MAX_SESSION)
#define OPELOG_MAX_VERDICT_FDS 6u

/* A verdict that obeys every rule. Strings are NUL-terminated copies. */
struct opelog_verdict_facts {
  uint32_t action, exit_code, replace, recorded;
  char shell[OPELOG_MAX_PATH + 1];
  char message[OPELOG_MAX_MESSAGE + 1];
  char session[OPELOG_MAX_SESSION + 1];
};

/* Exact lengths, exact number of descriptors, known action, absolute shell path, no NULs, an answer to what
 * `asked` says. 0 or -1. */
int opelog_parse_verdict(const char* packet, size_t length, size_t descriptors,
                         const struct opelog_hello_facts* asked, struct opelog_verdict_facts* out);

#endif
