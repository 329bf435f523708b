// The policy file: no input may crash, hang or give a policy that the fallback encoder or a decision chokes
// on.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "core/fallback.h"
#include "core/policy_decide.h"
#include "core/policy_parse.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view yaml(reinterpret_cast<const char*>(data), size);
  const auto parsed = opelog::parse_policy_all(yaml, "f");
  if (parsed.policy.has_value() != parsed.errors.empty()) std::abort();
  for (const auto& error : parsed.errors) {
    if (error.message.rfind("f:", 0) != 0 || error.message.find('\n') != std::string::npos) std::abort();
  }
  if (!parsed.policy) return 0;
  opelog::LoginFacts facts;
  facts.uid = 1000;
  facts.user = "ann";
  facts.groups = {"ann"};
  facts.ancestor_exes = {"/usr/bin/bash", "/usr/sbin/sshd"};
  facts.client = opelog::parse_address("192.0.2.1");
  const auto decision = opelog::decide(*parsed.policy, facts, true);
  if (decision.trace.empty()) std::abort();
  const auto fallback = opelog::encode_fallback(*parsed.policy, {{1000, "/bin/sh"}}, 5, {{"ann", 1000}});
  if (fallback && fallback->substr(fallback->size() - 4) != "end\n") std::abort();
  return 0;
}
