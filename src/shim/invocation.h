/* How opelog-shell was started: its argument list as one value. Pure.
 *
 * sshd, su, login and sudo start a login shell in a handful of ways; each must reach the real shell
 * unchanged. Nothing here decides whether to record: that is the daemon's.
 * The pointers lend from argv, which lives as long as the process.
 */
#ifndef OPELOG_SHIM_INVOCATION_H
#define OPELOG_SHIM_INVOCATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum opelog_start {
  OPELOG_START_SESSION, /* `how` says which kind */
  OPELOG_START_HELP,
  OPELOG_START_VERSION,
  OPELOG_START_USAGE /* arguments nobody sends us: say so and leave */
};

struct opelog_invocation {
  enum opelog_start start;
  uint32_t how;            /* enum opelog_how */
  bool login;              /* the real shell gets the leading '-' of a login shell */
  const char* command;     /* -c CMD; FORCE: SSH_ORIGINAL_COMMAND, filled in by the caller; else NULL */
  char* const* arguments;  /* COMMAND: what follows argv[0], as it came; REC: the words to run; else NULL */
  char* const* positional; /* COMMAND: what follows CMD ($0, $1, … of the command); else NULL */
};

struct opelog_invocation opelog_parse_invocation(int argc, char* const argv[]);

/* The argument list of the real shell at `path`, NULL-terminated; the list and its first string are from
 * malloc, the others borrowed. NULL without memory. REC with words is not started through this. */
char** opelog_shell_arguments(const struct opelog_invocation* invocation, const char* path);

#endif
