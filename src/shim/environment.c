#include "shim/environment.h"

#include <stdlib.h>
#include <string.h>

static int allocate(struct opelog_environment* environment, size_t count) {
  environment->count = 0;
  environment->capacity = count + OPELOG_ENVIRONMENT_SPARE;
  environment->list = calloc(environment->capacity + 1, sizeof(char*));
  return environment->list != NULL ? 0 : -1;
}

int opelog_environment_from_block(struct opelog_environment* environment, char* first, const char* end) {
  size_t strings = 0;
  if (first > end || (first < end && end[-1] != '\0')) return -1;
  for (const char* p = first; p < end; p += strlen(p) + 1) ++strings;
  if (allocate(environment, strings) != 0) return -1;
  for (char* p = first; p < end; p += strlen(p) + 1) environment->list[environment->count++] = p;
  return 0;
}

int opelog_environment_from_list(struct opelog_environment* environment, char* const* list) {
  size_t strings = 0;
  while (list[strings] != NULL) ++strings;
  if (allocate(environment, strings) != 0) return -1;
  for (size_t i = 0; i < strings; ++i) environment->list[environment->count++] = list[i];
  return 0;
}

static size_t find(const struct opelog_environment* environment, const char* name, size_t length) {
  size_t i = 0;
  while (i < environment->count &&
         (strncmp(environment->list[i], name, length) != 0 || environment->list[i][length] != '='))
    ++i;
  return i;
}

const char* opelog_environment_get(const struct opelog_environment* environment, const char* name) {
  size_t length = strlen(name);
  size_t i = find(environment, name, length);
  return i < environment->count ? environment->list[i] + length + 1 : NULL;
}

int opelog_environment_set(struct opelog_environment* environment, char* assignment) {
  size_t i = find(environment, assignment, (size_t)(strchr(assignment, '=') - assignment));
  if (i == environment->count) {
    if (environment->count == environment->capacity) return -1;
    ++environment->count;
  }
  environment->list[i] = assignment;
  return 0;
}
