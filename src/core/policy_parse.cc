#include "core/policy_parse.h"

#include <algorithm>

#include "core/policy_values.h"
#include "core/yaml_values.h"

namespace opelog {
namespace {

using Reader = ValueReader;
template <typename T>
using Field = ValueReader::Field<T>;

constexpr int kSecond = 1000, kMinute = 60 * kSecond, kHour = 60 * kMinute;
constexpr std::size_t kMaxRules = 1000;   // each is looked at for every login
constexpr std::size_t kMaxGuarded = 256;  // each costs inotify watches and a rescan

// ---- the tables of keys: what stands here is the whole grammar

constexpr Field<Policy> kRecordings[] = {
    {"directory", [](Reader& r, const YamlNode& n, Policy& p) { r.path(n, true, p.directory); }},
    {"name", [](Reader& r, const YamlNode& n, Policy& p) { read_name_template(r, n, p); }},
    {"group", [](Reader& r, const YamlNode& n, Policy& p) { read_group(r, n, false, p.file_group); }},
    {"mode", [](Reader& r, const YamlNode& n, Policy& p) { read_mode(r, n, p.file_mode); }},
    {"append_only",
     [](Reader& r, const YamlNode& n, Policy& p) {
       r.word<AppendOnly>(n,
                          {{"required", AppendOnly::kRequired},
                           {"preferred", AppendOnly::kPreferred},
                           {"off", AppendOnly::kOff}},
                          p.append_only);
     }},
    {"sync_interval",
     [](Reader& r, const YamlNode& n, Policy& p) { r.duration(n, 0, 20 * kSecond, p.sync_interval_ms); }},
};

constexpr Field<Policy> kSeal[] = {
    {"ledger", [](Reader& r, const YamlNode& n, Policy& p) { r.path(n, true, p.seal_ledger); }},
    {"required", [](Reader& r, const YamlNode& n, Policy& p) { r.flag(n, p.seal_required); }},
    {"viewed", [](Reader& r, const YamlNode& n, Policy& p) { r.flag(n, p.seal_viewed); }},
};

constexpr Field<Match> kMatch[] = {
    {"uid", read_uids},
    {"user", [](Reader& r, const YamlNode& n, Match& m) { read_names(r, n, m.user); }},
    {"group", [](Reader& r, const YamlNode& n, Match& m) { read_names(r, n, m.group); }},
    {"parent", [](Reader& r, const YamlNode& n, Match& m) { read_programs(r, n, m.parent); }},
    {"ancestor", [](Reader& r, const YamlNode& n, Match& m) { read_programs(r, n, m.ancestor); }},
    {"client", read_clients},
    {"terminal",
     [](Reader& r, const YamlNode& n, Match& m) {
       bool value = false;
       r.flag(n, value);
       m.terminal = value;
     }},
};

void read_on_refuse(Reader& r, const YamlNode& n, OnRefuse& target) {
  r.word<OnRefuse>(n, {{"refuse", OnRefuse::kRefuse}, {"pass", OnRefuse::kPass}}, target);
}

constexpr Field<Rule> kRule[] = {
    {"name", read_rule_name},
    {"match", [](Reader& r, const YamlNode& n, Rule& rule) { r.map(n, kMatch, rule.match); }},
    {"action",
     [](Reader& r, const YamlNode& n, Rule& rule) {
       r.word<Action>(n, {{"record", Action::kRecord}, {"pass", Action::kPass}, {"refuse", Action::kRefuse}},
                      rule.action);
     }},
    {"input", [](Reader& r, const YamlNode& n, Rule& rule) { r.flag(n, rule.record_input); }},
    {"payload", [](Reader& r, const YamlNode& n, Rule& rule) { r.flag(n, rule.record_payload); }},
    {"notice", read_notice},
    {"on_start_failure",
     [](Reader& r, const YamlNode& n, Rule& rule) { read_on_refuse(r, n, rule.on_start_failure); }},
    {"on_write_failure",
     [](Reader& r, const YamlNode& n, Rule& rule) {
       r.word<OnFailure>(
           n, {{"hold", OnFailure::kHold}, {"cut", OnFailure::kCut}, {"continue", OnFailure::kContinue}},
           rule.on_write_failure);
     }},
    {"on_unrecorded",
     [](Reader& r, const YamlNode& n, Rule& rule) {
       r.word<OnUnrecorded>(n, {{"record", OnUnrecorded::kRecord}, {"end", OnUnrecorded::kEnd}},
                            rule.on_unrecorded);
     }},
};

void read_rules(Reader& r, const YamlNode& node, Policy& p) {
  r.list(node, true, [&](const YamlNode& n) {
    if (p.rules.size() >= kMaxRules) return;  // complained of below, once
    Rule rule;
    rule.line = n.mark.line;
    const auto present = r.map(n, kRule, rule);
    if (n.kind == YamlNode::Kind::kMap &&
        std::find(present.begin(), present.end(), "name") == present.end()) {
      r.fail(n, "a rule without a name; add 'name: WORD'");
    }
    for (const Rule& earlier : p.rules) {
      if (!rule.name.empty() && earlier.name == rule.name) {
        const auto key =
            std::find_if(n.keys.begin(), n.keys.end(), [](const YamlNode& k) { return k.text == "name"; });
        r.fail(n.items[static_cast<std::size_t>(key - n.keys.begin())],
               "the name '" + rule.name + "' again; the rule in line " + std::to_string(earlier.line) +
                   " has it: choose another");
      }
    }
    p.rules.push_back(std::move(rule));
  });
  if (node.items.size() > kMaxRules)
    r.fail(node, "more than " + std::to_string(kMaxRules) + " rules; merge some");
}

constexpr Field<GuardedDirectory> kGuarded[] = {
    {"path", [](Reader& r, const YamlNode& n, GuardedDirectory& g) { r.path(n, true, g.path); }},
    {"settle",
     [](Reader& r, const YamlNode& n, GuardedDirectory& g) { r.duration(n, 0, kMinute, g.settle_ms); }},
};

void read_guarded(Reader& r, const YamlNode& node, Policy& p) {
  r.list(node, true, [&](const YamlNode& n) {
    if (p.guard.size() >= kMaxGuarded) return;
    GuardedDirectory g;
    const auto present = r.map(n, kGuarded, g);
    if (n.kind == YamlNode::Kind::kMap &&
        std::find(present.begin(), present.end(), "path") == present.end()) {
      r.fail(n, "a directory without a path; add 'path: /DIRECTORY'");
    }
    for (const auto& earlier : p.guard) {
      if (!g.path.empty() && earlier.path == g.path) r.fail(n, "'" + g.path + "' again; remove one");
    }
    p.guard.push_back(std::move(g));
  });
  if (node.items.size() > kMaxGuarded)
    r.fail(node, "more than " + std::to_string(kMaxGuarded) + " directories; guard fewer");
}

constexpr std::size_t kMaxHeld = 10000;     // each is looked at for every recording
constexpr std::size_t kMaxHeldBytes = 255;  // a recording's name

constexpr Field<Hold> kHold[] = {
    {"user", [](Reader& r, const YamlNode& n, Hold& h) { r.text(n, kMaxHeldBytes, h.user); }},
    {"session", [](Reader& r, const YamlNode& n, Hold& h) { r.text(n, kMaxHeldBytes, h.session); }},
};

void read_holds(Reader& r, const YamlNode& node, Retention& retention) {
  r.list(node, true, [&](const YamlNode& n) {
    if (retention.hold.size() >= kMaxHeld) return;
    Hold hold;
    r.map(n, kHold, hold);
    // What is held by mistake costs space; what is not held by mistake is lost.
    if (n.kind == YamlNode::Kind::kMap && hold.user.empty() == hold.session.empty())
      r.fail(n, "holds nothing; write either 'user: NAME' or 'session: ID'");
    retention.hold.push_back(std::move(hold));
  });
  if (node.items.size() > kMaxHeld)
    r.fail(node, "more than " + std::to_string(kMaxHeld) + " entries; hold users instead of sessions");
}

constexpr Field<Retention> kRetention[] = {
    {"compress_after", [](Reader& r, const YamlNode& n, Retention& t) { r.age(n, t.compress_after_s); }},
    {"keep_for", [](Reader& r, const YamlNode& n, Retention& t) { r.age(n, t.keep_for_s); }},
    {"keep_at_least", [](Reader& r, const YamlNode& n, Retention& t) { r.age(n, t.keep_at_least_s); }},
    {"max_size", [](Reader& r, const YamlNode& n, Retention& t) { r.size(n, t.max_size); }},
    {"max_size_per_user", [](Reader& r, const YamlNode& n, Retention& t) { r.size(n, t.max_size_per_user); }},
    {"reserve", [](Reader& r, const YamlNode& n, Retention& t) { r.size(n, t.reserve); }},
    {"hold", read_holds},
};

void read_retention(Reader& r, const YamlNode& node, Policy& p) {
  r.map(node, kRetention, p.retention);
  const Retention& t = p.retention;
  if (t.keep_for_s > 0 && t.keep_for_s < t.keep_at_least_s)
    r.fail(node,
           "keep_for is shorter than keep_at_least, before which nothing is pruned; change one of them");
}

constexpr std::size_t kMaxHookWords = 64, kMaxHookBytes = 4096;

void read_hook_words(Reader& r, const YamlNode& node, std::vector<std::string>& words) {
  r.list_or_one(node, [&](const YamlNode& n) {
    std::string word;
    if (!r.text(n, kMaxHookBytes, word)) return;
    if (words.size() == kMaxHookWords) r.fail(n, "more than " + std::to_string(kMaxHookWords) + " words");
    words.push_back(std::move(word));
  });
}

constexpr Field<EventHook> kHook[] = {
    {"events",
     [](Reader& r, const YamlNode& n, EventHook& h) {
       read_hook_words(r, n, h.events);
       for (const std::string& word : h.events) {
         if (word.empty() || word.find_first_not_of("abcdefghijklmnopqrstuvwxyz-*") != word.npos ||
             word.find('*') < word.size() - 1)
           r.fail(n,
                  "'" + word + "' is no event; write a word of docs/operating.md, or its beginning and '*'");
       }
     }},
    {"command",
     [](Reader& r, const YamlNode& n, EventHook& h) {
       read_hook_words(r, n, h.command);
       if (!h.command.empty() && (h.command[0].empty() || h.command[0][0] != '/'))
         r.fail(n, "'" + h.command[0] + "' is no absolute path of a program");
     }},
    {"socket",
     [](Reader& r, const YamlNode& n, EventHook& h) {
       r.path(n, false, h.socket);
       if (h.socket.size() > kMaxSocketPath)
         r.fail(n, "longer than " + std::to_string(kMaxSocketPath) +
                       " bytes, which is what a socket's path may have");
     }},
};

void read_hooks(Reader& r, const YamlNode& node, Policy& p) {
  r.list(node, true, [&](const YamlNode& n) {
    EventHook hook;
    r.map(n, kHook, hook);
    if (n.kind == YamlNode::Kind::kMap && hook.events.empty())
      r.fail(n, "a hook that hears of nothing; add 'events: [WORD]', or '[\"*\"]' for all");
    if (n.kind == YamlNode::Kind::kMap && hook.command.empty() == hook.socket.empty())
      r.fail(n, "write either 'command: [/PROGRAM]' or 'socket: /PATH'");
    p.on_event.push_back(std::move(hook));
  });
  if (node.items.size() > kMaxEventHooks)
    r.fail(node, "more than " + std::to_string(kMaxEventHooks) + " hooks; let one tell several");
}

constexpr Field<Policy> kGuard[] = {
    {"directories", read_guarded},
    {"sweep",
     [](Reader& r, const YamlNode& n, Policy& p) { r.duration(n, kSecond, 24 * kHour, p.guard_sweep_ms); }},
};

constexpr Field<Policy> kLimits[] = {
    {"max_sessions",
     [](Reader& r, const YamlNode& n, Policy& p) { r.integer(n, 1, 100000, p.max_sessions); }},
    {"max_sessions_per_user",
     [](Reader& r, const YamlNode& n, Policy& p) { r.integer(n, 1, 100000, p.max_sessions_per_user); }},
    {"max_pending_logins",
     [](Reader& r, const YamlNode& n, Policy& p) { r.integer(n, 1, 65536, p.max_pending_logins); }},
    {"login_timeout",
     [](Reader& r, const YamlNode& n, Policy& p) { r.duration(n, 100, 10 * kMinute, p.login_timeout_ms); }},
    {"hold_timeout",
     [](Reader& r, const YamlNode& n, Policy& p) { r.duration(n, 100, 24 * kHour, p.hold_timeout_ms); }},
    {"end_grace",
     [](Reader& r, const YamlNode& n, Policy& p) { r.duration(n, 0, 10 * kMinute, p.end_grace_ms); }},
    {"session_size", [](Reader& r, const YamlNode& n, Policy& p) { r.size(n, p.session_size); }},
    {"output_rate", [](Reader& r, const YamlNode& n, Policy& p) { r.size(n, p.output_rate); }},
    {"output_rate_per_user",
     [](Reader& r, const YamlNode& n, Policy& p) { r.size(n, p.output_rate_per_user); }},
    {"on_output_rate",
     [](Reader& r, const YamlNode& n, Policy& p) {
       r.word<OnOutputRate>(
           n, {{"delay", OnOutputRate::kDelay}, {"drop", OnOutputRate::kDrop}, {"pass", OnOutputRate::kPass}},
           p.on_output_rate);
     }},
    {"idle_warning",
     [](Reader& r, const YamlNode& n, Policy& p) { r.duration(n, 0, 24 * kHour, p.idle_warning_ms); }},
    {"idle_end",
     [](Reader& r, const YamlNode& n, Policy& p) { r.duration(n, 0, 24 * kHour, p.idle_end_ms); }},
    {"disk_reserve", [](Reader& r, const YamlNode& n, Policy& p) { r.size(n, p.disk_reserve); }},
};

void read_limits(Reader& r, const YamlNode& node, Policy& p) {
  r.map(node, kLimits, p);
  if (p.idle_end_ms > 0 && p.idle_warning_ms >= p.idle_end_ms)
    r.fail(node, "idle_warning is not shorter than idle_end, so nobody would be warned; change one of them");
}

constexpr Field<Policy> kLog[] = {
    {"target",
     [](Reader& r, const YamlNode& n, Policy& p) {
       r.word<LogTarget>(n,
                         {{"journal", LogTarget::kJournal},
                          {"syslog", LogTarget::kSyslog},
                          {"file", LogTarget::kFile},
                          {"stderr", LogTarget::kStderr}},
                         p.log.target);
     }},
    {"file", [](Reader& r, const YamlNode& n, Policy& p) { r.path(n, false, p.log.file); }},
    {"level",
     [](Reader& r, const YamlNode& n, Policy& p) {
       r.word<Level>(n,
                     {{"debug", Level::kDebug},
                      {"info", Level::kInfo},
                      {"warning", Level::kWarning},
                      {"error", Level::kError}},
                     p.log.level);
     }},
};

constexpr Field<Policy> kTop[] = {
    {"version",
     [](Reader& r, const YamlNode& n, Policy&) {
       if (n.kind != YamlNode::Kind::kScalar || n.quoted || n.text != "1") {
         r.fail(n, "not a version this opelog knows; write 1");
       }
     }},
    {"recordings", [](Reader& r, const YamlNode& n, Policy& p) { r.map(n, kRecordings, p); }},
    {"seal", [](Reader& r, const YamlNode& n, Policy& p) { r.map(n, kSeal, p); }},
    {"retention", read_retention},
    {"rules", read_rules},
    {"daemon_absent", [](Reader& r, const YamlNode& n, Policy& p) { read_on_refuse(r, n, p.daemon_absent); }},
    {"break_glass_group",
     [](Reader& r, const YamlNode& n, Policy& p) { read_group(r, n, true, p.break_glass_group); }},
    {"unrecorded_scan",
     [](Reader& r, const YamlNode& n, Policy& p) { r.duration(n, 0, kHour, p.unrecorded_scan_ms); }},
    {"guard", [](Reader& r, const YamlNode& n, Policy& p) { r.map(n, kGuard, p); }},
    {"limits", read_limits},
    {"on_event", read_hooks},
    {"log", [](Reader& r, const YamlNode& n, Policy& p) { r.map(n, kLog, p); }},
};

void read_policy(Reader& r, const YamlNode& root, Policy& p) {
  if (root.kind == YamlNode::Kind::kNull) {
    return r.fail_at({}, "an empty policy; copy /usr/share/doc/opelog/opelog.yaml and change it");
  }
  const auto present = r.map(root, kTop, p);
  if (root.kind != YamlNode::Kind::kMap) return;
  const auto has = [&](std::string_view key) {
    return std::find(present.begin(), present.end(), key) != present.end();
  };
  if (!has("version")) r.fail_at({}, "no key 'version'; add the line 'version: 1'");
  // Without rules nothing is recorded: that must be somebody's will, never a forgotten block.
  if (!has("rules"))
    r.fail_at({}, "no key 'rules', so nothing would be recorded; add rules, or 'rules: []' if that is meant");
}

template <typename T, std::size_t N>
void add_keys(std::vector<std::string>& keys, const std::string& prefix, const Field<T> (&fields)[N]) {
  for (const auto& field : fields) keys.push_back(prefix + field.name);
}

}  // namespace

ParsedPolicy parse_policy_all(std::string_view yaml, const std::string& file_name) {
  ParsedPolicy parsed;
  auto tree = parse_yaml(yaml, file_name);
  if (!tree) {
    parsed.errors.push_back(std::move(tree).error());
    return parsed;
  }
  Reader reader;
  Policy policy;
  read_policy(reader, *tree, policy);
  for (const auto& complaint : reader.take()) {
    if (parsed.errors.size() == kMaxPolicyErrors) break;
    parsed.errors.push_back(error_at(file_name, complaint.mark, complaint.message));
  }
  if (parsed.errors.empty()) parsed.policy = std::move(policy);
  return parsed;
}

Result<Policy> parse_policy(std::string_view yaml, const std::string& file_name) {
  ParsedPolicy parsed = parse_policy_all(yaml, file_name);
  if (parsed.policy) return std::move(*parsed.policy);
  Error first = std::move(parsed.errors.front());
  const std::size_t more = parsed.errors.size() - 1;
  if (more > 0) first.message += " (and " + std::to_string(more) + " more: opelog policy check)";
  return first;
}

std::vector<std::string> policy_keys() {
  std::vector<std::string> keys;
  add_keys(keys, "", kTop);
  add_keys(keys, "recordings.", kRecordings);
  add_keys(keys, "seal.", kSeal);
  add_keys(keys, "retention.", kRetention);
  add_keys(keys, "retention.hold[].", kHold);
  add_keys(keys, "on_event[].", kHook);
  add_keys(keys, "rules[].", kRule);
  add_keys(keys, "rules[].match.", kMatch);
  add_keys(keys, "guard.", kGuard);
  add_keys(keys, "guard.directories[].", kGuarded);
  add_keys(keys, "limits.", kLimits);
  add_keys(keys, "log.", kLog);
  return keys;
}

const char* action_word(Action action) noexcept {
  return action == Action::kRecord ? "record" : action == Action::kPass ? "pass" : "refuse";
}
const char* on_refuse_word(OnRefuse what) noexcept {
  return what == OnRefuse::kRefuse ? "refuse" : "pass";
}
const char* on_failure_word(OnFailure what) noexcept {
  return what == OnFailure::kHold ? "hold" : what == OnFailure::kCut ? "cut" : "continue";
}
const char* append_only_word(AppendOnly what) noexcept {
  return what == AppendOnly::kRequired ? "required" : what == AppendOnly::kPreferred ? "preferred" : "off";
}

}  // namespace opelog
