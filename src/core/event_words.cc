#include "core/event_words.h"

#include <algorithm>

namespace opelog {

const std::vector<std::string_view>& event_words() {
  static const std::vector<std::string_view> kWords{"calls-left",
                                                    "clock-set",
                                                    "connection-unrecorded",
                                                    "control",
                                                    "control-accept",
                                                    "control-denied",
                                                    "daemon-handover",
                                                    "daemon-start",
                                                    "daemon-stop",
                                                    "daemon-stopping",
                                                    "disk-enough",
                                                    "disk-low",
                                                    "dump",
                                                    "exec-degraded",
                                                    "exec-restarted",
                                                    "exec-unavailable",
                                                    "exec-unfollowed",
                                                    "fallback-failed",
                                                    "guard-armed",
                                                    "guard-changed",
                                                    "guard-degraded",
                                                    "guard-disarmed",
                                                    "guard-failed",
                                                    "guard-flag-lost",
                                                    "guard-flagged",
                                                    "guard-frozen",
                                                    "guard-limited",
                                                    "guard-missing",
                                                    "guard-overflow",
                                                    "guard-rearmed",
                                                    "guard-renamed",
                                                    "guard-replaced",
                                                    "guard-scanned",
                                                    "guard-skipped",
                                                    "guard-thawed",
                                                    "guard-unarmed",
                                                    "guard-unsupported",
                                                    "guard-untracked",
                                                    "keys-unlocked",
                                                    "ledger-damaged",
                                                    "ledger-failed",
                                                    "ledger-key-rotated",
                                                    "ledger-keys-lost",
                                                    "ledger-log-lost",
                                                    "ledger-made",
                                                    "login-accept",
                                                    "login-busy",
                                                    "login-failed",
                                                    "login-malformed",
                                                    "login-passed",
                                                    "login-refused",
                                                    "login-timeout",
                                                    "login-unrecorded",
                                                    "output-limited",
                                                    "output-unrecorded",
                                                    "policy-loaded",
                                                    "policy-rejected",
                                                    "policy-unwatched",
                                                    "policy-warning",
                                                    "record-failed",
                                                    "record-resumed",
                                                    "recording-compress-failed",
                                                    "recording-compressed",
                                                    "recording-prune-failed",
                                                    "recording-pruned",
                                                    "recording-repaired",
                                                    "recording-unbegun",
                                                    "recordings-degraded",
                                                    "repair-failed",
                                                    "servers-watched",
                                                    "session-end",
                                                    "session-idle",
                                                    "session-kill",
                                                    "session-left",
                                                    "session-lost",
                                                    "session-resumed",
                                                    "session-start",
                                                    "store-full",
                                                    "sync-failed",
                                                    "terminal-unrecorded",
                                                    "unrecorded-crowded",
                                                    "unsealed",
                                                    "views-left-out"};
  return kWords;
}

bool names_an_event(std::string_view pattern) {
  const bool begins = !pattern.empty() && pattern.back() == '*';
  if (begins) pattern.remove_suffix(1);
  const auto& words = event_words();
  return std::any_of(words.begin(), words.end(), [&](std::string_view word) {
    return begins ? word.substr(0, pattern.size()) == pattern : word == pattern;
  });
}

}  // namespace opelog
