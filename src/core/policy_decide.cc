#include "core/policy_decide.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

#include "core/fact.h"
#include "core/policy_parse.h"

namespace opelog {
namespace {

constexpr std::string_view kDeleted = " (deleted)";
constexpr std::string_view kShells[] = {"sh", "bash", "dash", "zsh", "ksh", "fish", "tcsh", "csh"};

std::string_view base_name(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

std::string_view without_deleted(std::string_view exe) {
  if (exe.size() > kDeleted.size() && exe.substr(exe.size() - kDeleted.size()) == kDeleted) {
    exe.remove_suffix(kDeleted.size());
  }
  return exe;
}

bool any_program(const std::vector<std::string>& names, std::string_view exe) {
  return std::any_of(names.begin(), names.end(),
                     [&](const std::string& n) { return program_matches(exe, n); });
}

bool is_shell(const LoginFacts& facts, std::string_view exe) {
  const std::string_view path = without_deleted(exe);
  const auto* known = std::find(std::begin(kShells), std::end(kShells), base_name(path));
  return known != std::end(kShells) ||
         std::find(facts.shells.begin(), facts.shells.end(), path) != facts.shells.end();
}

// sshd runs ForceCommand and remote commands as `$SHELL -c`: one shell between does not hide the parent.
// Exactly one: deeper down it is no longer sshd that started the login.
bool parent_matches(const Match& match, const LoginFacts& facts) {
  const auto& exes = facts.ancestor_exes;
  if (!exes.empty() && any_program(match.parent, exes[0])) return true;
  return exes.size() > 1 && is_shell(facts, exes[0]) && any_program(match.parent, exes[1]);
}

// Whether what started the login has ended, so that nobody can say what it was. A user may kill the sshd that
// serves him while it starts his login.
bool orphan(const LoginFacts& facts) {
  return facts.init_at == 0 ||
         (facts.init_at == 1 && !facts.ancestor_exes.empty() && is_shell(facts, facts.ancestor_exes[0]));
}

bool contains(const std::vector<std::string>& list, const std::string& word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

std::string join(const std::vector<std::string>& list) {
  std::string text;
  for (const auto& item : list) text += (text.empty() ? "" : ", ") + item;
  return text.empty() ? "none" : text;
}

std::string describe(const std::vector<UidRange>& ranges) {
  std::vector<std::string> words;
  for (const auto& r : ranges) {
    std::string word = std::to_string(r.first);
    if (r.last == UINT32_MAX)
      word += "-";
    else if (r.last != r.first)
      word += "-" + std::to_string(r.last);
    words.push_back(std::move(word));
  }
  return join(words);
}

std::string describe(const std::vector<AddressRange>& ranges) {
  std::vector<std::string> words;
  words.reserve(ranges.size());
  for (const auto& r : ranges) words.push_back(r.text);
  return join(words);
}

// One condition of a rule: does it hold, and how to say so.
struct Checked {
  bool given;
  bool holds;
  const char* what;
};

Checked check_condition(const Rule& rule, const LoginFacts& f, int index) {
  const Match& m = rule.match;
  // To have lost one's parent never helps: it meets what records or refuses, and nothing that lets pass.
  const bool lost = rule.action != Action::kPass && orphan(f);
  switch (index) {
    case 0:
      return {!m.uid.empty(),
              std::any_of(m.uid.begin(), m.uid.end(),
                          [&](const UidRange& r) { return f.uid >= r.first && f.uid <= r.last; }),
              "uid"};
    case 1:
      return {!m.user.empty(), contains(m.user, f.user), "user"};
    case 2:
      return {!m.group.empty(),
              std::any_of(f.groups.begin(), f.groups.end(),
                          [&](const std::string& g) { return contains(m.group, g); }),
              "group"};
    case 3:
      return {!m.parent.empty(), lost || parent_matches(m, f), "parent"};
    case 4:
      return {!m.ancestor.empty(),
              lost || std::any_of(f.ancestor_exes.begin(), f.ancestor_exes.end(),
                                  [&](const std::string& e) { return any_program(m.ancestor, e); }),
              "ancestor"};
    case 5:
      return {!m.client.empty(),
              f.client && std::any_of(m.client.begin(), m.client.end(),
                                      [&](const AddressRange& r) { return address_in(r, *f.client); }),
              "client"};
    default:
      return {m.terminal.has_value(), m.terminal == f.terminal, "terminal"};
  }
}
constexpr int kConditions = 7;

// "is" and "wants" of one condition, for the trace only.
std::pair<std::string, std::string> say_condition(const Match& m, const LoginFacts& f, int index) {
  const auto yes_no = [](bool b) { return std::string(b ? "true" : "false"); };
  switch (index) {
    case 0:
      return {std::to_string(f.uid), describe(m.uid)};
    case 1:
      return {f.user, join(m.user)};
    case 2:
      return {join(f.groups), join(m.group)};
    case 3:
      return {f.ancestor_exes.empty() ? "none" : f.ancestor_exes[0], join(m.parent)};
    case 4:
      return {join(f.ancestor_exes), join(m.ancestor)};
    case 5:
      return {f.client ? format_address(*f.client) : "none", describe(m.client)};
    default:
      return {yes_no(f.terminal), yes_no(m.terminal.value_or(false))};
  }
}

// Whether all conditions hold; the trace line says why, or names the first that does not.
bool rule_matches(const Rule& rule, const LoginFacts& facts, std::vector<std::string>* trace) {
  std::string held;
  for (int i = 0; i < kConditions; ++i) {
    const Checked c = check_condition(rule, facts, i);
    if (!c.given) continue;
    if (!c.holds) {
      if (trace != nullptr) {
        const auto [is, wants] = say_condition(rule.match, facts, i);
        std::string why = "rule " + rule.name + ": no: ";
        why.append(c.what).append(" is ").append(is).append(", wants ").append(wants);
        trace->push_back(printable(why));
      }
      return false;
    }
    if (trace == nullptr) continue;
    held += held.empty() ? "" : "; ";
    held += c.what;
    held += ' ';
    held += say_condition(rule.match, facts, i).first;
  }
  if (trace != nullptr) {
    trace->push_back(
        printable("rule " + rule.name + ": yes: " + (held.empty() ? "it has no conditions" : held)));
  }
  return true;
}

}  // namespace

bool asks_for_groups(const Policy& policy) noexcept {
  return std::any_of(policy.rules.begin(), policy.rules.end(),
                     [](const Rule& rule) { return !rule.match.group.empty(); });
}

Decision decide(const Policy& policy, const LoginFacts& facts, bool with_trace) {
  Decision decision;
  for (const Rule& rule : policy.rules) {
    if (!rule_matches(rule, facts, with_trace ? &decision.trace : nullptr)) continue;
    decision.rule = &rule;
    decision.action = rule.action;
    break;
  }
  if (with_trace) {
    decision.trace.push_back(decision.rule != nullptr
                                 ? std::string("verdict: ") + action_word(decision.action)
                                 : "verdict: pass (no rule matched)");
  }
  return decision;
}

bool may_be_recorded(const Policy& policy, const LoginFacts& account) {
  for (const Rule& rule : policy.rules) {
    Rule open = rule;
    open.match.parent.clear();
    open.match.ancestor.clear();
    open.match.client.clear();
    open.match.terminal.reset();
    if (!rule_matches(open, account, nullptr)) continue;
    if (rule.action != Action::kPass) return true;
    const Match& m = rule.match;
    if (m.parent.empty() && m.ancestor.empty() && m.client.empty() && !m.terminal) return false;
  }
  return false;
}

std::optional<Address> parse_address(std::string_view text) {
  const std::size_t zone = text.find('%');
  const bool has_zone = zone != std::string_view::npos;
  const std::string plain(text.substr(0, zone));
  if (plain.find('\0') != std::string::npos) return std::nullopt;  // inet_pton would stop there
  Address address{};
  if (::inet_pton(AF_INET6, plain.c_str(), address.data()) == 1) return address;
  if (has_zone || ::inet_pton(AF_INET, plain.c_str(), address.data() + 12) != 1) return std::nullopt;
  address[10] = address[11] = 0xFF;
  return address;
}

std::string format_address(const Address& address) {
  constexpr unsigned char kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
  char text[INET6_ADDRSTRLEN] = "";
  if (std::memcmp(address.data(), kMapped, sizeof kMapped) == 0) {
    ::inet_ntop(AF_INET, address.data() + 12, text, sizeof text);
  } else {
    ::inet_ntop(AF_INET6, address.data(), text, sizeof text);
  }
  return text;
}

bool address_in(const AddressRange& range, const Address& address) noexcept {
  const std::size_t whole = std::min(range.prefix, 128u) / 8;
  if (std::memcmp(range.bytes, address.data(), whole) != 0) return false;
  const unsigned rest = range.prefix % 8;
  if (whole >= 16 || rest == 0) return true;
  const unsigned mask = 0xFFu << (8 - rest) & 0xFFu;
  return (range.bytes[whole] & mask) == (address[whole] & mask);
}

bool program_matches(std::string_view exe, std::string_view name) noexcept {
  exe = without_deleted(exe);
  if (exe.empty() || name.empty()) return false;
  return name.find('/') == std::string_view::npos ? base_name(exe) == name : exe == name;
}

}  // namespace opelog
