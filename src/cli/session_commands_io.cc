#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "cli/commands_io.h"
#include "cli/csv_text.h"
#include "cli/session_commands_text.h"
#include "cli/session_text.h"
#include "cli/table.h"
#include "cli/time_text.h"
#include "cli/viewed_io.h"
#include "core/clock_io.h"
#include "core/fact.h"

namespace opelog::cli {
namespace {

struct CommandsArguments {
  std::string session;
  CommandFilter filter;
  bool json = false, csv = false;
};

ExitCode print_commands(const replay::SessionCommandList& list, const format::SessionInfo& info,
                        const CommandFilter& filter) {
  const auto rows = command_rows(list, info, filter);
  Table table({{"#", true, 0},
               {"AT", true, 0},
               {"TIME", false, 0},
               {"USER", false, 0},
               {"EXIT", true, 0},
               {"LENGTH", true, 0},
               {"KNOWN", false, 0},
               {"COMMAND", false, 0}});
  for (const CommandRow& row : rows) {
    const std::string indent(row.depth > 0 ? 2 * static_cast<std::size_t>(std::min(row.depth, 20)) : 0, ' ');
    table.add({{row.number > 0 ? std::to_string(row.number) : "", ""},
               {format_length(row.at_us), ""},
               {info.started == 0 ? "-" : format_local(info.started + row.at_us, "%H:%M:%S"), ""},
               {row.user.empty() ? "-" : printable(row.user), ""},
               {row.status, row.failed ? "31" : ""},
               {row.end_us >= row.at_us ? format_length(row.end_us - row.at_us) : "-", ""},
               {row.known, ""},
               {indent + replay::command_on_one_line(marked_text(row)), ""}});
  }
  return print(table.text(0, use_colour()));
}

ExitCode print_json(const replay::SessionCommandList& list, const format::SessionInfo& info,
                    const CommandFilter& filter) {
  std::string out = "[";
  bool first = true;
  const auto rows = command_rows(list, info, filter);
  std::size_t told = SIZE_MAX;
  for (const CommandRow& row : rows) {
    if (row.command == told) continue;  // its processes are in it
    told = row.command;
    out += first ? "\n" : ",\n";
    first = false;
    out += command_json(list, row.command, info, filter.all, row.command == rows.back().command);
  }
  if (first) {
    if (const std::string lacks = lacking_json(list, info, ""); !lacks.empty()) {
      out += "\n" + lacks;
      first = false;
    }
  }
  return print(out + (first ? "]\n" : "\n]\n"));
}

// What the list cannot know is said beside it, so that no list passes for a whole one.
void remark_what_is_missing(const replay::SessionCommandList& list, const format::RecordingReader& reader,
                            bool all) {
  if (list.missing > 0)
    remark(std::to_string(list.missing) + " or more events of processes are missing; the recording says why");
  if (list.gaps > 0)
    remark("output is missing in " + counted(list.gaps, "place") +
           ", and lines that were typed there; the recording says why");
  if (list.left_out > 0)
    remark("too much for one list: " + std::to_string(list.left_out) +
           " later lines and processes are left out; `opelog search` finds them");
  const auto before = std::count_if(list.events.begin(), list.events.end(),
                                    [](const replay::ExecEvent& event) { return event.before_us > 0; });
  if (before > 0 && !all)
    remark(std::to_string(before) +
           " programs ran before the recording began (start-up files ahead of a hook); --all lists them");
  if (list.unreadable > 0) remark(std::to_string(list.unreadable) + " notes of processes cannot be read");
  if (list.events.empty() && reader.native())
    remark("the recording has no events of processes: what is listed was read from the screen");
}

ExitCode run_commands(const CommandsArguments& arguments, const Context& context) {
  auto reader = open_session(context, arguments.session, format::View::kCommands);
  if (!reader) return complain(reader.error());
  const format::SessionInfo info = (*reader)->info();
  const auto list = replay::read_commands(**reader);
  ExitCode printed = kOk;
  if (arguments.json) {
    printed = print_json(list, info, arguments.filter);
  } else if (arguments.csv) {
    std::string out = csv_titles();
    for (const CommandRow& row : command_rows(list, info, arguments.filter)) out += csv_line(row, info);
    printed = print(out);
  } else {
    printed = print_commands(list, info, arguments.filter);
  }
  if (printed != kOk) return printed;
  remark_what_is_missing(list, **reader, arguments.filter.all);
  if (list.outcome == format::Outcome::kCorrupt)
    return complain({Code::kInvalid, arguments.session + ": " + list.problem, 0});
  return list.outcome == format::Outcome::kTorn ? kNo : kOk;
}

}  // namespace

void add_commands(CLI::App& app, const Context& context, int& exit) {
  auto arguments = std::make_shared<CommandsArguments>();
  auto* command = app.add_subcommand("commands", "What was run in a session, with exit status and place");
  command->add_option("SESSION", arguments->session, "Beginning of a name or id, or a path")
      ->type_name("")
      ->required();
  command->add_flag("-a,--all", arguments->filter.all,
                    "Every process below its command, and what the shell ran for itself");
  command->add_flag("--failed", arguments->filter.failed, "Only commands with an exit status that is not 0");
  auto* json = command->add_flag("--json", arguments->json, "An array of objects");
  command->add_flag("--csv", arguments->csv, kCsvHelp)->excludes(json);
  command->footer(
      "KNOWN: both (typed, and programs ran), screen (typed, no program ran: a builtin), exec (no typed "
      "line\n"
      "explains it), helper (with --all: start-up files, completion), before (with --all: start-up files, "
      "ahead\n"
      "of the hook that began the recording). A \"?\" behind it: perhaps left by Ctrl-C.\n"
      "What was typed is read from the screen, which its user can forge; exec is the kernel's word.\n"
      "# is what `play --command` takes, AT what `play --at` takes. Exit code 1 for a torn recording, 5 for "
      "a corrupt one.\n"
      "\n"
      "Examples:\n"
      "  opelog commands 4f2a\n"
      "  opelog commands --failed 4f2a\n"
      "  opelog commands --all --json 4f2a | jq '.[].processes[].exe'\n");
  command->callback([arguments, &context, &exit] { exit = run_commands(*arguments, context); });
}

}  // namespace opelog::cli
