#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <optional>

#include "cli/commands_io.h"
#include "cli/csv_text.h"
#include "cli/local_time_io.h"
#include "cli/session_filter.h"
#include "cli/session_text.h"
#include "cli/table.h"
#include "core/clock_io.h"
#include "format/recording_directory_io.h"
#include "format/recording_name.h"

namespace opelog::cli {
namespace {

constexpr std::size_t kIdShown =
    10;  ///< hex digits on a terminal: 100,000 sessions collide in 1 of 200 lists

struct LsOptions {
  FilterWords filter;
  bool live = false, json = false, csv = false, reverse = false;
  std::size_t limit = 0;
};

struct Candidate {
  std::string name;
  std::string time;  ///< digits from the name, "" if it has another form
};

// What the name alone can rule out, so that most files of a big directory are never opened.
std::vector<Candidate> candidates(const std::vector<std::string>& names, const SessionFilter& filter) {
  const Calendar calendar = local_calendar();
  std::vector<Candidate> kept;
  kept.reserve(names.size());
  for (const auto& name : names) {
    if (!name_may_meet(filter, name, calendar)) continue;
    const auto parts = format::parse_name(name);
    kept.push_back({name, parts ? parts->time : ""});
  }
  std::stable_sort(kept.begin(), kept.end(), [](const auto& a, const auto& b) { return a.time < b.time; });
  return kept;
}

bool wanted(const SessionFilter& filter, bool live, const format::RecordingSummary& summary) {
  if (live && summary.state != format::RecordingState::kLive) return false;
  if (filter.since && summary.info.started < *filter.since) return false;
  if (filter.until && summary.info.started > *filter.until) return false;
  return meets_who(filter, summary.info.user, summary.info.client);
}

ExitCode show_table(const std::vector<format::RecordingSummary>& list) {
  const WallUs now = wall_now();
  const auto width = static_cast<std::size_t>(terminal_width());
  Table table({{"SESSION", false, kIdShown},
               {"USER", false, 8},
               {"FROM", false, 9},
               {"START", false, 0},
               {"LENGTH", true, 0},
               {"EXIT", true, 0},
               {"SIZE", true, 0},
               {"STATE", false, 0}});
  for (const auto& s : list) {
    std::string session = s.info.id.empty() ? s.name : width > 0 ? s.info.id.substr(0, kIdShown) : s.info.id;
    std::string from = s.info.client.empty() ? "-" : s.info.client;
    if (s.info.client_claimed) from += "?";
    table.add({{session, ""},
               {s.info.user + (user_claimed(s) ? "?" : ""), ""},
               {from, ""},
               {s.info.started == 0 ? "-" : format_local(s.info.started, "%Y-%m-%d %H:%M:%S"), ""},
               {format_length(length_of(s, now)), ""},
               {ending_text(s.end), ""},
               {size_text(s), ""},
               {format::state_word(s.state), state_colour(s.state)}});
  }
  return print(table.text(width, use_colour()));
}

ExitCode show_json(const std::vector<format::RecordingSummary>& list) {
  std::string out = "[";
  for (const auto& s : list) {
    out += out.size() > 1 ? ",\n" : "\n";
    out += summary_json(s);
  }
  return print(out + (list.empty() ? "]\n" : "\n]\n"));
}

ExitCode show_csv(const std::vector<format::RecordingSummary>& list) {
  const WallUs now = wall_now();
  std::string out = summary_csv_titles();
  for (const auto& s : list) {
    out += summary_csv_line(s, s.info.started == 0 ? "" : format_local(s.info.started, "%Y-%m-%d %H:%M:%S"),
                            now);
  }
  return print(out);
}

ExitCode run_ls(const LsOptions& options, const Context& context) {
  SessionFilter filter;
  if (const auto wrong = read_filter(options.filter, wall_now(), local_calendar(), filter)) {
    remark(*wrong);
    return kUsage;
  }
  const auto directory = context.recordings();
  if (!directory) return complain(directory.error());
  const auto recordings = format::list_recordings(*directory);
  if (!recordings) return complain(recordings.error());
  const auto kept = candidates(recordings->names, filter);
  std::vector<format::RecordingSummary> list;
  ExitCode worst = kOk;
  for (auto it = kept.rbegin(); it != kept.rend();
       ++it) {  // newest first, so that --limit need not read the rest
    auto summary = format::summarise(*directory, it->name, &*recordings);
    if (!summary) {
      if (summary.error().code == Code::kNotFound) continue;  // removed meanwhile
      worst = complain(summary.error());
      continue;
    }
    if (!wanted(filter, options.live, *summary)) continue;
    list.push_back(std::move(*summary));
    if (options.limit > 0 && list.size() == options.limit) break;
  }
  std::stable_sort(list.begin(), list.end(),
                   [](const auto& a, const auto& b) { return a.info.started < b.info.started; });
  if (options.reverse) std::reverse(list.begin(), list.end());
  if (list.empty() && worst == kOk)
    remark(recordings->names.empty() ? *directory + " holds no recording" : "no recording meets that");
  const ExitCode printed = options.json ? show_json(list) : options.csv ? show_csv(list) : show_table(list);
  return printed != kOk ? printed : worst;
}

}  // namespace

void add_ls(CLI::App& app, const Context& context, int& exit) {
  auto options = std::make_shared<LsOptions>();
  auto* command = app.add_subcommand("ls", "List recordings: who, from where, when, how long, how it ended");
  command->add_option("-u,--user", options->filter.users, "Only of this user; may be given several times")
      ->type_name("USER")
      ->allow_extra_args(false);
  command->add_option("--since", options->filter.since, "Only sessions begun then or later")
      ->type_name("TIME");
  command->add_option("--until", options->filter.until, "Only sessions begun then or earlier")
      ->type_name("TIME");
  command->add_option("--client", options->filter.client, "Only from this address or range")
      ->type_name("ADDRESS[/BITS]");
  command->add_flag("--live", options->live, "Only sessions that go on now");
  command->add_option("-n,--limit", options->limit, "Only the newest N")
      ->type_name("N")
      ->check(CLI::Range(0, 1000000000).description(""));
  command->add_flag("-r,--reverse", options->reverse, "Newest first");
  auto* json =
      command->add_flag("--json", options->json,
                        "An array of objects; /usr/share/doc/opelog/docs/reading.md names the members");
  command->add_flag("--csv", options->csv, kCsvHelp)->excludes(json);
  command->footer(
      "The newest stands last. An address with \"?\" behind it is only claimed by the client's environment.\n"
      "A user with \"?\" is only claimed by files that another user owns; `show` names him.\n"
      "STATE: live, ended, torn (no end: crash, or cut), foreign (made by script), corrupt.\n"
      "SIZE: of the output; of a session without a terminal the bytes that passed both ways.\n"
      "\n"
      "Examples:\n"
      "  opelog ls --since '2h ago'\n"
      "  opelog ls --user alice --client 192.0.2.0/24\n"
      "  opelog ls --live --json\n"
      "  opelog ls -n 20\n");
  command->callback([options, &context, &exit] { exit = run_ls(*options, context); });
}

}  // namespace opelog::cli
