#include "record/admission.h"

#include <algorithm>

namespace opelog::record {
namespace {

std::string_view base_name(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

// By name too: a second copy of the shim, or one behind another mount, would recurse just the same.
bool is_shim(std::string_view shell, std::string_view shim_path) {
  return shell == shim_path || base_name(shell) == base_name(shim_path);
}

void refuse(Admission& admission, AdmissionCause cause, int exit_code, std::string message) {
  admission.action = OPELOG_REFUSE;
  admission.cause = cause;
  admission.exit_code = exit_code;
  admission.message = std::move(message);
  admission.shell.clear();
}

// The shell that this login is really about. "" with `admission` refused when there is none.
std::string real_shell(const AdmissionFacts& facts, Admission& admission) {
  const bool enrolled = facts.enrolled_shell.has_value();
  std::string shell = enrolled ? *facts.enrolled_shell : facts.passwd_shell;
  if (shell.empty() && !enrolled) shell = "/bin/sh";  // passwd(5)
  const std::string whose =
      facts.login.user.empty() ? "uid " + std::to_string(facts.login.uid) : facts.login.user;
  if (is_shim(shell, facts.shim_path)) {
    refuse(admission, AdmissionCause::kShell, OPELOG_EXIT_EXEC,
           "opelog does not know the real shell of " + whose + ": an administrator must run 'opelog enroll " +
               whose + "'");
    return {};
  }
  if (shell.empty() || shell.front() != '/') {
    refuse(admission, AdmissionCause::kShell, OPELOG_EXIT_EXEC,
           "the shell of " + whose + " is not an absolute path ('" + shell +
               "'): an administrator must correct it in " +
               (enrolled ? "opelog's enrolment" : "the password database"));
    return {};
  }
  return shell;
}

Rule rule_for_wish(const Policy& policy) {
  const auto found = std::find_if(policy.rules.begin(), policy.rules.end(),
                                  [](const Rule& rule) { return rule.action == Action::kRecord; });
  Rule rule = found == policy.rules.end() ? Rule() : *found;
  rule.name = "rec";
  rule.match = Match();
  rule.action = Action::kRecord;
  return rule;
}

// A limit on all is the host's trouble and follows the rule; a limit on one user is his own doing, so
// reaching it must never be a way to be left unrecorded.
void apply_limits(const Policy& policy, const AdmissionFacts& facts, bool wished, Admission& admission) {
  if (facts.sessions_of_user >= policy.max_sessions_per_user) {
    refuse(admission, AdmissionCause::kUserLimit, OPELOG_EXIT_REFUSED,
           "opelog: you have " + std::to_string(facts.sessions_of_user) +
               " recorded sessions, no more are allowed: end one, or ask an administrator "
               "(limits.max_sessions_per_user)");
    return;
  }
  if (facts.sessions < policy.max_sessions) return;
  if (!wished && admission.rule.on_start_failure == OnRefuse::kPass) {
    admission.action = OPELOG_PASS;
    admission.cause = AdmissionCause::kHostLimit;
    admission.unrecorded = true;
    return;
  }
  refuse(
      admission, AdmissionCause::kHostLimit, OPELOG_EXIT_UNAVAILABLE,
      "opelog: this host records " + std::to_string(facts.sessions) +
          " sessions, no more are allowed: try again later, or ask an administrator (limits.max_sessions)");
}

// What the policy and the facts say, whatever the question was asked for.
void decide_action(const Policy& policy, const AdmissionFacts& facts, Admission& admission) {
  const bool wished = facts.how == OPELOG_HOW_REC;
  Action action = Action::kRecord;
  if (wished) {
    admission.rule = rule_for_wish(policy);
    admission.cause = AdmissionCause::kWish;
  } else {
    const Decision decision = decide(policy, facts.login);
    action = decision.action;
    if (decision.rule != nullptr) admission.rule = *decision.rule;
  }
  if (action == Action::kRefuse) {
    refuse(admission, AdmissionCause::kPolicy, OPELOG_EXIT_REFUSED,
           admission.rule.notice.empty() ? "opelog: this login is not allowed (rule " + admission.rule.name +
                                               "): ask an administrator of this host"
                                         : admission.rule.notice);
    return;
  }
  if (action == Action::kPass) {
    admission.action = OPELOG_PASS;
    return;
  }
  if (!facts.shim_proven) {
    refuse(admission, AdmissionCause::kShim, OPELOG_EXIT_REFUSED,
           "opelog cannot record this login safely: " + facts.shim_reason +
               "; an administrator should run 'opelog doctor'");
    return;
  }
  if (facts.nested && !wished) {
    admission.action = OPELOG_PASS;
    admission.cause = AdmissionCause::kNested;
    return;
  }
  admission.action = facts.login.terminal ? OPELOG_RECORD_TERMINAL : OPELOG_RECORD_STREAMS;
  apply_limits(policy, facts, wished, admission);
}

}  // namespace

const char* admission_cause_word(AdmissionCause cause) noexcept {
  switch (cause) {
    case AdmissionCause::kPolicy:
      return "policy";
    case AdmissionCause::kWish:
      return "wish";
    case AdmissionCause::kNested:
      return "nested";
    case AdmissionCause::kShim:
      return "shim";
    case AdmissionCause::kUserLimit:
      return "user-limit";
    case AdmissionCause::kHostLimit:
      return "host-limit";
    case AdmissionCause::kShell:
      return "shell";
  }
  return "policy";
}

Admission admit(const Policy& policy, const AdmissionFacts& facts) {
  Admission admission;
  decide_action(policy, facts, admission);
  if (facts.how == OPELOG_HOW_QUERY) {
    admission.query_recorded = admission.action != OPELOG_PASS;
    admission.action = OPELOG_PASS;
    admission.exit_code = 0;
    admission.message.clear();
    admission.unrecorded = false;
    return admission;
  }
  if (admission.action != OPELOG_REFUSE) admission.shell = real_shell(facts, admission);
  return admission;
}

}  // namespace opelog::record
