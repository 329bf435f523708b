/* What the policy says for the time when the daemon cannot be asked. Pure.
 *
 * opelogd writes the file (0640 root:opelog) whenever it loads a policy:
 *
 *   opelog-fallback 1
 *   absent refuse|pass          what happens to a target; refuse without this line
 *   breakglass GID              members pass whatever follows
 *   shell UID /path             the real shell of an enrolled user
 *   uid FIRST LAST refuse|pass  the first range that holds the uid decides: refuse = a target
 *   end                         a file without it was cut: malformed
 *
 * LF only, fields separated by one blank, each of the first two lines at most once.
 * docs/formats/login-protocol.md.
 */
#ifndef OPELOG_SHIM_FALLBACK_H
#define OPELOG_SHIM_FALLBACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record/login_protocol.h"

#define OPELOG_MAX_FALLBACK (1u << 20) /* bytes: some 30,000 lines; a longer file is malformed */

struct opelog_person {
  uint32_t uid, gid; /* real */
  const uint32_t* groups;
  size_t group_count; /* supplementary; the setgid group must not be among them */
};

enum opelog_fallback_verdict {
  OPELOG_FALLBACK_REFUSE,
  OPELOG_FALLBACK_NOT_A_TARGET, /* pass; nothing to say */
  OPELOG_FALLBACK_BREAK_GLASS,  /* pass; say and log it */
  OPELOG_FALLBACK_ABSENT_PASS   /* pass: a target, but the policy lets it; say and log it */
};

struct opelog_fallback_answer {
  enum opelog_fallback_verdict verdict;
  char shell[OPELOG_MAX_PATH + 1]; /* empty: no line for this uid */
};

/* Reads all of `text` and answers for `person`. 0, or the number of the first wrong line. */
size_t opelog_decide_fallback(const char* text, size_t length, const struct opelog_person* person,
                              struct opelog_fallback_answer* out);

/* The answer when the file is missing or wrong: root may repair the host, nobody else gets in. */
enum opelog_fallback_verdict opelog_decide_without_fallback(uint32_t uid);

#endif
