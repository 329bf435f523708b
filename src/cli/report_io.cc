#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <memory>

#include "cli/commands_io.h"
#include "cli/csv_text.h"
#include "cli/local_time_io.h"
#include "cli/report_text.h"
#include "cli/report_views_io.h"
#include "cli/session_filter.h"
#include "cli/table.h"
#include "cli/viewed_io.h"
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
  bool json = false, csv = false, views = false;
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
                {"KNOWN", false, 0},
                {"COMMAND", false, 0}}) {}

  // What needs no other session is printed at once.
  [[nodiscard]] ExitCode add(const replay::SessionCommandList& list, const format::SessionInfo& info,
                             const std::string& name) {
    const ReportRows report = report_rows(list, info, arguments_.commands);
    helpers_ += report.helpers;
    processes_ += report.processes;
    std::string out;
    rows_ += report.rows.size();
    if (const bool over = arguments_.commands.since && info.started != 0 &&
                          info.started + list.length_us < *arguments_.commands.since;
        !over) {
      missing_ += list.missing;
      gaps_ += list.gaps;
      if (report.rows.empty() && arguments_.json && by_ == ReportBy::kNone) {
        if (const std::string lacks = lacking_json(list, info, name); !lacks.empty()) {
          out += (begun_ ? ",\n" : "[\n") + lacks;
          begun_ = true;
        }
      }
    }
    for (const CommandRow& row : report.rows) {
      const std::string time =
          info.started == 0 ? "" : format_local(info.started + row.at_us, "%Y-%m-%d %H:%M:%S");
      if (by_ != ReportBy::kNone) {
        sums_.add(row, info);
      } else if (arguments_.json) {
        out += (begun_ ? ",\n" : "[\n") + report_json(list, row, info, name, &row == &report.rows.back());
        begun_ = true;
      } else if (arguments_.csv) {
        out += (begun_ ? "" : report_csv_titles()) + report_csv_line(row, info, name, time);
        begun_ = true;
      } else {
        const int depth = arguments_.commands.all ? std::clamp(row.depth, 0, 20) : 0;
        std::string text =
            std::string(2 * static_cast<std::size_t>(depth), ' ') + printable(marked_text(row));
        table_.add(
            {{time.empty() ? "-" : time, ""},
             {printable(info.user + (row.user.empty() || row.user == info.user ? "" : " as " + row.user)),
              ""},
             {info.client.empty() ? "-" : printable(info.client) + (info.client_claimed ? "?" : ""), ""},
             {info.id.empty() ? printable(name) : info.id.substr(0, 10), ""},
             {row.status, row.failed ? "31" : ""},
             {row.end_us >= row.at_us ? format_length(row.end_us - row.at_us) : "-", ""},
             {row.known, ""},
             {std::move(text), ""}});
      }
    }
    return out.empty() ? kOk : print(out);
  }

  [[nodiscard]] ExitCode end() {
    if (by_ != ReportBy::kNone) return print_sums();
    if (arguments_.json) return print(begun_ ? "\n]\n" : "[]\n");
    if (arguments_.csv) return begun_ ? kOk : print(report_csv_titles());
    return print(table_.text(0, use_colour()));
  }

  // No list passes for a whole one.
  void remark_what_is_left_out() const {
    if (rows_ == 0) remark("no command is in this report");
    if (helpers_ + processes_ > 0)
      remark("left out: " + std::to_string(helpers_) + " that shells ran for themselves, " +
             std::to_string(processes_) + " processes of commands; --all lists them");
    if (missing_ > 0)
      remark(std::to_string(missing_) + " or more events of processes are missing; the recordings say why");
    if (gaps_ > 0)
      remark("output is missing in " + counted(gaps_, "place") +
             ", and lines that were typed there; the recordings say why");
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
        out += csv_text(key) + ',' + std::to_string(sum.commands) + ',' + std::to_string(sum.failed) + ',' +
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
  bool begun_ = false;  ///< something was printed
  std::uint64_t helpers_ = 0, processes_ = 0;
  std::size_t rows_ = 0;
  std::uint64_t missing_ = 0, gaps_ = 0;  ///< of the sessions that reach into the time asked for
};

