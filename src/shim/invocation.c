#include "shim/invocation.h"

#include <stdlib.h>
#include <string.h>

#include "record/login_protocol.h"

static struct opelog_invocation usage(void) {
  return (struct opelog_invocation){.start = OPELOG_START_USAGE};
}

static bool is(const char* a, const char* b) {
  return strcmp(a, b) == 0;
}

/* What shells accept in front of CMD: -l, --login, -c, -lc, -cl. Anything else is not a login. */
static struct opelog_invocation parse_shell_options(int argc, char* const argv[], bool login) {
  struct opelog_invocation result = {.start = OPELOG_START_SESSION, .how = OPELOG_HOW_LOGIN, .login = login};
  int i = 1;
  for (; i < argc; ++i) {
    if (is(argv[i], "-l") || is(argv[i], "--login")) {
      result.login = true;
    } else if (is(argv[i], "-c") || is(argv[i], "-lc") || is(argv[i], "-cl")) {
      break;
    } else {
      return usage();
    }
  }
  if (i == argc) return result;
  if (i + 1 >= argc) return usage(); /* -c without a command */
  result.how = OPELOG_HOW_COMMAND;
  result.login = login; /* -l goes to the real shell as it came */
  result.command = argv[i + 1];
  result.arguments = argv + 1;
  result.positional = argv + i + 2;
  return result;
}

struct opelog_invocation opelog_parse_invocation(int argc, char* const argv[]) {
  struct opelog_invocation result = {.start = OPELOG_START_SESSION};
  if (argc < 1 || argv[0] == NULL) return usage();
  bool login = argv[0][0] == '-';
  if (argc == 1) {
    result.how = OPELOG_HOW_LOGIN;
    result.login = login;
    return result;
  }
  const char* first = argv[1];
  if (is(first, "--help") || is(first, "--version")) {
    if (argc != 2) return usage();
    result.start = is(first, "--help") ? OPELOG_START_HELP : OPELOG_START_VERSION;
    return result;
  }
  if (is(first, "--force") || is(first, "--hook") || is(first, "--query")) {
    if (argc != 2) return usage();
    result.how = is(first, "--force")  ? OPELOG_HOW_FORCE
                 : is(first, "--hook") ? OPELOG_HOW_HOOK
                                       : OPELOG_HOW_QUERY;
    result.login = result.how != OPELOG_HOW_QUERY;
    return result;
  }
  if (is(first, "--rec")) {
    result.how = OPELOG_HOW_REC;
    if (argc == 2) return result;
    if (!is(argv[2], "--") || argc == 3 || argv[3][0] == '\0') return usage();
    result.arguments = argv + 3;
    return result;
  }
  return parse_shell_options(argc, argv, login);
}

char** opelog_shell_arguments(const struct opelog_invocation* invocation, const char* path) {
  const char* slash = strrchr(path, '/');
  const char* base = slash != NULL ? slash + 1 : path;
  size_t given = 0;
  if (invocation->how == OPELOG_HOW_COMMAND)
    while (invocation->arguments[given] != NULL) ++given;
  char** list = calloc(given + 4, sizeof(char*));
  char* name = malloc(strlen(base) + 2);
  if (list == NULL || name == NULL) {
    free(list);
    free(name);
    return NULL;
  }
  bool command = invocation->how == OPELOG_HOW_FORCE && invocation->command != NULL;
  bool dash = invocation->login && !command;
  if (dash) name[0] = '-';
  memcpy(name + (dash ? 1 : 0), base, strlen(base) + 1);
  list[0] = name;
  if (command) {
    list[1] = (char*)"-c";
    list[2] = (char*)invocation->command;
  } else if (given != 0) {
    memcpy(list + 1, invocation->arguments, given * sizeof(char*));
  }
  return list;
}
