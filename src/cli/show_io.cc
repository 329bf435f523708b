#include <CLI/CLI.hpp>
#include <memory>

#include "cli/commands_io.h"
#include "cli/find_io.h"
#include "cli/session_text.h"
#include "cli/time_text.h"
#include "cli/viewed_io.h"
#include "core/clock_io.h"
#include "core/fact.h"
#include "replay/read_session_io.h"

namespace opelog::cli {
namespace {

struct ShowArguments {
  std::string session;
  bool json = false, text = false, times = false;
};

std::string lines_of(const format::RecordingSummary& s, const format::GapSums& gaps) {
  const auto& info = s.info;
  std::string out;
  const auto line = [&out](const std::string& name, const std::string& value) {
    if (!value.empty())
      out += name + std::string(name.size() < 12 ? 12 - name.size() : 1, ' ') + printable(value) + "\n";
  };
  line("name", s.name);
  if (s.files_uid != 0)
    line("files of", s.files_user + " (uid " + std::to_string(s.files_uid) + "), not the recorder's");
  line("stored", s.stored);
  line("id", info.id);
  line("state", format::state_word(s.state) + (s.problem.empty() ? std::string() : ": " + s.problem));
  line("user", info.id.empty() ? info.user : info.user + " (uid " + std::to_string(info.uid) + ")");
  if (info.loginuid != 0xffffffff) line("loginuid", std::to_string(info.loginuid));
  std::string from = info.client;
  if (info.client_port != 0) from += " port " + std::to_string(info.client_port);
  if (info.client_claimed) from += " (claimed by the client, not seen by the kernel)";
  line("from", from);
  if (info.started != 0) line("started", format_local(info.started, "%Y-%m-%d %H:%M:%S %z"));
  line("length", format_length(s.duration_us));
  if (info.terminal || info.id.empty() || info.records_payload)
    line("output", std::to_string(s.log_bytes) + " bytes");
  else
    line("output", "counted, not recorded");
  line("gaps", gaps_text(gaps));
  line("how", info.how + (info.left_by.empty() ? "" : " behind by session " + info.left_by));
  line("command", info.command.value_or(""));
  line("original", info.original.value_or(""));
  line("shell", info.shell);
  line("terminal", info.terminal     ? info.tty + (info.inner_tty.empty() ? "" : ", inner " + info.inner_tty)
                   : info.id.empty() ? ""
                                     : "none");
  if (info.rows > 0) line("size", std::to_string(info.cols) + "x" + std::to_string(info.rows));
  line("TERM", info.term);
  for (const auto& a : info.ancestry)
    line("started by", a.exe + " (pid " + std::to_string(a.pid) + ", uid " + std::to_string(a.uid) + ")");
  line("host", info.host + (info.host_id.empty() ? "" : " " + info.host_id));
  line("boot", info.boot_id);
  line("rule", info.rule);
  line("policy", info.policy_digest);
  if (!info.id.empty() && !info.terminal && !info.records_payload) {
    line("records", "who, when and how many bytes");
  } else if (!info.id.empty()) {
    line("records", std::string("output") + (info.records_input ? ", input" : "") +
                        (info.records_payload ? ", payload" : ""));
  }
  if (const std::string kept = kept_text(info); !kept.empty())
    line("unrecorded", kept + ": left to the shell as it was");
  if (s.end) {
    std::string ending = format::end_reason_word(s.end->reason);
    if (s.end->exit_code || s.end->signal) ending += ", " + exit_text(s.end);
    line("end", ending);
    line("bytes", std::to_string(s.end->bytes_out) + " out, " + std::to_string(s.end->bytes_err) +
                      " of them stderr, " + std::to_string(s.end->bytes_in) + " in");
  }
  return out;
}

// The transcript, line by line; a full-screen program as its last screen in a frame.
ExitCode print_transcript(const ShowArguments& arguments, const Context& context) {
  auto reader = open_session(context, arguments.session, format::View::kShow);
  if (!reader) return complain(reader.error());
  const format::SessionInfo info = (*reader)->info();
  if ((*reader)->native() && !info.terminal) {
    remark("a session without a terminal has no screen: see `opelog commands`");
    return kNo;
  }
  ExitCode printed = kOk;
  const auto stamp = [&](std::int64_t at_us) {
    if (!arguments.times) return std::string();
    return (at_us < 0 ? std::string(8, ' ') : format_local(info.started + at_us, "%H:%M:%S")) + "  ";
  };
  const auto end = replay::read_transcript(**reader, [&](const replay::TranscriptEntry& entry) {
    std::string out;
    if (entry.kind == replay::TranscriptEntry::Kind::kLine) {
      out = stamp(entry.end_us) + entry.text + "\n";
    } else if (entry.kind == replay::TranscriptEntry::Kind::kGap) {
      out = stamp(entry.begin_us) + "[" + printable(entry.text) + "]\n";
    } else {
      out =
          stamp(entry.begin_us) + "[full screen for " + format_length(entry.end_us - entry.begin_us) + "]\n";
      for (const std::string& row : entry.screen) out += stamp(-1) + "| " + row + "\n";
    }
    printed = print(out);
    return printed == kOk;
  });
  if (printed != kOk) return printed;
  if (end.outcome == format::Outcome::kCorrupt)
    return complain({Code::kInvalid, arguments.session + ": " + end.problem, 0});
  return end.outcome == format::Outcome::kTorn ? kNo : kOk;
}

ExitCode run_show(const ShowArguments& arguments, const Context& context) {
  if (arguments.text) return print_transcript(arguments, context);
  const auto found = find_session(context, arguments.session);
  if (!found) return complain(found.error());
  const auto summary = format::summarise(found->directory, found->name);
  if (!summary) return complain(summary.error());
  const auto gaps = format::sum_gaps(summary->path);
  if (!gaps) return complain(gaps.error());
  tell_viewed(context, found->directory, found->name, format::View::kShow);
  const ExitCode printed =
      print(arguments.json ? summary_json(*summary, &*gaps) + "\n" : lines_of(*summary, *gaps));
  if (printed != kOk) return printed;
  if (summary->state == format::RecordingState::kCorrupt) return kInvalid;
  return summary->state == format::RecordingState::kTorn ? kNo : kOk;
}

}  // namespace

void add_show(CLI::App& app, const Context& context, int& exit) {
  auto arguments = std::make_shared<ShowArguments>();
  auto* command = app.add_subcommand("show", "What a recording says about its session");
  command->add_option("SESSION", arguments->session, "Beginning of a name or id, or a path")
      ->type_name("")
      ->required();
  auto* json = command->add_flag("--json", arguments->json,
                                 "One object; /usr/share/doc/opelog/docs/reading.md names the members");
  auto* text = command->add_flag("--text", arguments->text, "The transcript: what the screen said, as lines")
                   ->excludes(json);
  command->add_flag("--times", arguments->times, "With --text: when each line was last changed")->needs(text);
  command->footer(
      "Exit code 1 for a torn recording (neither live nor ended), 5 for a corrupt one.\n"
      "\n"
      "Examples:\n"
      "  opelog show 4f2a\n"
      "  opelog show --text --times 4f2a | less\n"
      "  opelog show --json 3fa9 | jq .client\n"
      "  opelog show /mnt/old/bob_20240101120000_192.0.2.7.time\n");
  command->callback([arguments, &context, &exit] { exit = run_show(*arguments, context); });
}

}  // namespace opelog::cli
