// Which rule of the policy a login meets. Pure: the daemon and `opelog policy explain` give it facts.
//
// The facts come from the kernel (socket credentials, /proc, socket tables), never from what the user
// says about himself. The first rule all of whose conditions hold decides; without one the login passes.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/policy.h"

namespace opelog {

/// 16 bytes in network order; IPv4 as ::ffff:a.b.c.d.
using Address = std::array<unsigned char, 16>;

struct LoginFacts {
  std::uint32_t uid = 0;
  std::string user;
  std::vector<std::string> groups;         ///< names, primary and supplementary
  std::vector<std::string> ancestor_exes;  ///< absolute paths, nearest (parent) first; "(deleted)" may follow
  /// Where the first process (pid 1) stands among them; -1: further up, or not known.
  int init_at = -1;
  std::vector<std::string> shells;  ///< absolute paths that count as shells besides the well-known names
  std::optional<Address> client;
  bool terminal = false;
};

struct Decision {
  const Rule* rule = nullptr;  ///< into the policy given; nullptr: no rule matched, the login passes
  Action action = Action::kPass;
  std::vector<std::string> trace;  ///< one printable line for each rule looked at, and the verdict
};

Decision decide(const Policy& policy, const LoginFacts& facts, bool with_trace = false);
Decision decide(Policy&&, const LoginFacts&, bool = false) = delete;  ///< Decision::rule would dangle

/// Whether any rule can look at LoginFacts::groups; if not, they need not be known.
bool asks_for_groups(const Policy& policy) noexcept;

/// Whether any login of this account could meet a rule that records or refuses: what starts it, from where
/// and on what is left open. Of `account` uid, user and groups count.
bool may_be_recorded(const Policy& policy, const LoginFacts& account);

/// IPv4 or IPv6 in the usual text forms; an IPv6 zone ("%eth0") is dropped.
std::optional<Address> parse_address(std::string_view text);

/// "192.0.2.1" for v4-mapped, else IPv6 in its short form.
std::string format_address(const Address& address);

bool address_in(const AddressRange& range, const Address& address) noexcept;

/// Whether a program path meets a name of the policy: a base name, or an absolute path. A replaced
/// binary's "(deleted)" does not matter.
bool program_matches(std::string_view exe, std::string_view name) noexcept;

}  // namespace opelog
