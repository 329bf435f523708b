#include "shim/launch_io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/descriptors_io.h"
#include "shim/terminal_io.h"
#include "shim/waiter_layout.h"

static _Noreturn void failed_to_run(const char* what, int err) {
  char text[OPELOG_MAX_PATH + 256];
  snprintf(text, sizeof text, "opelog: %s: %s", what, strerror(err));
  opelog_leave(err == ENOENT ? OPELOG_EXIT_NOT_FOUND : OPELOG_EXIT_EXEC, text);
}

/* A passwd entry or a policy that names the shim itself would go round for ever. */
bool opelog_is_the_shim(const char* path) {
  struct stat a;
  struct stat b;
  return strcmp(path, OPELOG_SHELL_PATH) == 0 || (stat(path, &a) == 0 && stat(OPELOG_SHELL_PATH, &b) == 0 &&
                                                  a.st_dev == b.st_dev && a.st_ino == b.st_ino);
}

static char* assignment(const char* name, const char* value) {
  char* text = malloc(strlen(name) + strlen(value) + 2);
  if (text != NULL) sprintf(text, "%s=%s", name, value);
  return text;
}

static void set_variable(struct opelog_environment* environment, const char* name, const char* value) {
  char* text = assignment(name, value);
  if (text == NULL || opelog_environment_set(environment, text) != 0)
    opelog_leave(OPELOG_EXIT_UNAVAILABLE, "opelog: out of memory");
}

/* Only what must differ from a login without opelog: SHELL must not lead back here, and the hook in
 * /etc/profile.d must not start us again in the very process it started us in. */
static void adjust_environment(struct opelog_launch* launch) {
  const char* shell = opelog_environment_get(&launch->environment, "SHELL");
  if (shell != NULL && opelog_is_the_shim(shell)) set_variable(&launch->environment, "SHELL", launch->shell);
  if (launch->invocation->how == OPELOG_HOW_HOOK) {
    char pid[16];
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    set_variable(&launch->environment, "OPELOG_HOOK", pid);
  }
}

/* A script that names no interpreter is run by sh. Returns only if `path` cannot be executed. */
static void exec_program(const char* path, char* const* arguments, char* const* environment) {
  execve(path, arguments, environment);
  if (errno != ENOEXEC) return;
  size_t count = 1;
  while (arguments[count] != NULL) ++count;
  char** all = calloc(count + 2, sizeof(char*));
  if (all == NULL) return;
  all[0] = "sh";
  all[1] = (char*)path;
  memcpy(all + 2, arguments + 1, count * sizeof(char*));
  execve("/bin/sh", all, environment);
  free(all);
}

/* One place of PATH has none that could be executed: the others are still to be looked at. */
static bool not_here(int err) {
  return err == ENOENT || err == ENOTDIR || err == EACCES || err == ESTALE || err == ENODEV ||
         err == ETIMEDOUT;
}

/* As execvpe(3) of glibc, which others do not follow in all. Returns only with errno. */
static void exec_by_path(char* const* arguments, const struct opelog_environment* environment) {
  static char path[2 * OPELOG_MAX_PATH];
  const char* name = arguments[0];
  if (strchr(name, '/') != NULL) {
    exec_program(name, arguments, environment->list);
    return;
  }
  bool denied = false;
  const char* place = opelog_environment_get(environment, "PATH");
  if (place == NULL) place = "/bin:/usr/bin";
  for (;;) {
    size_t length = strcspn(place, ":");
    const char* slash = length > 0 ? "/" : ""; /* an empty place is the current directory */
    if (length + strlen(name) + 2 <= sizeof path) {
      snprintf(path, sizeof path, "%.*s%s%s", (int)length, place, slash, name);
      exec_program(path, arguments, environment->list);
      denied = denied || errno == EACCES;
      if (!not_here(errno)) return;
    }
    if (place[length] == '\0') break;
    place += length + 1;
  }
  errno = denied ? EACCES : ENOENT;
}

