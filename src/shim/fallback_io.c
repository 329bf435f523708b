#include "shim/fallback_io.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/process_io.h"

/* Root's, and nobody else could have written it. */
static bool trusted(const struct stat* s) {
  return S_ISREG(s->st_mode) && s->st_uid == 0 && (s->st_mode & (S_IWGRP | S_IWOTH)) == 0 &&
         s->st_size >= 0 && (uint64_t)s->st_size <= OPELOG_MAX_FALLBACK;
}

static char* read_fallback(size_t* length) {
  int fd = open(OPELOG_FALLBACK, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) return NULL;
  struct stat s;
  char* text = NULL;
  if (fstat(fd, &s) == 0 && trusted(&s)) {
    /* One byte more than allowed: a file that grew meanwhile shows. */
    size_t capacity = (size_t)s.st_size + 1;
    text = malloc(capacity);
    ssize_t n = text != NULL ? opelog_read_all(fd, text, capacity) : -1;
    if (n < 0 || (size_t)n == capacity) {
      free(text);
      text = NULL;
    } else {
      *length = (size_t)n;
    }
  }
  close(fd);
  return text;
}

/* Supplementary groups as the kernel keeps them; the effective one, ours by setgid, is not among them. */
static uint32_t* read_groups(size_t* count) {
  int n = getgroups(0, NULL);
  gid_t* list = n > 0 ? calloc((size_t)n, sizeof(gid_t)) : NULL;
  _Static_assert(sizeof(gid_t) == sizeof(uint32_t), "gid_t has 32 bits on Linux");
  n = list != NULL ? getgroups(n, list) : 0;
  *count = n > 0 ? (size_t)n : 0;
  return list;
}

void opelog_ask_fallback(struct opelog_fallback_answer* out) {
  struct opelog_person person = {.uid = getuid(), .gid = getgid()};
  size_t length = 0;
  char* text = read_fallback(&length);
  uint32_t* groups = read_groups(&person.group_count);
  person.groups = groups;
  if (text == NULL || opelog_decide_fallback(text, length, &person, out) != 0) {
    out->verdict = opelog_decide_without_fallback(person.uid);
    out->shell[0] = '\0';
  }
  free(groups);
  free(text);
}
