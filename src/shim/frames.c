#include "shim/frames.h"

#include <string.h>

#include "shim/text.h"

/* TERM and the claim are for display only; what a terminal would not show is not worth a refusal. */
static size_t displayable(const char* text, size_t limit) {
  size_t length = text != NULL ? strlen(text) : 0;
  if (length > limit) length = limit;
  return opelog_is_printable_ascii(text, length) ? length : 0;
}

static char* append(char* out, const char* text, size_t length) {
  if (length != 0) memcpy(out, text, length);
  return out + length;
}

size_t opelog_build_hello(char* out, size_t capacity, const struct opelog_hello_facts* facts) {
  size_t term = displayable(facts->term, OPELOG_MAX_TERM);
  size_t claim = displayable(facts->claim, OPELOG_MAX_CLAIM);
  size_t command = facts->command != NULL ? strlen(facts->command) : 0;
  size_t original = facts->original != NULL ? strlen(facts->original) : 0;
  size_t total = sizeof(struct opelog_hello) + term + claim + command;
  if (capacity > OPELOG_MAX_FRAME) capacity = OPELOG_MAX_FRAME;
  if (command > OPELOG_MAX_COMMAND || total > capacity) return 0;
  if (original > OPELOG_MAX_COMMAND) original = OPELOG_MAX_COMMAND;
  if (original > capacity - total) original = capacity - total;

  struct opelog_hello hello = {
      .frame = {OPELOG_LOGIN_MAGIC, OPELOG_HELLO},
      .how = facts->how,
      .has_command = facts->command != NULL,
      .has_original = facts->original != NULL,
      .terminals = facts->terminals,
      .streams = {facts->streams[0], facts->streams[1], facts->streams[2]},
      .rows = facts->rows,
      .cols = facts->cols,
      .term_length = (uint32_t)term,
      .command_length = (uint32_t)command,
      .original_length = (uint32_t)original,
      .claim_length = (uint32_t)claim,
  };
  char* p = append(out, (const char*)&hello, sizeof hello);
  p = append(p, facts->term, term);
  p = append(p, facts->command, command);
  p = append(p, facts->original, original);
  p = append(p, facts->claim, claim);
  return (size_t)(p - out);
}

static int take(char* out, size_t limit, const char** from, size_t length) {
  if (length > limit || memchr(*from, '\0', length) != NULL) return -1;
  memcpy(out, *from, length);
  out[length] = '\0';
  *from += length;
  return 0;
}

/* A socket for the shell and one for the waiter, for each stream that is relayed. */
static size_t stream_descriptors(const struct opelog_hello_facts* asked) {
  size_t count = 0;
  for (int i = 0; i < 3; ++i)
    if (opelog_is_relayed(asked->streams[i])) count += 2;
  return count;
}

static int right_descriptors(const struct opelog_verdict* verdict, size_t descriptors,
                             const struct opelog_hello_facts* asked) {
  switch (verdict->action) {
    case OPELOG_PASS:
    case OPELOG_REFUSE:
      return descriptors == 0;
    case OPELOG_RECORD_TERMINAL:
      return descriptors == 2 && asked->terminals != 0 && verdict->replace == asked->terminals &&
             asked->how != OPELOG_HOW_QUERY;
    case OPELOG_RECORD_STREAMS:
      return descriptors == stream_descriptors(asked) && asked->terminals == 0 &&
             asked->how != OPELOG_HOW_QUERY;
    default:
      return 0;
  }
}

int opelog_parse_verdict(const char* packet, size_t length, size_t descriptors,
                         const struct opelog_hello_facts* asked, struct opelog_verdict_facts* out) {
  struct opelog_verdict verdict;
  if (length < sizeof verdict || length > OPELOG_MAX_VERDICT) return -1;
  memcpy(&verdict, packet, sizeof verdict);
  if (verdict.frame.magic != OPELOG_LOGIN_MAGIC || verdict.frame.type != OPELOG_VERDICT) return -1;
  if ((uint64_t)verdict.shell_length + verdict.message_length + verdict.session_length !=
      length - sizeof verdict)
    return -1;
  if (!right_descriptors(&verdict, descriptors, asked) || verdict.recorded > 1 || verdict.exit_code > 255)
    return -1;

  const char* from = packet + sizeof verdict;
  if (take(out->shell, OPELOG_MAX_PATH, &from, verdict.shell_length) != 0 ||
      take(out->message, OPELOG_MAX_MESSAGE, &from, verdict.message_length) != 0 ||
      take(out->session, OPELOG_MAX_SESSION, &from, verdict.session_length) != 0)
    return -1;
  int starts = verdict.action != OPELOG_REFUSE && asked->how != OPELOG_HOW_QUERY;
  int records = verdict.action == OPELOG_RECORD_TERMINAL || verdict.action == OPELOG_RECORD_STREAMS;
  if (starts && out->shell[0] != '/') return -1;
  if (!opelog_is_printable_ascii(out->session, verdict.session_length)) return -1;
  if (records && verdict.session_length == 0) return -1;
  out->action = verdict.action;
  out->exit_code = verdict.exit_code;
  out->replace = verdict.replace;
  out->recorded = verdict.recorded;
  return 0;
}