/* The group is gone already. */
static _Noreturn void exec_shell(struct opelog_launch* launch) {
  const struct opelog_invocation* invocation = launch->invocation;
  adjust_environment(launch);
  if (invocation->how == OPELOG_HOW_REC && invocation->arguments != NULL) {
    opelog_signals_restore(&launch->signals);
    exec_by_path(invocation->arguments, &launch->environment);
    failed_to_run(invocation->arguments[0], errno);
  }
  char** arguments = opelog_shell_arguments(invocation, launch->shell);
  if (arguments == NULL) failed_to_run(launch->shell, ENOMEM);
  opelog_signals_restore(&launch->signals);
  execve(launch->shell, arguments, launch->environment.list);
  failed_to_run(launch->shell, errno);
}

void opelog_run_here(struct opelog_launch* launch) {
  if (!opelog_drop_group()) opelog_leave(OPELOG_EXIT_UNAVAILABLE, "opelog: the group cannot be given up");
  if (opelog_is_the_shim(launch->shell))
    opelog_leave(OPELOG_EXIT_EXEC,
                 "opelog: the real shell of this user is opelog-shell itself; tell the administrator");
  exec_shell(launch);
}

/* The shell dies with its waiter: killing the waiter ends the session and does not free the shell. A change
 * of group would clear it. */
static void die_with_waiter(pid_t parent) {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent) _exit(OPELOG_EXIT_UNAVAILABLE);
}

/* `opelog rec`: the terminal stays the user's and nobody but the waiter reads it, so that must be there also
 * while the program is slow to be executed. Otherwise we wait for that, and the child says STARTED. */
static bool goes_on_at_once(const struct opelog_launch* launch) {
  return launch->invocation->how == OPELOG_HOW_REC;
}

static _Noreturn void become_shell(struct opelog_launch* launch, struct opelog_link* link,
                                   const struct opelog_handover* handover, pid_t parent) {
  const struct opelog_verdict_facts* verdict = &link->verdict;
  bool terminal = verdict->action == OPELOG_RECORD_TERMINAL;
  if (!goes_on_at_once(launch) && !opelog_send_started(link->fd, (int)getpid()))
    _exit(OPELOG_EXIT_UNAVAILABLE);
  if (terminal) {
    int slave = link->descriptors[0];
    if (setsid() < 0 || ioctl(slave, TIOCSCTTY, 0) != 0) _exit(OPELOG_EXIT_UNAVAILABLE);
    for (int fd = 0; fd < 3; ++fd)
      if ((verdict->replace & (1u << fd)) != 0 && dup2(slave, fd) < 0) _exit(OPELOG_EXIT_UNAVAILABLE);
  } else if (!opelog_take_streams(handover)) {
    _exit(OPELOG_EXIT_UNAVAILABLE);
  }
  die_with_waiter(parent);
  if (terminal && verdict->message[0] != '\0') opelog_say(link->descriptors[0], verdict->message);
  set_variable(&launch->environment, "OPELOG_SESSION", verdict->session);
  exec_shell(launch);
}

/* Where we wait for the shell to be executed it is on our memory: nothing is copied, and one processor is
 * enough. What the analyser says of vfork is right in general; but posix_spawn(3) knows no controlling
 * terminal, and what the child changes of our memory nobody reads afterwards. */
static pid_t start_shell(struct opelog_launch* launch, struct opelog_link* link,
                         const struct opelog_handover* handover) {
  pid_t parent = getpid();
  pid_t child = goes_on_at_once(launch) ? fork() : vfork();     /* NOLINT */
  if (child == 0) become_shell(launch, link, handover, parent); /* NOLINT */
  return child;
}

