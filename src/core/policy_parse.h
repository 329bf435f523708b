// The policy file's text to a Policy value: strict, and each complaint names its place.
//
// Pure: reads no file (policy_file_io.h does). Nothing is guessed and nothing ignored: an unknown key, a
// number with a tail, an empty list that would match everyone is an error "file:line:col: what; remedy".
// docs/policy.md is the reference; a test holds it and etc/opelog.yaml against policy_keys().
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/policy.h"
#include "core/result.h"

namespace opelog {

/// Complaints reported at once; the rest would follow from the first ones.
constexpr std::size_t kMaxPolicyErrors = 100;

struct ParsedPolicy {
  std::optional<Policy> policy;  ///< exactly if there are no errors
  std::vector<Error> errors;     ///< in file order, kMaxPolicyErrors at most
};

/// Every complaint, for `opelog policy check`. A text that is not YAML at all has exactly one.
ParsedPolicy parse_policy_all(std::string_view yaml, const std::string& file_name);

/// The first complaint only; says in the message if there are more.
Result<Policy> parse_policy(std::string_view yaml, const std::string& file_name);

/// Every key the parser knows, dotted, list items by "[]": "rules[].match.uid".
std::vector<std::string> policy_keys();

// The words of the file, shared with those who print a policy (`opelog policy explain`, `status`).
const char* action_word(Action action) noexcept;         ///< record, pass, refuse
const char* on_refuse_word(OnRefuse what) noexcept;      ///< refuse, pass
const char* on_failure_word(OnFailure what) noexcept;    ///< hold, cut, continue
const char* append_only_word(AppendOnly what) noexcept;  ///< required, preferred, off

}  // namespace opelog
