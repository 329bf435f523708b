#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <memory>

#include "cli/commands_io.h"
#include "cli/local_time_io.h"
#include "cli/report_text.h"
#include "cli/session_filter.h"
#include "cli/table.h"
#include "core/clock_io.h"
#include "core/fact.h"
#include "format/json_text.h"
#include "format/recording_directory_io.h"
#include "format/recording_reader_io.h"

namespace opelog::cli {
namespace {

struct ReportArguments {
  FilterWords filter;
  ReportFilter commands;
  std::string by;
  int status = -1;
  bool json = false, csv = false;
};

ReportBy by_of(const std::string& word) {
  if (word == "user") return ReportBy::kUser;
  if (word == "command") return ReportBy::kCommand;
  return word == "day" ? ReportBy::kDay : ReportBy::kNone;
}

// What every session's commands go to.
class Report {
 public:
  explicit Report(const ReportArguments& arguments)
      : arguments_(arguments),
        by_(by_of(arguments.by)),
        sums_(by_, [](WallUs at) { return format_local(at, "%Y-%m-%d"); }),
        table_({{"TIME", false, 0},
                {"USER", false, 0},
                {"FROM", false, 0},
                {"SESSION", false, 0},
                {"EXIT", true, 0},
                {"LENGTH", true, 0},
                {"COMMAND", false, 0}}) {}

  void add(const replay::SessionCommandList& list, const format::SessionInfo& info, const std::string& name) {
    for (const CommandRow& row : command_rows(list, info, {})) {
      const replay::Command& command = list.commands[row.command];
      if (!report_wants(arguments_.commands, command, info.started)) continue;
      if (by_ != ReportBy::kNone) {
        sums_.add(command, row, info);
      } else if (arguments_.json) {
        json_ += json_.empty() ? "\n" : ",\n";
        json_ += command_json(list, row.command, info, false);
      } else if (arguments_.csv) {
        csv_ += csv_line(row, info);
      } else {
        std::string text = printable(row.text);
        table_.add(
            {{info.started == 0 ? "-" : format_local(info.started + row.at_us, "%Y-%m-%d %H:%M:%S"), ""},
             {printable(info.user + (row.user.empty() || row.user == info.user ? "" : " as " + row.user)),
              ""},
             {info.client.empty() ? "-" : printable(info.client) + (info.client_claimed ? "?" : ""), ""},
             {info.id.empty() ? printable(name) : info.id.substr(0, 10), ""},
             {row.status, row.failed ? "31" : ""},
             {row.end_us >= row.at_us ? format_length(row.end_us - row.at_us) : "-", ""},
             {std::move(text), ""}});
      }
    }
  }

  [[nodiscard]] ExitCode end() {
    if (by_ != ReportBy::kNone) return print_sums();
    if (arguments_.json) return print("[" + json_ + (json_.empty() ? "]\n" : "\n]\n"));
    if (arguments_.csv) return print(csv_titles() + csv_);
    return print(table_.text(0, use_colour()));
  }

 private:
  [[nodiscard]] ExitCode print_sums() const {
    if (arguments_.json) {
      std::string out = "[";
      for (const auto& [key, sum] : sums_.sums()) {
        format::JsonObject object;
        object.text(arguments_.by, key).number_u("commands", sum.commands).number_u("failed", sum.failed);
        object.number_u("unknown", sum.unknown).number("length_us", sum.length_us);
        out += (out.size() > 1 ? ",\n" : "\n") + std::move(object).take();
      }
      return print(out + (sums_.sums().empty() ? "]\n" : "\n]\n"));
    }
    std::string title = arguments_.by;
    std::transform(title.begin(), title.end(), title.begin(),
                   [](char c) { return static_cast<char>(c - 32); });
    if (arguments_.csv) {
      std::string out = arguments_.by + ",commands,failed,unknown,seconds\r\n";
      for (const auto& [key, sum] : sums_.sums()) {
        std::string field;
        for (const char c : printable(key)) field += c == '"' ? std::string("\"\"") : std::string(1, c);
        out += '"' + field + "\"," + std::to_string(sum.commands) + ',' + std::to_string(sum.failed) + ',' +
               std::to_string(sum.unknown) + ',' + std::to_string(sum.length_us / kUsPerS) + "\r\n";
      }
      return print(out);
    }
    Table table({{title, false, 0},
                 {"COMMANDS", true, 0},
                 {"FAILED", true, 0},
                 {"UNKNOWN", true, 0},
                 {"LENGTH", true, 0}});
    for (const auto& [key, sum] : sums_.sums()) {
      table.add({{printable(key), ""},
                 {std::to_string(sum.commands), ""},
                 {std::to_string(sum.failed), sum.failed > 0 ? "31" : ""},
                 {std::to_string(sum.unknown), ""},
                 {format_length(sum.length_us), ""}});
    }
    return print(table.text(0, use_colour()));
  }

