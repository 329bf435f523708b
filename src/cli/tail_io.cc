#include <CLI/CLI.hpp>
#include <memory>

#include "cli/commands_io.h"
#include "cli/find_io.h"
#include "cli/show_play_io.h"
#include "cli/viewed_io.h"

namespace opelog::cli {
namespace {

struct TailArguments {
  std::string session;
  std::size_t lines = 10;
  bool follow = false, raw = false;
};

ExitCode run_tail(const TailArguments& arguments, const Context& context) {
  const auto found = find_session(context, arguments.session);
  if (!found) return complain(found.error());
  auto reader = format::RecordingReader::open(found->path);
  if (!reader) return complain(reader.error());
  tell_viewed(context, found->directory, found->name, format::View::kTail);
  replay::PlayOptions options;
  options.speed = 0;
  options.tail_lines = arguments.lines;
  options.follow = arguments.follow;
  options.raw = arguments.raw;
  return show_play(**reader, options, command_source(found->path));
}

}  // namespace

void add_tail(CLI::App& app, const Context& context, int& exit) {
  auto arguments = std::make_shared<TailArguments>();
  auto* command =
      app.add_subcommand("tail", "The last lines of a session's output; -f goes on with what comes");
  command->add_option("SESSION", arguments->session, "Beginning of a name or id, or a path")
      ->type_name("")
      ->required();
  command->add_flag("-f,--follow", arguments->follow, "Show what comes until the session ends");
  command->add_option("-n,--lines", arguments->lines, "How many of the last lines")
      ->type_name("N")
      ->check(CLI::Range(0, 1000000).description(""))
      ->capture_default_str();
  command->add_flag("--raw", arguments->raw, "Every byte as recorded");
  command->footer(
      "A full-screen program looks right with `opelog play -f`, which draws from the beginning.\n"
      "\n"
      "Examples:\n"
      "  opelog tail 3fa9\n"
      "  opelog tail -f -n 0 3fa9             only what comes from now on\n"
      "  opelog tail -f 3fa9 | grep --line-buffered sudo\n");
  command->callback([arguments, &context, &exit] { exit = run_tail(*arguments, context); });
}

}  // namespace opelog::cli
