#include <CLI/CLI.hpp>
#include <algorithm>
#include <deque>
#include <memory>

#include "cli/commands_io.h"
#include "cli/csv_text.h"
#include "cli/local_time_io.h"
#include "cli/search_text.h"
#include "cli/session_filter.h"
#include "cli/viewed_io.h"
#include "core/clock_io.h"

namespace opelog::cli {
namespace {

struct SearchArguments {
  std::string pattern, index;
  FilterWords filter;
  bool word = false, regex = false, any_case = false;
  bool only_commands = false, only_text = false;
  bool json = false, csv = false, scan = false, all = false;
  std::size_t limit = 0;
};

/// Found hits, kept as they will be printed.
class HitPrinter {
 public:
  HitPrinter(bool json, bool csv, std::string directory)
      : json_(json), csv_(csv), directory_(std::move(directory)), colour_(!json && !csv && use_colour()) {
    if (csv_) pending_ = hit_csv_titles();
  }

  [[nodiscard]] std::string text(const index::IndexedSession& session, const index::Hit& hit) const {
    if (json_) return hit_json(session, hit, directory_);
    const auto local = [](WallUs when) { return format_local(when, "%Y-%m-%d %H:%M:%S"); };
    if (csv_)
      return hit_csv_line(session, hit, directory_,
                          session.started == 0 ? "" : local(session.started + hit.at_us));
    return hit_text(session, hit, directory_, colour_, local);
  }

  bool add(std::string text) {
    if (json_) {
      pending_ += printed_ == 0 ? "[\n" : last_ + ",\n";
      last_ = std::move(text);
    } else {
      pending_ += text;
    }
    ++printed_;
    return pending_.size() < kPiece || flush();
  }
  bool flush() {
    if (error_ == kOk && !pending_.empty()) error_ = print(pending_);
    pending_.clear();
    return error_ == kOk;
  }
  // A list is an array, so its last object says what could not be looked through; without a hit it is alone.
  ExitCode end(std::size_t left_out, const index::Lacking& lacking) {
    std::string lacks;
    const auto add_count = [&lacks](const char* name, std::size_t count) {
      if (count > 0)
        lacks += (lacks.empty() ? "\"" : ",\"") + std::string(name) + "\":" + std::to_string(count);
    };
    add_count("left_out", left_out);
    add_count("with_gaps", lacking.with_gaps);
    add_count("damaged", lacking.damaged);
    if (json_ && printed_ > 0)
      pending_ +=
          lacks.empty() ? last_ + "\n]\n" : last_.substr(0, last_.size() - 1) + "," + lacks + "}\n]\n";
    else if (json_)
      pending_ += lacks.empty() ? "[]\n" : "[\n{" + lacks + "}\n]\n";
    flush();
    return error_;
  }
  [[nodiscard]] std::uint64_t printed() const { return printed_; }

