#include "shim/passwd_entry.h"

#include <stdio.h>
#include <string.h>

enum { kUid = 2, kShell = 6 };

bool opelog_shell_of_entry(const char* text, size_t length, uint32_t uid, char shell[OPELOG_MAX_PATH + 1]) {
  char number[16];
  size_t digits = (size_t)snprintf(number, sizeof number, "%u", (unsigned)uid);
  if (length == 0 || text[--length] != '\n') return false;
  if (length == 0 || memchr(text, '\n', length) != NULL || memchr(text, '\0', length) != NULL) return false;
  const char* field = text;
  const char* end = text + length;
  for (int i = 0; i < kShell; ++i) {
    const char* colon = memchr(field, ':', (size_t)(end - field));
    if (colon == NULL) return false;
    if (i == kUid && ((size_t)(colon - field) != digits || memcmp(field, number, digits) != 0)) return false;
    field = colon + 1;
  }
  size_t size = (size_t)(end - field);
  if (size == 0) {
    field = "/bin/sh";
    size = strlen(field);
  }
  if (size > OPELOG_MAX_PATH || field[0] != '/') return false;
  memcpy(shell, field, size);
  shell[size] = '\0';
  return true;
}
