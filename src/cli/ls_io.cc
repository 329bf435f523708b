#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <optional>

#include "cli/client_filter.h"
#include "cli/commands_io.h"
#include "cli/local_time_io.h"
#include "cli/session_text.h"
#include "cli/table.h"
#include "core/clock_io.h"
#include "format/recording_directory_io.h"
#include "format/recording_name.h"

namespace opelog::cli {
namespace {

/// A name's time is the recording host's local time: a day's slack before the header is asked, in any zone.
constexpr std::int64_t kZoneSlackUs = 26 * 3600 * kUsPerS;
constexpr std::size_t kIdShown =
    10;  ///< hex digits on a terminal: 100,000 sessions collide in 1 of 200 lists

struct LsOptions {
  std::vector<std::string> users;
  std::string since, until, client;
  bool live = false, json = false, reverse = false;
  std::size_t limit = 0;
};

struct Filter {
  std::vector<std::string> users;
  std::optional<WallUs> since, until;
  std::optional<AddressRange> client;
  bool live = false;
};

bool has_user(const Filter& filter, const std::string& user) {
  return filter.users.empty() ||
         std::find(filter.users.begin(), filter.users.end(), user) != filter.users.end();
}

struct Candidate {
  std::string name;
  std::string time;  ///< digits from the name, "" if it has another form
};

// "20261122140509"
std::optional<WallUs> name_time(const std::string& digits, const Calendar& calendar) {
  if (digits.size() != 14 || digits.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
  return parse_when(digits.substr(0, 4) + '-' + digits.substr(4, 2) + '-' + digits.substr(6, 2) + ' ' +
                        digits.substr(8, 2) + ':' + digits.substr(10, 2) + ':' + digits.substr(12, 2),
                    0, calendar);
}

// What the name alone can rule out, so that most files of a big directory are never opened.
std::vector<Candidate> candidates(const std::vector<std::string>& names, const Filter& filter) {
  const Calendar calendar = local_calendar();
  std::vector<Candidate> kept;
  kept.reserve(names.size());
  for (const auto& name : names) {
    const auto parts = format::parse_name(name);
    if (!parts) {
      kept.push_back({name, ""});
      continue;
    }
    if (!has_user(filter, parts->user)) continue;
    if (filter.since || filter.until) {
      const auto when = name_time(parts->time, calendar);
      if (when && filter.since && *when + kZoneSlackUs < *filter.since) continue;
      if (when && filter.until && *when - kZoneSlackUs > *filter.until) continue;
    }
    kept.push_back({name, parts->time});
  }
  std::stable_sort(kept.begin(), kept.end(), [](const auto& a, const auto& b) { return a.time < b.time; });
  return kept;
}

bool wanted(const Filter& filter, const format::RecordingSummary& summary) {
  if (!has_user(filter, summary.info.user)) return false;
  if (filter.live && summary.state != format::RecordingState::kLive) return false;
  if (filter.since && summary.info.started < *filter.since) return false;
  if (filter.until && summary.info.started > *filter.until) return false;
  return !filter.client || client_matches(*filter.client, summary.info.client);
}

// Of a session that goes on: until now, not to its last record.
std::int64_t length_of(const format::RecordingSummary& s, WallUs now) {
  if (s.state != format::RecordingState::kLive || s.info.started == 0) return s.duration_us;
  return std::max(s.duration_us, now - s.info.started);
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
    // Whoever may write to the directory can put another's name on a file of his own.
    const bool user_claimed = s.files_uid != 0 && s.files_user != s.info.user;
    table.add({{session, ""},
               {s.info.user + (user_claimed ? "?" : ""), ""},
               {from, ""},
               {s.info.started == 0 ? "-" : format_local(s.info.started, "%Y-%m-%d %H:%M:%S"), ""},
               {format_length(length_of(s, now)), ""},
               {ending_text(s.end), ""},
               {size_text(s), ""},
               {state_word(s.state), state_colour(s.state)}});
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

std::optional<std::string> read_filter(const LsOptions& options, Filter& filter) {
  filter.users = options.users;
  filter.live = options.live;
  const WallUs now = wall_now();
  const Calendar calendar = local_calendar();
  const auto when = [&](const std::string& text, std::optional<WallUs>& target) {
    if (text.empty()) return true;
    target = parse_when(text, now, calendar);
    return target.has_value();
  };
  static constexpr const char* kForms =
      ": not a time; write 2026-11-22, '2026-11-22 14:05', 14:05, today, yesterday or '2h ago'";
  if (!when(options.since, filter.since)) return "--since " + options.since + kForms;
  if (!when(options.until, filter.until)) return "--until " + options.until + kForms;
  if (!options.client.empty()) {
    filter.client = parse_client_filter(options.client);
    if (!filter.client)
      return "--client " + options.client + ": neither an address nor a range like 192.0.2.0/24";
  }
  return std::nullopt;
}

ExitCode run_ls(const LsOptions& options, const Context& context) {
  Filter filter;
  if (const auto wrong = read_filter(options, filter)) {
    remark(*wrong);
    return kUsage;
  }
  const auto directory = context.recordings();
  if (!directory) return complain(directory.error());
  const auto names = format::list_names(*directory);
  if (!names) return complain(names.error());
  const auto kept = candidates(*names, filter);
  std::vector<format::RecordingSummary> list;
  ExitCode worst = kOk;
  for (auto it = kept.rbegin(); it != kept.rend();
       ++it) {  // newest first, so that --limit need not read the rest
    auto summary = format::summarise(*directory, it->name);
    if (!summary) {
      if (summary.error().code == Code::kNotFound) continue;  // removed meanwhile
      worst = complain(summary.error());
      continue;
    }
    if (!wanted(filter, *summary)) continue;
    list.push_back(std::move(*summary));
    if (options.limit > 0 && list.size() == options.limit) break;
  }
  std::stable_sort(list.begin(), list.end(),
                   [](const auto& a, const auto& b) { return a.info.started < b.info.started; });
  if (options.reverse) std::reverse(list.begin(), list.end());
  const ExitCode printed = options.json ? show_json(list) : show_table(list);
  return printed != kOk ? printed : worst;
}

}  // namespace

void add_ls(CLI::App& app, const Context& context, int& exit) {
  auto options = std::make_shared<LsOptions>();
  auto* command = app.add_subcommand("ls", "List recordings: who, from where, when, how long, how it ended");
  command->add_option("-u,--user", options->users, "Only of this user; may be given several times")
      ->type_name("USER")
      ->allow_extra_args(false);
  command->add_option("--since", options->since, "Only sessions begun then or later")->type_name("TIME");
  command->add_option("--until", options->until, "Only sessions begun then or earlier")->type_name("TIME");
  command->add_option("--client", options->client, "Only from this address or range")
      ->type_name("ADDRESS[/BITS]");
  command->add_flag("--live", options->live, "Only sessions that go on now");
  command->add_option("-n,--limit", options->limit, "Only the newest N")
      ->type_name("N")
      ->check(CLI::Range(0, 1000000000).description(""));
  command->add_flag("-r,--reverse", options->reverse, "Newest first");
  command->add_flag("--json", options->json,
                    "An array of objects; /usr/share/doc/opelog/docs/reading.md names the members");
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
