/* opelog-shell: stands where the user's shell would stand, asks opelogd, and starts the real shell.
 *
 * Runs as the user with the group `opelog` by setgid (mode 2711): the login socket admits that group only,
 * and the user can neither read, trace nor dump it. It decides nothing; when the daemon cannot be asked, the
 * fallback file that the daemon left decides. docs/formats/login-protocol.md, docs/login-hooks.md.
 */
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "shim/auth_log_io.h"
#include "shim/daemon_link_io.h"
#include "shim/descriptors_io.h"
#include "shim/fallback_io.h"
#include "shim/launch_io.h"
#include "shim/passwd_entry_io.h"
#include "shim/terminal_io.h"
#include "shim/text.h"

static const char kUsage[] =
    "usage: opelog-shell [-l] [-c COMMAND [ARG...]]   as a login shell\n"
    "       opelog-shell --force                      as sshd's ForceCommand\n"
    "       opelog-shell --hook                       from /etc/profile.d\n"
    "       opelog-shell --rec [-- COMMAND [ARG...]]  a recorded shell at your own wish\n"
    "       opelog-shell --query                      exit 0 if a login here would be recorded or refused, 1 "
    "if not\n"
    "       opelog-shell --version | --help\n";

static void rebuild_environment(struct opelog_environment* environment, int argc, char** argv) {
  char* first = argv[argc - 1] + strlen(argv[argc - 1]) + 1;
  const char* end = (const char*)getauxval(AT_EXECFN);
  if (end != NULL && opelog_environment_from_block(environment, first, end) == 0) return;
  if (opelog_environment_from_list(environment, environ) == 0) return;
  opelog_leave(OPELOG_EXIT_UNAVAILABLE, "opelog: out of memory");
}

/* For the record. Words may be longer together than execve takes a single string: told as far as a frame
 * goes. */
static const char* command_text(const struct opelog_invocation* invocation) {
  char* text = NULL;
  if (invocation->how == OPELOG_HOW_COMMAND && invocation->positional[0] != NULL)
    text = opelog_join_words(invocation->command, invocation->positional);
  else if (invocation->how == OPELOG_HOW_REC && invocation->arguments != NULL)
    text = opelog_join_words(NULL, invocation->arguments);
  else
    return invocation->command;
  if (text == NULL) opelog_leave(OPELOG_EXIT_UNAVAILABLE, "opelog: out of memory");
  if (strlen(text) > OPELOG_MAX_COMMAND) memcpy(text + OPELOG_MAX_COMMAND - 3, "...", 4);
  return text;
}

/* The passwd entry's shell, unless that is us; called without the group, for name services are not ours. */
static const char* passwd_shell(void) {
  static char shell[OPELOG_MAX_PATH + 1];
  return opelog_ask_passwd_shell(shell) && !opelog_is_the_shim(shell) ? shell : NULL;
}

static void tell_log(const char* what) {
  char text[128];
  snprintf(text, sizeof text, "daemon not available: login of uid %u %s", (unsigned)getuid(), what);
  opelog_log_warning(text);
}

static _Noreturn void refuse_unavailable(void) {
  opelog_drop_group();
  tell_log("refused");
  opelog_leave(OPELOG_EXIT_UNAVAILABLE,
               "opelog: session recording is not available; this login is refused "
               "(try again in a moment, or tell the administrator)");
}

/* Passing without a record is never silent, except for those whom the policy would not have recorded. */
static void say_unrecorded(enum opelog_fallback_verdict verdict) {
  if (verdict == OPELOG_FALLBACK_NOT_A_TARGET) return;
  bool glass = verdict == OPELOG_FALLBACK_BREAK_GLASS;
  tell_log(glass ? "passes UNRECORDED: break-glass group" : "passes UNRECORDED: as the policy says");
  opelog_say(
      2, glass
             ? "opelog: WARNING: session recording is not available; this login is NOT recorded (break-glass)"
             : "opelog: WARNING: session recording is not available; this login is NOT recorded");
}

/* `own_fault`: the daemon may be well and the user may have starved us on purpose, so the policy's leniency
 * for an absent daemon does not count. */
