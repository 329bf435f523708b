#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <exception>
#include <string>
#include <vector>

#include "cli/commands_io.h"
#include "core/fd_io.h"
#include "core/yaml_values.h"

namespace opelog::cli {
namespace {

constexpr const char* kDescription = "Reads what opelog has recorded, and looks after the installation.";
constexpr const char* kFooter =
    "A SESSION is the beginning of a session's name or id, as `opelog ls` shows them, if only one begins "
    "so;\n"
    "or the path of a recording, also of one made by script(1).\n"
    "\n"
    "Examples:\n"
    "  opelog ls --since today            who was here today\n"
    "  opelog play 4f2a                   replay the one session whose id or name begins so\n"
    "  opelog tail -f 3fa9                watch a live session\n"
    "  opelog search 'rm -rf' -u alice    what was typed, run and shown, in all sessions\n"
    "  opelog verify                      was anything changed or taken away?\n"
    "  opelog doctor                      is everything in order?\n"
    "\n"
    "Exit codes: 0 done, 1 no or something found, 2 usage, 3 not found, 4 denied, 5 invalid, 6 daemon not\n"
    "reachable, 7 failed, 8 unproven, 9 altered. `opelog COMMAND --help` tells more.\n";

// Of an option that is none.
std::string nearest_option(const CLI::App& app, const CLI::App& at) {
  std::vector<std::string> options;
  for (const CLI::App* of : {&at, &app})  // the shared ones may stand anywhere
    for (const CLI::Option* option : of->get_options())
      for (const std::string& name : option->get_lnames()) options.push_back("--" + name);
  const std::vector<std::string_view> known(options.begin(), options.end());
  for (const std::string& word : app.remaining(true))
    if (word.rfind("--", 0) == 0) return did_you_mean(word.substr(0, word.find('=')), known);
  return "";
}

// What stands where a command is wanted: CLI11 says only that one is.
std::string unknown_word(const CLI::App& app, const CLI::App& at, const std::string& name) {
  const auto words = app.remaining(true);
  if (words.empty()) return "";
  const std::string& word = words.front();
  if (!word.empty() && word[0] == '-')
    return "'" + word + "' is no option of " + name + nearest_option(app, at);
  std::vector<std::string_view> known;
  for (const CLI::App* command : at.get_subcommands({})) known.emplace_back(command->get_name());
  return "'" + word + "' is no command of " + name + did_you_mean(word, known);
}

int usage(const CLI::ParseError& error, const CLI::App& app) {
  const CLI::App* at = &app;  // the innermost command that was named
  std::string name = "opelog";
  while (!at->get_subcommands().empty()) {
    at = at->get_subcommands().front();
    name += ' ' + at->get_name();
  }
  std::string what = error.what();
  if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError))
    what += nearest_option(app, *at);
  if (error.get_name() == "RequiredError" && !at->get_subcommands({}).empty()) {
    if (const std::string word = unknown_word(app, *at, name); !word.empty()) what = word;
  }
  remark(what + (what.back() == '?' ? " `" : "; `") + name + " --help` tells what is possible");
  return kUsage;
}

// `opelog help COMMAND` is `opelog COMMAND --help`.
std::vector<std::string> arguments_of(int argc, char** argv) {
  std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
  if (!words.empty() && words.front() == "help") {
    words.erase(words.begin());
    words.emplace_back("--help");
  }
  std::reverse(words.begin(), words.end());  // as CLI11 wants them
  return words;
}

int run_parsed(int argc, char** argv) {
  Context context;
  int exit = kOk;
  CLI::App app(kDescription, "opelog");
  app.footer(kFooter);
  app.set_version_flag("-V,--version", "opelog " OPELOG_VERSION);
  app.require_subcommand(1);
  app.fallthrough();  // the three below may stand behind the subcommand too; subcommands inherit this
  app.add_option("--config", context.config, "Policy file")
      ->type_name("FILE")
      ->capture_default_str()
      ->each([&context](const std::string&) { context.config_given = true; });
  app.add_option("--directory", context.directory, "Directory of recordings instead of the policy's")
      ->type_name("DIR");
  app.add_option("--control", context.control, "Control socket of the daemon")
      ->type_name("SOCKET")
      ->capture_default_str();
  add_ls(app, context, exit);
  add_play(app, context, exit);
  add_show(app, context, exit);
  add_commands(app, context, exit);
  add_report(app, context, exit);
  add_tail(app, context, exit);
  add_export(app, context, exit);
  add_search(app, context, exit);
  add_index(app, context, exit);
  add_verify(app, context, exit);
  add_prove(app, context, exit);
  add_key(app, context, exit);
  add_retain(app, context, exit);
  add_status(app, context, exit);
  add_kill(app, context, exit);
  add_policy(app, context, exit);
  add_rec(app, context, exit);
  add_enroll(app, context, exit);
  add_doctor(app, context, exit);
  add_guard(app, context, exit);
  add_daemon(app, context, exit);
  try {
    if (argc > 2 && std::string_view(argv[1]) == "help") {
      std::vector<std::string> names;
      for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
      if (std::find(names.begin(), names.end(), argv[2]) == names.end()) {
        remark("'" + std::string(argv[2]) + "' is no command of opelog" +
               did_you_mean(argv[2], {names.begin(), names.end()}));
        return kUsage;
      }
    }
    app.parse(arguments_of(argc, argv));
  } catch (const CLI::CallForHelp&) {
    return print(app.help());  // of the innermost command that was named
  } catch (const CLI::CallForAllHelp&) {
    return print(app.help("", CLI::AppFormatMode::All));
  } catch (const CLI::CallForVersion&) {
    return print("opelog " OPELOG_VERSION "\n");
  } catch (const CLI::ParseError& error) {
    return usage(error, app);
  }
  return exit;
}

}  // namespace

int run(int argc, char** argv) noexcept {
  try {
    return run_parsed(argc, argv);
  } catch (const std::exception& error) {
    try {
      remark(std::string("internal error: ") + error.what() + "; please report it with the command line");
    } catch (const std::exception&) {
      return kFailed;
    }
  }
  return kFailed;
}

}  // namespace opelog::cli
