/* The environment as the kernel gave it. Pure.
 *
 * A setgid program's libc removes LD_PRELOAD, TMPDIR and the like from `environ`, rightly: they must not
 * act on us. The user's shell must have them all the same, or a login would differ from one without
 * opelog. The strings themselves stay on the initial stack, between the last argument and the name of
 * the program; this rebuilds the list from there.
 */
#ifndef OPELOG_SHIM_ENVIRONMENT_H
#define OPELOG_SHIM_ENVIRONMENT_H

#include <stddef.h>

struct opelog_environment {
  char** list; /* NULL-terminated; the strings are borrowed */
  size_t count, capacity;
};

/* Room for setting variables later without allocating. */
#define OPELOG_ENVIRONMENT_SPARE 4u

/* Every NUL-terminated string in [first, end). 0, or -1 without memory or if the last one is not terminated.
 */
int opelog_environment_from_block(struct opelog_environment* environment, char* first, const char* end);

/* A copy of a list such as `environ`, for when the block cannot be found. 0 or -1. */
int opelog_environment_from_list(struct opelog_environment* environment, char* const* list);

/* The value of the first NAME=, or NULL. */
const char* opelog_environment_get(const struct opelog_environment* environment, const char* name);

/* `assignment` ("NAME=VALUE", kept, not copied) in the place of the first NAME=, or at the end. 0, or -1 if
 * full. */
int opelog_environment_set(struct opelog_environment* environment, char* assignment);

#endif
