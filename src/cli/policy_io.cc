#include <pwd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <memory>
#include <optional>

#include "cli/account_groups_io.h"
#include "cli/commands_io.h"
#include "core/fact.h"
#include "core/fd_io.h"
#include "core/policy_decide.h"
#include "core/policy_file_io.h"
#include "core/policy_parse.h"
#include "core/policy_warnings.h"
#include "format/json_text.h"

namespace opelog::cli {
namespace {

/// Bytes of a policy read for a check: ten thousand rules.
constexpr std::size_t kPolicyMaxBytes = 1 << 20;

struct CheckArguments {
  std::string file;
  bool json = false;
};

struct ExplainArguments {
  std::string file, user, client;
  std::optional<std::uint32_t> uid;
  std::vector<std::string> parents, groups;
  bool no_terminal = false, json = false;
};

std::string join(const std::vector<std::string>& parts, const char* between) {
  std::string out;
  for (const auto& part : parts) out += (out.empty() ? "" : between) + part;
  return out;
}

std::string json_strings(const std::vector<std::string>& list) {
  std::string out = "[";
  for (const auto& item : list) {
    if (out.size() > 1) out += ',';
    format::append_json_string(out, item);
  }
  return out + "]";
}

ExitCode run_check(const CheckArguments& arguments, const Context& context) {
  const std::string file = arguments.file.empty() ? context.config : arguments.file;
  const auto text = read_file(file, kPolicyMaxBytes);
  if (!text) return complain(text.error());
  const auto parsed = parse_policy_all(*text, file);
  std::vector<std::string> errors;
  for (const auto& error : parsed.errors) errors.push_back(error.message);
  // The installed file must also be root's: the daemon would refuse it otherwise.
  if (parsed.policy && file == kConfigFile) {
    if (const auto loaded = load_policy(file); !loaded) errors.push_back(loaded.error().message);
  }
  std::vector<std::string> warnings;
  if (parsed.policy) {
    warnings = policy_warnings(*parsed.policy, file);
    for (std::string& missing : missing_commands(*parsed.policy, file))
      warnings.push_back(std::move(missing));
  }
  if (arguments.json) {
    format::JsonObject json;
    json.text("file", file).boolean("valid", errors.empty()).raw("errors", json_strings(errors));
    json.raw("warnings", json_strings(warnings));
    if (const ExitCode printed = print(std::move(json).take() + "\n"); printed != kOk) return printed;
    return errors.empty() ? kOk : kInvalid;
  }
  for (const auto& error : errors) remark(error);
  for (const auto& warning : warnings) remark("warning: " + warning);
  if (!errors.empty()) return kInvalid;
  const std::size_t rules = parsed.policy->rules.size();
  return print(printable(file) + ": valid, " + std::to_string(rules) + (rules == 1 ? " rule" : " rules") +
               ", recordings in " + printable(parsed.policy->directory) + "\n");
}

// An absolute path for a bare program name, as the daemon would see it in /proc.
std::string program_path(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  for (const char* folder : {"/usr/sbin/", "/usr/bin/"}) {
    if (::access((folder + name).c_str(), X_OK) == 0) return folder + name;
  }
  return name;
}

std::optional<ExitCode> gather(const ExplainArguments& arguments, LoginFacts& facts) {
  const passwd* account = nullptr;
  if (!arguments.user.empty()) {
    account = ::getpwnam(arguments.user.c_str());
    if (account == nullptr && !arguments.uid) {
      remark("there is no user " + arguments.user + " here; give --uid as well");
      return kNotFound;
    }
  } else {
    account = ::getpwuid(*arguments.uid);
  }
  facts.uid = arguments.uid ? *arguments.uid : account->pw_uid;
  facts.user = !arguments.user.empty() ? arguments.user : account != nullptr ? account->pw_name : "";
  if (!arguments.groups.empty())
    facts.groups = arguments.groups;
  else if (account != nullptr)
    facts.groups = account_groups("", {account->pw_name, account->pw_uid, account->pw_gid, ""});
  for (const auto& parent : arguments.parents) facts.ancestor_exes.push_back(program_path(parent));
  ::setusershell();
  while (const char* shell = ::getusershell()) facts.shells.emplace_back(shell);
  ::endusershell();
  facts.terminal = !arguments.no_terminal;
  if (!arguments.client.empty()) {
    facts.client = parse_address(arguments.client);
    if (!facts.client) {
      remark("--client " + arguments.client + ": not an address");
      return kUsage;
    }
  }
  return std::nullopt;
}

// What nobody said about the login, in words; "" if everything was said.
std::string assumptions(const ExplainArguments& arguments) {
  std::string text;
  const auto assume = [&text](bool given, const char* what) {
    if (!given) text += (text.empty() ? "assumed: " : "; ") + std::string(what);
  };
  assume(!arguments.parents.empty(), "started by no program (for a login over ssh: --parent sshd)");
  assume(!arguments.client.empty(), "from no address (--client)");
  assume(arguments.no_terminal, "on a terminal (else --no-terminal)");
  return text;
}

ExitCode run_explain(const ExplainArguments& arguments, const Context& context) {
  if (arguments.user.empty() && !arguments.uid) {
    remark("who logs in? give --uid or --user");
    return kUsage;
  }
  const auto loaded = load_policy(arguments.file.empty() ? context.config : arguments.file, Trust::kAny);
  if (!loaded) return complain(loaded.error());
  LoginFacts facts;
  if (const auto wrong = gather(arguments, facts)) return *wrong;
  const Decision decision = decide(loaded->policy, facts, true);
  const std::string assumed = assumptions(arguments);
  if (!arguments.json)
    return print((assumed.empty() ? "" : assumed + "\n") + join(decision.trace, "\n") + "\n");
  format::JsonObject json;
  json.text("action", action_word(decision.action));
  if (decision.rule != nullptr)
    json.text("rule", decision.rule->name).number("line", decision.rule->line);
  else
    json.raw("rule", "null");
  json.number_u("uid", facts.uid).text("user", facts.user).raw("groups", json_strings(facts.groups));
  json.raw("ancestors", json_strings(facts.ancestor_exes)).boolean("terminal", facts.terminal);
  json.text("client", facts.client ? format_address(*facts.client) : "").text("assumed", assumed);
  json.raw("trace", json_strings(decision.trace));
  return print(std::move(json).take() + "\n");
}

}  // namespace

void add_policy(CLI::App& app, const Context& context, int& exit) {
  auto* policy = app.add_subcommand("policy", "Check the policy file, explain what it does to a login");
  policy->require_subcommand(1);
  policy->footer(
      "Examples:\n  opelog policy check draft.yaml\n  opelog policy explain --user alice --parent sshd\n");

  auto check = std::make_shared<CheckArguments>();
  auto* checked = policy->add_subcommand("check", "Is the file valid? Every complaint with line and column");
  checked->add_option("FILE", check->file, "Policy file instead of the installed one")->type_name("");
  checked->add_flag("--json", check->json, "One object: file, valid, errors");
  checked->footer(
      "Exit code 0 valid, 5 not.\n\nExamples:\n  opelog policy check\n  opelog policy check draft.yaml\n");
  checked->callback([check, &context, &exit] { exit = run_check(*check, context); });

  auto explain = std::make_shared<ExplainArguments>();
  auto* explained =
      policy->add_subcommand("explain", "Which rule a login meets, and why not the ones before");
  explained->add_option("FILE", explain->file, "Policy file instead of the installed one")->type_name("");
  explained->add_option("--uid", explain->uid, "User id")
      ->type_name("N")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{4294967295}).description(""));
  explained->add_option("-u,--user", explain->user, "User name")->type_name("USER");
  explained
      ->add_option("--parent", explain->parents,
                   "Programs above the login, nearest first, with commas between")
      ->type_name("PROGRAM")
      ->delimiter(',')
      ->allow_extra_args(false);
  explained->add_option("--group", explain->groups, "Groups instead of those the user has here")
      ->type_name("GROUP")
      ->delimiter(',')
      ->allow_extra_args(false);
  explained->add_option("--client", explain->client, "Address the login comes from")->type_name("ADDRESS");
  explained->add_flag("--no-terminal", explain->no_terminal,
                      "A command without a terminal (scp, ssh host cmd)");
  explained->add_flag("--json", explain->json, "One object: action, rule, trace, assumed, …");
  explained->footer(
      "Examples:\n"
      "  opelog policy explain --uid 5000 --parent sshd\n"
      "  opelog policy explain --user alice --parent bash,sshd --client 192.0.2.7 --no-terminal\n"
      "  opelog policy explain --user alice --parent sshd draft.yaml\n");
  explained->callback([explain, &context, &exit] { exit = run_explain(*explain, context); });
}

}  // namespace opelog::cli
