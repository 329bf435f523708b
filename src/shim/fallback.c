#include "shim/fallback.h"

#include <string.h>

/* What is left of a line; every take_* leaves it behind what it took. */
struct cursor {
  const char* at;
  const char* end;
};

static bool take_text(struct cursor* line, const char* text) {
  size_t length = strlen(text);
  if ((size_t)(line->end - line->at) < length || memcmp(line->at, text, length) != 0) return false;
  line->at += length;
  return true;
}

static bool take_number(struct cursor* line, uint32_t* out) {
  uint64_t value = 0;
  const char* first = line->at;
  while (line->at < line->end && *line->at >= '0' && *line->at <= '9') {
    value = value * 10 + (uint64_t)(*line->at - '0');
    if (value > UINT32_MAX) return false;
    ++line->at;
  }
  *out = (uint32_t)value;
  return line->at != first && (first[0] != '0' || line->at == first + 1);
}

static bool at_end(const struct cursor* line) {
  return line->at == line->end;
}

static bool take_answer(struct cursor* line, bool* pass) {
  *pass = take_text(line, "pass");
  return (*pass || take_text(line, "refuse")) && at_end(line);
}

struct reading {
  const struct opelog_person* person;
  struct opelog_fallback_answer* out;
  bool absent_seen, absent_pass;
  bool glass_seen, glass_member;
  bool uid_decided, uid_pass;
  bool ended;
};

static bool in_group(const struct opelog_person* person, uint32_t gid) {
  if (person->gid == gid) return true;
  for (size_t i = 0; i < person->group_count; ++i)
    if (person->groups[i] == gid) return true;
  return false;
}

static bool read_uid(struct reading* r, struct cursor* line) {
  uint32_t first = 0;
  uint32_t last = 0;
  bool pass = false;
  if (!take_number(line, &first) || !take_text(line, " ") || !take_number(line, &last) ||
      !take_text(line, " ") || !take_answer(line, &pass) || first > last)
    return false;
  if (!r->uid_decided && r->person->uid >= first && r->person->uid <= last) {
    r->uid_decided = true;
    r->uid_pass = pass;
  }
  return true;
}

static bool read_shell(struct reading* r, struct cursor* line) {
  uint32_t uid = 0;
  if (!take_number(line, &uid) || !take_text(line, " ")) return false;
  size_t length = (size_t)(line->end - line->at);
  if (length == 0 || length > OPELOG_MAX_PATH || line->at[0] != '/') return false;
  if (memchr(line->at, '\0', length) != NULL) return false;
  if (uid == r->person->uid && r->out->shell[0] == '\0') {
    memcpy(r->out->shell, line->at, length);
    r->out->shell[length] = '\0';
  }
  return true;
}

static bool read_line(struct reading* r, struct cursor* line) {
  uint32_t gid = 0;
  if (r->ended) return false;
  if (take_text(line, "uid ")) return read_uid(r, line);
  if (take_text(line, "shell ")) return read_shell(r, line);
  if (take_text(line, "absent ")) {
    if (r->absent_seen) return false;
    r->absent_seen = true;
    return take_answer(line, &r->absent_pass);
  }
  if (take_text(line, "breakglass ")) {
    if (r->glass_seen || !take_number(line, &gid) || !at_end(line)) return false;
    r->glass_seen = true;
    r->glass_member = in_group(r->person, gid);
    return true;
  }
  r->ended = take_text(line, "end") && at_end(line);
  return r->ended;
}

size_t opelog_decide_fallback(const char* text, size_t length, const struct opelog_person* person,
                              struct opelog_fallback_answer* out) {
  struct reading r = {.person = person, .out = out};
  const char* end = text + length;
  size_t number = 0;
  out->verdict = OPELOG_FALLBACK_REFUSE;
  out->shell[0] = '\0';
  if (length == 0 || length > OPELOG_MAX_FALLBACK) return 1;
  while (text < end) {
    const char* newline = memchr(text, '\n', (size_t)(end - text));
    ++number;
    if (newline == NULL) return number;
    struct cursor line = {text, newline};
    bool good = number == 1 ? take_text(&line, "opelog-fallback 1") && at_end(&line) : read_line(&r, &line);
    if (!good) return number;
    text = newline + 1;
  }
  if (!r.ended) return number + 1;
  if (r.glass_member)
    out->verdict = OPELOG_FALLBACK_BREAK_GLASS;
  else if (!r.uid_decided || r.uid_pass)
    out->verdict = OPELOG_FALLBACK_NOT_A_TARGET;
  else
    out->verdict = r.absent_pass ? OPELOG_FALLBACK_ABSENT_PASS : OPELOG_FALLBACK_REFUSE;
  return 0;
}

enum opelog_fallback_verdict opelog_decide_without_fallback(uint32_t uid) {
  return uid == 0 ? OPELOG_FALLBACK_ABSENT_PASS : OPELOG_FALLBACK_REFUSE;
}
