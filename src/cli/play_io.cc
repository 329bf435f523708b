#include <CLI/CLI.hpp>
#include <algorithm>
#include <limits>
#include <memory>

#include "cli/commands_io.h"
#include "cli/find_io.h"
#include "cli/show_play_io.h"
#include "cli/time_text.h"
#include "cli/viewed_io.h"
#include "format/recording_list_io.h"
#include "replay/keys.h"
#include "replay/read_session_io.h"

namespace opelog::cli {
namespace {

struct PlayArguments {
  std::string session, at, max_idle;
  double speed = 1;
  std::size_t command = 0;  ///< 0: none chosen
  bool follow = false, paused = false, raw = false, bell = false, resize = false;
  CLI::Option* speed_given = nullptr;
};

ExitCode bad_length(const char* option, const std::string& text) {
  remark(std::string(option) + " " + text +
         ": not a length of time; write 90, 1:30, 1:02:03, 1m30s or 500ms");
  return kUsage;
}

ExitCode run_play(const PlayArguments& arguments, const Context& context) {
  replay::PlayOptions options;
  // To a file or a program nobody watches: no pauses, unless a speed is asked for.
  const bool given = arguments.speed_given->count() > 0;
  options.speed = given || replay::output_is_terminal() ? arguments.speed : 0;
  options.follow = arguments.follow;
  options.paused = arguments.paused;
  options.raw = arguments.raw;
  options.bell = arguments.bell;
  options.resize = arguments.resize;
  if (!arguments.at.empty()) {
    const auto at = parse_length(arguments.at);
    if (!at) return bad_length("--at", arguments.at);
    options.start_us = *at;
  }
  if (!arguments.max_idle.empty()) {
    options.max_idle_us = parse_length(arguments.max_idle);
    if (!options.max_idle_us) return bad_length("--max-idle", arguments.max_idle);
  }
  const auto found = find_session(context, arguments.session);
  if (!found) return complain(found.error());
  auto reader = format::RecordingReader::open(found->path);
  if (!reader) return complain(reader.error());
  tell_viewed(context, found->directory, found->name, format::View::kPlay);
  if (arguments.command > 0) {
    const auto commands = replay::read_commands(**reader).commands;
    const auto chosen = std::find_if(
        commands.begin(), commands.end(),
        [&arguments](const replay::Command& command) { return command.number == arguments.command; });
    if (chosen == commands.end()) {
      remark("--command " + std::to_string(arguments.command) +
             ": `opelog commands` lists none with this number");
      return kUsage;
    }
    options.start_us = chosen->begin_us;
    if (auto rewound = (*reader)->rewind(); !rewound) return complain(rewound.error());
  }
  if (!arguments.at.empty() && !options.follow) {
    const auto summary = format::summarise(found->directory, found->name);
    if (summary && summary->duration_us < options.start_us)
      remark("--at " + arguments.at + " lies behind the end of this recording, " +
             format_length(summary->duration_us));
  }
  remark_size(**reader, options);
  return show_play(**reader, options, command_source(found->path));
}

}  // namespace

void add_play(CLI::App& app, const Context& context, int& exit) {
  auto arguments = std::make_shared<PlayArguments>();
  auto* command = app.add_subcommand("play", "Replay a session on this terminal");
  command->add_option("SESSION", arguments->session, "Beginning of a name or id, or a path")
      ->type_name("")
      ->required();
  arguments->speed_given =
      command->add_option("-s,--speed", arguments->speed, "Times as fast, up to 1024; 0 without pauses")
          ->type_name("X")
          ->check(CLI::Range(0.0, replay::kFastest).description(""));
  command->add_option("-i,--max-idle", arguments->max_idle, "Cut longer pauses to this")->type_name("LENGTH");
  auto* at =
      command
          ->add_option(
              "--at", arguments->at,
              "Begin this far into the session; what came before is drawn at once, or left out without "
              "a terminal")
          ->type_name("LENGTH");
  command->add_option("--command", arguments->command, "Begin at the N-th command of `opelog commands`")
      ->type_name("N")
      ->check(CLI::Range(std::size_t{1}, std::numeric_limits<std::size_t>::max()).description(""))
      ->excludes(at);
  command->add_flag("-f,--follow", arguments->follow, "At the end of a live session wait for more");
  command->add_flag("--paused", arguments->paused, "Begin paused");
  command->add_flag("--resize", arguments->resize,
                    "Ask the terminal to take the recorded window size (CSI 8 t)");
  command->add_flag("--bell", arguments->bell, "Let the bell ring");
  command->add_flag("--raw", arguments->raw,
                    "Every byte as recorded: the recording can then set titles, write the clipboard and make "
                    "the terminal answer");
  command->footer(
      std::string(replay::key_help()) +
      "\n"
      "Only what draws is let through unless --raw is given; /usr/share/doc/opelog/docs/reading.md lists it. "
      "To a file or a pipe "
      "the\n"
      "session goes without pauses, unless --speed is given. The terminal is restored on every exit.\n"
      "\n"
      "Examples:\n"
      "  opelog play 4f2a\n"
      "  opelog play -s 4 -i 2 3fa9           four times as fast, no pause above 2 s\n"
      "  opelog play --at 12:30 3fa9\n"
      "  opelog play --command 7 3fa9\n"
      "  opelog play -f 3fa9                  from its beginning, then live\n"
      "  opelog play --raw 3fa9 > output.bin  the recorded bytes\n");
  command->callback([arguments, &context, &exit] { exit = run_play(*arguments, context); });
}

}  // namespace opelog::cli