static _Noreturn void run_by_fallback(struct opelog_launch* launch, bool own_fault) {
  static struct opelog_fallback_answer answer;
  opelog_ask_fallback(&answer);
  if (own_fault && answer.verdict == OPELOG_FALLBACK_ABSENT_PASS && getuid() != 0)
    answer.verdict = OPELOG_FALLBACK_REFUSE;
  if (!opelog_drop_group()) opelog_leave(OPELOG_EXIT_UNAVAILABLE, "opelog: the group cannot be given up");
  if (launch->invocation->how == OPELOG_HOW_QUERY) {
    if (answer.verdict == OPELOG_FALLBACK_REFUSE) _exit(0);
    say_unrecorded(answer.verdict);
    _exit(1);
  }
  if (answer.verdict == OPELOG_FALLBACK_REFUSE) refuse_unavailable();
  if (launch->invocation->how == OPELOG_HOW_REC)
    opelog_leave(OPELOG_EXIT_UNAVAILABLE, "opelog: session recording is not available");
  say_unrecorded(answer.verdict);
  launch->shell = answer.shell[0] != '\0' ? answer.shell : passwd_shell();
  if (launch->shell == NULL && getuid() == 0) launch->shell = "/bin/sh";
  if (launch->shell == NULL)
    opelog_leave(OPELOG_EXIT_UNAVAILABLE,
                 "opelog: the real shell of this user is not known, or nobody can be asked; tell the "
                 "administrator");
  opelog_run_here(launch);
}

static _Noreturn void obey(struct opelog_launch* launch, struct opelog_link* link) {
  const struct opelog_verdict_facts* verdict = &link->verdict;
  if (launch->invocation->how == OPELOG_HOW_QUERY) _exit(verdict->recorded ? 0 : 1);
  if (verdict->action == OPELOG_REFUSE)
    opelog_leave(verdict->exit_code != 0 ? (int)verdict->exit_code : OPELOG_EXIT_REFUSED,
                 verdict->message[0] != '\0' ? verdict->message : "opelog: this login is refused");
  launch->shell = verdict->shell;
  if (verdict->action != OPELOG_PASS) opelog_run_recorded(launch, link);
  close(link->fd);
  if (verdict->message[0] != '\0') opelog_say(2, verdict->message);
  opelog_run_here(launch);
}

static void answer_without_daemon(const struct opelog_invocation* invocation) {
  if (invocation->start == OPELOG_START_SESSION) return;
  opelog_drop_group();
  if (invocation->start == OPELOG_START_USAGE) opelog_leave(OPELOG_EXIT_USAGE, kUsage);
  opelog_say(1, invocation->start == OPELOG_START_HELP ? kUsage : "opelog-shell " OPELOG_VERSION);
  _exit(0);
}

int main(int argc, char** argv) {
  static struct opelog_launch launch;
  static struct opelog_link link;
  prctl(PR_SET_DUMPABLE, 0);
  if (!opelog_fill_standard_descriptors())
    opelog_leave(OPELOG_EXIT_UNAVAILABLE, "opelog: no descriptors are left");
  struct opelog_invocation invocation = opelog_parse_invocation(argc, argv);
  answer_without_daemon(&invocation);
  opelog_signals_save(&launch.signals);
  rebuild_environment(&launch.environment, argc, argv);
  launch.invocation = &invocation;

  struct opelog_hello_facts facts = {.how = invocation.how};
  facts.original = opelog_environment_get(&launch.environment, "SSH_ORIGINAL_COMMAND");
  if (invocation.how == OPELOG_HOW_FORCE) invocation.command = facts.original;
  facts.term = opelog_environment_get(&launch.environment, "TERM");
  facts.claim = opelog_environment_get(&launch.environment, "SSH_CONNECTION");
  facts.command = invocation.how == OPELOG_HOW_FORCE ? NULL : command_text(&invocation);
  launch.termios = opelog_read_terminal(&facts.rows, &facts.cols);
  if (invocation.how != OPELOG_HOW_QUERY) opelog_look_at_descriptors(&facts);
  memcpy(launch.streams, facts.streams, sizeof launch.streams);

  enum opelog_link_result result = opelog_ask_daemon(&facts, &link);
  if (result == OPELOG_LINK_VERDICT) obey(&launch, &link);
  run_by_fallback(&launch, result == OPELOG_LINK_OWN_FAULT);
}