 private:
  static constexpr std::size_t kPiece = 64 * 1024;
  bool json_, csv_;
  std::string directory_;
  bool colour_;
  std::string pending_;
  std::string last_;  ///< in JSON: the object that is not in `pending_` yet
  std::uint64_t printed_ = 0;
  ExitCode error_ = kOk;
};

std::size_t left_out_of(const std::vector<index::PlannedSession>& plan) {
  return static_cast<std::size_t>(
      std::count_if(plan.begin(), plan.end(), [](const auto& one) { return one.left_out; }));
}

void state_what_is_missing(const index::Search& search, const std::vector<index::PlannedSession>& plan,
                           const SearchArguments& arguments) {
  if (!arguments.scan && !search.indexed()) {
    remark("no index (" + search.problem() + "): reading the recordings themselves, which is slow; " +
           "`opelog index` makes one");
  }
  std::size_t plain = 0;
  for (const auto& one : plan) plain += one.session.plain_from_us >= 0 ? 1U : 0U;
  if (const std::size_t newer = left_out_of(plan); newer > 0) {
    remark("large recordings newer than the index, searched only as far as that goes: " +
           std::to_string(newer) + "; `opelog index` takes them in, --all reads them now");
  }
  if (plain > 0)
    remark("sessions that drew far more than they wrote, searched without a screen: " +
           std::to_string(plain));
}

// A search that finds nothing does not pass for one that nothing escaped.
void state_what_was_not_there(const index::Lacking& lacking) {
  if (lacking.with_gaps > 0)
    remark("recordings searched that say of themselves that output is missing: " +
           std::to_string(lacking.with_gaps) + "; what stood there is not found");
  if (lacking.damaged > 0)
    remark("damaged recordings, searched only as far as they can be read: " +
           std::to_string(lacking.damaged));
}

ExitCode run_search(const SearchArguments& arguments, const Context& context) {
  SessionFilter filter;
  if (const auto wrong = read_filter(arguments.filter, wall_now(), local_calendar(), filter)) {
    remark(*wrong);
    return kUsage;
  }
  auto pattern = index::Pattern::compile(arguments.regex  ? index::PatternKind::kRegex
                                         : arguments.word ? index::PatternKind::kWord
                                                          : index::PatternKind::kSubstring,
                                         arguments.pattern, arguments.any_case);
  if (!pattern) {
    remark(pattern.error().message);
    return kUsage;
  }
  auto directory = context.recordings();
  if (!directory) return complain(directory.error());
  index::SearchRequest request;
  request.directory = *directory;
  request.index = arguments.scan ? "" : arguments.index;
  request.text = !arguments.only_commands;
  request.commands = !arguments.only_text;
  request.all_newer = arguments.all;
  request.since = filter.since;
  request.until = filter.until;
  SessionFilter by_name = filter;
  by_name.since.reset();  // a session that began before may hold what came since
  request.name_wanted = [by_name, calendar = local_calendar()](const std::string& name) {
    return name_may_meet(by_name, name, calendar);
  };
  request.session_wanted = [filter](const index::IndexedSession& session) {
    return meets_who(filter, session.user, session.client);
  };
  index::Search search(std::move(request), std::move(*pattern));
  auto plan = search.plan();
  if (!plan) return complain(plan.error());
  tell_viewed(context, *directory, "", format::View::kSearch);
  state_what_is_missing(search, *plan, arguments);

  HitPrinter printer(arguments.json, arguments.csv, context.directory);
  ExitCode worst = kOk;
  const auto look = [&](const index::PlannedSession& planned, const index::HitSink& sink) {
    const auto more = search.session(planned, sink);
    if (!more && more.error().code != Code::kNotFound) worst = complain(more.error());
    return !more || *more;
  };
  if (arguments.limit == 0) {
    for (const auto& planned : *plan) {
      if (!look(planned, [&](const auto& session, const auto& hit) {
            return printer.add(printer.text(session, hit));
          }))
        break;
      if (!printer.flush()) break;
    }
  } else {
    std::deque<std::string> newest;
    for (auto it = plan->rbegin(); it != plan->rend() && newest.size() < arguments.limit; ++it) {
      std::deque<std::string> of_session;
      const std::size_t room = arguments.limit - newest.size();
      look(*it, [&](const auto& session, const auto& hit) {
        of_session.push_back(printer.text(session, hit));
        if (of_session.size() > room) of_session.pop_front();
        return true;
      });
      newest.insert(newest.begin(), std::make_move_iterator(of_session.begin()),
                    std::make_move_iterator(of_session.end()));
    }
    for (const auto& text : newest)
      if (!printer.add(text)) break;
  }
  if (const ExitCode printed = printer.end(left_out_of(*plan), search.lacking()); printed != kOk)
    return printed;
  state_what_was_not_there(search.lacking());
  if (worst != kOk) return worst;
  return printer.printed() > 0 ? kOk : kNo;
}

}  // namespace

void add_search(CLI::App& app, const Context& context, int& exit) {
  auto arguments = std::make_shared<SearchArguments>();
  arguments->index = index::kIndexFile;
  auto* command = app.add_subcommand("search", "Find text in all sessions: what was typed, run and shown");
  command->add_option("PATTERN", arguments->pattern, "What to look for, within one line")
      ->type_name("")
      ->required();
  auto* word = command->add_flag("-w,--word", arguments->word, "Only as a whole word");
  command->add_flag("-E,--regex", arguments->regex, "PATTERN is a regular expression (RE2)")->excludes(word);
  command->add_flag("-i,--ignore-case", arguments->any_case, "Upper and lower case are the same");
  auto* commands =
      command->add_flag("--commands", arguments->only_commands, "Only commands, typed or executed");
  command->add_flag("--text", arguments->only_text, "Only what was on the screen")->excludes(commands);
  command->add_option("-u,--user", arguments->filter.users, "Only of this user; may be given several times")
      ->type_name("USER")
      ->allow_extra_args(false);
  command->add_option("--since", arguments->filter.since, "Only what happened then or later")
      ->type_name("TIME");
  command->add_option("--until", arguments->filter.until, "Only what happened then or earlier")
      ->type_name("TIME");
  command->add_option("--client", arguments->filter.client, "Only sessions from this address or range")
      ->type_name("ADDRESS[/BITS]");
  command->add_option("-n,--limit", arguments->limit, "Only the newest N hits")
      ->type_name("N")
      ->check(CLI::Range(0, 1000000).description(""));
  auto* index =
      command->add_option("--index", arguments->index, "The index")->type_name("FILE")->capture_default_str();
  command->add_flag("--scan", arguments->scan, "Read the recordings, not the index")->excludes(index);
  command->add_flag("--all", arguments->all, "Also read large recordings that are newer than the index");
  auto* json =
      command->add_flag("--json", arguments->json,
                        "An array of objects; /usr/share/doc/opelog/docs/search.md names the members");
  command->add_flag("--csv", arguments->csv, kCsvHelp)->excludes(json);
  command->footer(
      "The newest hit stands last. What was coloured, redrawn or wrapped is found as it stood on the "
      "screen.\n"
      "Exit code 0: found, 1: nothing found, others: an error.\n"
      "\n"
      "Examples:\n"
      "  opelog search 'Permission denied' --since today\n"
      "  opelog search --commands -w rm -u alice -n 20\n"
      "  opelog search -E 'pass(word|phrase)' -i\n"
      "  opelog search --json 192.0.2.77 | jq -r '.[].play'\n");
  command->callback([arguments, &context, &exit] { exit = run_search(*arguments, context); });
}

}  // namespace opelog::cli