  const ReportArguments& arguments_;
  ReportBy by_;
  ReportSums sums_;
  Table table_;
  std::string json_, csv_;
};

struct Listed {
  WallUs started;
  std::string name;
};

// Those whose header is wanted, the oldest first.
Result<std::vector<Listed>> sessions_of(const std::string& directory, const SessionFilter& filter,
                                        ExitCode& worst) {
  const auto names = format::list_names(directory);
  if (!names) return names.error();
  const Calendar calendar = local_calendar();
  // A session that began before `since` may have commands after it.
  SessionFilter who = filter;
  who.since.reset();
  std::vector<Listed> listed;
  for (const std::string& name : *names) {
    if (!name_may_meet(who, name, calendar)) continue;
    const auto summary = format::summarise(directory, name);
    if (!summary) {
      if (summary.error().code != Code::kNotFound) worst = complain(summary.error());
      continue;
    }
    if (!meets_who(who, summary->info.user, summary->info.client)) continue;
    if (filter.until && summary->info.started > *filter.until) continue;
    listed.push_back({summary->info.started, name});
  }
  std::stable_sort(listed.begin(), listed.end(),
                   [](const Listed& a, const Listed& b) { return a.started < b.started; });
  return listed;
}

ExitCode run_report(ReportArguments& arguments, const Context& context) {
  SessionFilter filter;
  if (const auto wrong = read_filter(arguments.filter, wall_now(), local_calendar(), filter)) {
    remark(*wrong);
    return kUsage;
  }
  arguments.commands.since = filter.since;
  arguments.commands.until = filter.until;
  if (arguments.status >= 0) arguments.commands.status = arguments.status;
  const auto directory = context.recordings();
  if (!directory) return complain(directory.error());
  ExitCode worst = kOk;
  const auto sessions = sessions_of(*directory, filter, worst);
  if (!sessions) return complain(sessions.error());
  Report report(arguments);
  std::uint64_t missing = 0;
  for (const Listed& session : *sessions) {
    auto reader = format::RecordingReader::open(*directory + "/" + session.name);
    if (!reader) {
      if (reader.error().code != Code::kNotFound) worst = complain(reader.error());
      continue;
    }
    (*reader)->leave_out_holes(true);
    const auto list = replay::read_commands(**reader);
    missing += list.missing;
    report.add(list, (*reader)->info(), session.name);
    if (list.outcome == format::Outcome::kCorrupt)
      worst = complain({Code::kInvalid, session.name + ": " + list.problem, 0});
  }
  const ExitCode printed = report.end();
  if (missing > 0)
    remark(std::to_string(missing) + " or more events of processes are missing; the recordings say why");
  return printed != kOk ? printed : worst;
}

}  // namespace

void add_report(CLI::App& app, const Context& context, int& exit) {
  auto arguments = std::make_shared<ReportArguments>();
  auto* command =
      app.add_subcommand("report", "Who ran what, when, from where, with what result, over all sessions");
  command
      ->add_option("-u,--user", arguments->filter.users,
                   "Only of this user's sessions; may be given several times")
      ->type_name("USER")
      ->allow_extra_args(false);
  command->add_option("--since", arguments->filter.since, "Only commands begun then or later")
      ->type_name("TIME");
  command->add_option("--until", arguments->filter.until, "Only commands begun then or earlier")
      ->type_name("TIME");
  command->add_option("--client", arguments->filter.client, "Only from this address or range")
      ->type_name("ADDRESS[/BITS]");
  command->add_option("-c,--command", arguments->commands.command, "Only commands that contain this")
      ->type_name("TEXT");
  auto* failed = command->add_flag("--failed", arguments->commands.failed,
                                   "Only those with an exit status other than 0");
  command->add_option("--status", arguments->status, "Only those with this exit status (128 + signal)")
      ->type_name("N")
      ->check(CLI::Range(0, 255).description(""))
      ->excludes(failed);
  command->add_option("--by", arguments->by, "Sums instead of commands: by user, command or day")
      ->type_name("WHAT")
      ->check(CLI::IsMember({"user", "command", "day"}).description(""));
  auto* json = command->add_flag("--json", arguments->json, "An array of objects");
  command->add_flag("--csv", arguments->csv, "Comma-separated values, titles first")->excludes(json);
  command->footer(
      "Reads the recordings themselves; `opelog search --commands` asks the index. What was typed is read "
      "from\n"
      "the screen, which its user can forge: `opelog commands` says of each how it is known.\n"
      "\n"
      "Examples:\n"
      "  opelog report --since yesterday --failed\n"
      "  opelog report --user alice --command rm\n"
      "  opelog report --by command --since '2026-11-01' --csv\n");
  command->callback([arguments, &context, &exit] { exit = run_report(*arguments, context); });
}

}  // namespace opelog::cli