/* `opelog rec`: the daemon has not taken the terminal; it stays the user's, and the waiter copies. */
static enum opelog_outside outside_of(const struct opelog_launch* launch, const struct opelog_link* link) {
  if (link->verdict.action != OPELOG_RECORD_TERMINAL) return OPELOG_OUTSIDE_NONE;
  return launch->invocation->how == OPELOG_HOW_REC ? OPELOG_OUTSIDE_OWN : OPELOG_OUTSIDE_TAKEN;
}

/* Whatever goes wrong here, the shell must not go on without a waiter. */
static _Noreturn void become_waiter(struct opelog_launch* launch, struct opelog_link* link,
                                    const struct opelog_handover* handover, pid_t child) {
  char pid[16];
  snprintf(pid, sizeof pid, "%d", (int)child);
  enum opelog_outside outside = outside_of(launch, link);
  bool own = outside == OPELOG_OUTSIDE_OWN;
  char name[] = "opelog-waiter";
  char kinds[4];
  char taken[] = OPELOG_WAITER_TAKEN;
  char kept[] = OPELOG_WAITER_OWN;
  char* what = own ? kept : outside == OPELOG_OUTSIDE_TAKEN ? taken : kinds;
  char* arguments[] = {name, pid, what, own ? (char*)launch->termios : NULL, NULL};
  char* environment[] = {NULL};
  int terminal = handover->terminal;
  bool told = !goes_on_at_once(launch) || opelog_send_started(link->fd, (int)child);
  if (told && opelog_arrange_for_waiter(handover, kinds)) {
    terminal = OPELOG_WAITER_USER;
    execve(OPELOG_WAITER, arguments, environment);
  }
  if (own) opelog_apply_terminal(terminal);
  kill(child, SIGKILL);
  while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {
  }
  _exit(OPELOG_EXIT_UNAVAILABLE);
}

void opelog_run_recorded(struct opelog_launch* launch, struct opelog_link* link) {
  enum opelog_outside outside = outside_of(launch, link);
  bool own = outside == OPELOG_OUTSIDE_OWN;
  bool outer = outside == OPELOG_OUTSIDE_TAKEN;
  int speak = outer ? link->descriptors[1] : 2; /* the old 2 is dead once the outer terminal was revoked */
  if (opelog_is_the_shim(launch->shell)) {
    opelog_say(speak, "opelog: the real shell of this user is opelog-shell itself; tell the administrator");
    _exit(OPELOG_EXIT_EXEC);
  }
  struct opelog_handover handover;
  if (!opelog_prepare_handover(launch->streams, outside, link, &handover)) {
    opelog_say(speak, "opelog: no descriptors are left for this session");
    _exit(OPELOG_EXIT_UNAVAILABLE);
  }
  if (access(OPELOG_WAITER, X_OK) != 0) {
    opelog_say(speak, "opelog: " OPELOG_WAITER " is missing; tell the administrator");
    _exit(OPELOG_EXIT_UNAVAILABLE);
  }
  /* From here on we may stand still for as long as the user likes: nothing is left that he could take. */
  if (!opelog_drop_group()) {
    opelog_say(speak, "opelog: the group cannot be given up");
    _exit(OPELOG_EXIT_UNAVAILABLE);
  }
  /* What is typed already may come there before the shell does. */
  if (own) opelog_apply_terminal(link->descriptors[0]);
  opelog_signals_block_for_waiter();
  if (own) opelog_make_raw(handover.terminal); /* SIGTTOU is blocked: it may not be ours at the moment */
  /* So that SIGWINCH arrives again. Without it (we do not lead the session) only resizing suffers. */
  if (outer) ioctl(link->descriptors[1], TIOCSCTTY, 0);
  pid_t child = start_shell(launch, link, &handover);
  if (child < 0) {
    if (own) opelog_apply_terminal(handover.terminal);
    opelog_say(speak, "opelog: no process could be started for this session");
    _exit(OPELOG_EXIT_UNAVAILABLE);
  }
  become_waiter(launch, link, &handover, child);
}
