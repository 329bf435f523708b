// Admission: what happens to a login, decided from facts alone.
//
// Pure. The policy says what it wants (core/policy_decide.h); this adds what must hold besides: the peer is
// our shim, a login inside a recorded session is recorded already, limits, and which shell is the real one.
// Nothing that the user controls can turn a wanted recording into a pass: what cannot be proved is refused.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/policy.h"
#include "core/policy_decide.h"
#include "record/login_protocol.h"

namespace opelog::record {

struct AdmissionFacts {
  opelog_how how = OPELOG_HOW_LOGIN;
  LoginFacts login;  ///< for the policy
  bool shim_proven = false;
  std::string shim_reason;   ///< why not
  bool nested = false;       ///< an ancestor belongs to a live session
  int sessions = 0;          ///< live now, all
  int sessions_of_user = 0;  ///< of them, this uid's
  std::optional<std::string>
      enrolled_shell;        ///< the daemon's own map, for users whose passwd shell is the shim
  std::string passwd_shell;  ///< as in passwd
  std::string shim_path;     ///< the installed opelog-shell
};

/// Whether a refusal or pass went against what the policy wanted: the daemon states it.
enum class AdmissionCause {
  kPolicy,  ///< as the rule says, or no rule matched
  kWish,    ///< `opelog rec`
  kNested,  ///< recorded by the session around it
  kShim,    ///< the peer is not provably the shim
  kUserLimit,
  kHostLimit,
  kShell,  ///< no real shell to start
};
const char* admission_cause_word(AdmissionCause cause) noexcept;

struct Admission {
  opelog_action action = OPELOG_REFUSE;
  AdmissionCause cause = AdmissionCause::kPolicy;
  Rule rule;                ///< the settings to record with; rule.name "" if none matched, "rec" for a wish
  std::string shell;        ///< absolute path of the real shell, "" for REFUSE
  int exit_code = 0;        ///< for REFUSE
  std::string message;      ///< REFUSE: one line for the user, what and what to do
  bool unrecorded = false;  ///< passes although a rule wanted it recorded: must be stated
  bool query_recorded = false;  ///< answer to QUERY: a login here would be recorded or refused
};

Admission admit(const Policy& policy, const AdmissionFacts& facts);

}  // namespace opelog::record