struct Listed {
  WallUs started;
  std::string name;
};

// Those whose header is wanted, the oldest first.
Result<std::vector<Listed>> sessions_of(const std::string& directory, const SessionFilter& filter,
                                        ExitCode& worst) {
  const auto list = format::list_recordings(directory);
  if (!list) return list.error();
  const Calendar calendar = local_calendar();
  // A session that began before `since` may have commands after it.
  SessionFilter who = filter;
  who.since.reset();
  std::vector<Listed> listed;
  for (const std::string& name : list->names) {
    if (!name_may_meet(who, name, calendar)) continue;
    const auto summary = format::summarise(directory, name, &*list);
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
  if (arguments.views) return report_views(context, filter, arguments.json, arguments.csv);
  arguments.commands.since = filter.since;
  arguments.commands.until = filter.until;
  if (arguments.status >= 0) arguments.commands.status = arguments.status;
  const auto directory = context.recordings();
  if (!directory) return complain(directory.error());
  ExitCode worst = kOk;
  const auto sessions = sessions_of(*directory, filter, worst);
  if (!sessions) return complain(sessions.error());
  tell_viewed(context, *directory, "", format::View::kReport);
  Report report(arguments);
  for (const Listed& session : *sessions) {
    auto reader = format::RecordingReader::open(*directory + "/" + session.name);
    if (!reader) {
      if (reader.error().code != Code::kNotFound) worst = complain(reader.error());
      continue;
    }
    (*reader)->leave_out_holes(true);
    const auto list = replay::read_commands(**reader);
    if (list.left_out > 0)
      remark(session.name + ": too much for one list: " + std::to_string(list.left_out) +
             " later lines and processes are left out; `opelog search` finds them");
    if (const ExitCode printed = report.add(list, (*reader)->info(), session.name); printed != kOk)
      return printed;
    if (list.outcome == format::Outcome::kCorrupt)
      worst = complain({Code::kInvalid, session.name + ": " + list.problem, 0});
  }
  const ExitCode printed = report.end();
  report.remark_what_is_left_out();
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
  auto* client = command->add_option("--client", arguments->filter.client, "Only from this address or range")
                     ->type_name("ADDRESS[/BITS]");
  auto* all = command->add_flag("-a,--all", arguments->commands.all,
                                "Every process behind its command, and what shells ran for themselves");
  auto* text = command
                   ->add_option("-c,--command", arguments->commands.command,
                                "Only what contains this, of all that ran")
                   ->type_name("TEXT");
  auto* failed = command->add_flag("--failed", arguments->commands.failed,
                                   "Only what had an exit status other than 0, of all that ran");
  auto* status =
      command->add_option("--status", arguments->status, "Only those with this exit status (128 + signal)")
          ->type_name("N")
          ->check(CLI::Range(0, 255).description(""))
          ->excludes(failed);
  auto* by = command->add_option("--by", arguments->by, "Sums instead of commands: by user, command or day")
                 ->type_name("WHAT")
                 ->check(CLI::IsMember({"user", "command", "day"}).description(""));
  auto* json = command->add_flag("--json", arguments->json, "An array of objects");
  command->add_flag("--csv", arguments->csv, kCsvHelp)->excludes(json);
  auto* views = command->add_flag("--views", arguments->views,
                                  "Instead: which auditor read what with opelog, as the ledger says");
  for (auto* other : {client, all, text, failed, status, by}) views->excludes(other);
  command->footer(
      "Reads the recordings themselves; `opelog search --commands` asks the index. What was typed is read "
      "from\n"
      "the screen, which its user can forge: KNOWN is as in `opelog commands`. Without --all only commands "
      "are\n"
      "listed; --command, --failed and --status look at every process too, so at those of scripts. A "
      "process\n"
      "that says the same as its command is left out.\n"
      "\n"
      "Examples:\n"
      "  opelog report --since yesterday --failed\n"
      "  opelog report --user alice --command rm\n"
      "  opelog report --by command --since '2026-11-01' --csv\n"
      "  opelog report --views --since yesterday\n");
  command->callback([arguments, &context, &exit] { exit = run_report(*arguments, context); });
}

}  // namespace opelog::cli
