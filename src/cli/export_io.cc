#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <memory>
#include <optional>

#include "cli/commands_io.h"
#include "cli/find_io.h"
#include "cli/local_time_io.h"
#include "cli/new_file_io.h"
#include "cli/progress_io.h"
#include "cli/session_text.h"
#include "cli/time_text.h"
#include "cli/viewed_io.h"
#include "core/clock_io.h"
#include "replay/exporter.h"
#include "replay/read_session_io.h"

namespace opelog::cli {
namespace {

// Bytes that are collected before they are written.
constexpr std::size_t kExportWriteBytes = 256 * 1024;
constexpr std::size_t kGapsTold = 8;

const std::map<std::string, replay::ExportFormat>& formats() {
  using replay::ExportFormat;
  static const std::map<std::string, ExportFormat> kFormats = {{"asciicast2", ExportFormat::kAsciicast2},
                                                               {"asciicast3", ExportFormat::kAsciicast3},
                                                               {"html", ExportFormat::kHtml},
                                                               {"text", ExportFormat::kText},
                                                               {"tlog", ExportFormat::kTlog},
                                                               {"typescript", ExportFormat::kTypescript}};
  return kFormats;
}

struct ExportArguments {
  std::string session, format, file, from, to;
  bool input = false, force = false;
};

// Where the bytes go: descriptor 1, one file, or the two of a typescript.
class Destination {
 public:
  static Result<Destination> open(const ExportArguments& arguments, bool typescript) {
    Destination where;
    if (arguments.file.empty() || arguments.file == "-") return where;
    std::string base = arguments.file;
    if (typescript && base.size() > 4 && base.compare(base.size() - 4, 4, ".log") == 0)
      base.erase(base.size() - 4);
    auto main = NewFile::create(typescript ? base + ".log" : base, arguments.force);
    if (!main) return std::move(main).error();
    where.main_.emplace(std::move(*main));
    if (!typescript) return where;
    auto timing = NewFile::create(base + ".time", arguments.force);
    if (!timing) return std::move(timing).error();
    where.timing_.emplace(std::move(*timing));
    return where;
  }

  // Takes the bytes out of `bytes`.
  Status write(replay::ExportBytes& bytes) {
    if (!main_) {
      auto written = write_all(STDOUT_FILENO, bytes.main);
      if (!written)
        return Error{Code::kIo, "standard output: " + written.error().message, written.error().err};
    } else if (auto written = main_->write(bytes.main); !written) {
      return written;
    }
    if (timing_) {
      if (auto written = timing_->write(bytes.timing); !written) return written;
    }
    bytes.main.clear();
    bytes.timing.clear();
    return {};
  }

  Status keep() {
    if (main_) {
      if (auto kept = main_->keep(); !kept) return kept;
    }
    if (timing_) {
      if (auto kept = timing_->keep(); !kept) {
        main_->withdraw();
        return kept;
      }
    }
    return {};
  }

 private:
  std::optional<NewFile> main_, timing_;
};

ExitCode bad_use(const std::string& message) {
  remark(message);
  return kUsage;
}

// A length of time into the session, or a moment.
std::optional<std::int64_t> place_in(const std::string& text, const format::SessionInfo& info) {
  if (const auto length = parse_length(text)) return length;
  const auto when = parse_when(text, wall_now(), local_calendar());
  if (!when || info.started == 0) return std::nullopt;
  return std::max<std::int64_t>(*when - info.started, 0);
}

struct Told {
  std::optional<format::EndInfo> end;
  std::vector<std::string> gaps;
  std::uint64_t gap_count = 0;
  std::int64_t last_us = 0;                           ///< of what was read last
  format::Outcome outcome = format::Outcome::kEvent;  // kEvent: the part ended before the recording
};

// What the format marks: one pass over the recording, and back to its beginning.
Result<std::vector<replay::Command>> commands_for(replay::ExportFormat format,
                                                  format::RecordingReader& reader, Progress& progress) {
  if (!replay::marks_commands(format)) return std::vector<replay::Command>{};
  replay::CommandReading reading(reader);
  while (reading.step(16)) progress.at(reading.output_bytes());
  std::vector<replay::Command> commands = reading.take().commands;
  if (auto rewound = reader.rewind(); !rewound) return std::move(rewound).error();
  return commands;
}

Result<Told> carry(format::RecordingReader& reader, replay::Exporter& exporter, Destination& where,
                   Progress& progress) {
  Told told;
  replay::ExportBytes bytes;
  std::uint64_t done = 0;
  format::Event event;
  while ((told.outcome = reader.next(event)) == format::Outcome::kEvent) {
    if (event.kind == format::Event::Kind::kOutput) done = event.offset + event.bytes.size();
    told.last_us = event.at_us;
    if (!exporter.take(event, bytes)) break;
    if (event.end) told.end = event.end;
    if (event.gap && ++told.gap_count <= kGapsTold)
      told.gaps.push_back(event.gap->what + ": " + event.gap->why);
    if (bytes.main.size() + bytes.timing.size() >= kExportWriteBytes) {
      if (auto written = where.write(bytes); !written) return std::move(written).error();
    }
    progress.at(done);
    event = format::Event();
  }
  exporter.finish(bytes);
  if (auto written = where.write(bytes); !written) return std::move(written).error();
  if (auto kept = where.keep(); !kept) return std::move(kept).error();
  return told;
}

ExitCode tell(const Told& told, const format::RecordingReader& reader) {
  if (const std::string text = streams_text(reader.info(), told.end); !text.empty()) remark(text);
  for (const std::string& gap : told.gaps) remark("gap: " + gap);
  if (told.gap_count > told.gaps.size())
    remark("and " + std::to_string(told.gap_count - told.gaps.size()) + " more gaps");
  switch (told.outcome) {
    case format::Outcome::kTorn:
      remark(reader.problem().empty() ? "this recording has no end" : reader.problem());
      return kNo;
    case format::Outcome::kCorrupt:
      remark("corrupt: " + reader.problem() + "; exported up to there");
      return kInvalid;
    case format::Outcome::kNeedMore:
      remark("the session goes on; exported up to now");
      return kOk;
    default:
      return kOk;
  }
}

ExitCode run_export(const ExportArguments& arguments, const Context& context) {
  replay::ExportOptions options;
  options.format = formats().at(arguments.format);
  options.input = arguments.input;
  const bool typescript = options.format == replay::ExportFormat::kTypescript;
  const bool to_stdout = arguments.file.empty() || arguments.file == "-";
  if (typescript && to_stdout)
    return bad_use("a typescript is two files: -o NAME makes NAME.log and NAME.time");
  if (arguments.input && (typescript || options.format == replay::ExportFormat::kText ||
                          options.format == replay::ExportFormat::kHtml))
    return bad_use("--input: " + arguments.format + " has no place for input; asciicast and tlog do");
  auto found = find_session(context, arguments.session);
  if (!found) return complain(found.error());
  auto reader = format::RecordingReader::open(found->path);
  if (!reader) return complain(reader.error());
  for (const auto& [name, text] : {std::pair{"--from", &arguments.from}, std::pair{"--to", &arguments.to}}) {
    if (text->empty()) continue;
    const auto place = place_in(*text, (*reader)->info());
    if (!place)
      return bad_use(std::string(name) + " " + *text +
                     ": neither a length of time into the session (90, 1:30, 1h2m) nor a time");
    if (text == &arguments.from)
      options.from_us = *place;
    else
      options.to_us = *place;
  }
  if (options.to_us && *options.to_us < options.from_us) return bad_use("--to lies before --from");
  auto where = Destination::open(arguments, typescript);
  if (!where) return complain(where.error());
  tell_viewed(context, found->directory, found->name, format::View::kExport);

  (*reader)->leave_out_holes(true);
  std::uint64_t whole = 0;
  const bool watched = ::isatty(STDERR_FILENO) == 1 && !(to_stdout && ::isatty(STDOUT_FILENO) == 1);
  if (watched) {
    if (const auto summary = format::summarise(found->directory, found->name)) whole = summary->log_bytes;
  }
  auto progress = std::make_unique<Progress>(watched, whole, "reading the commands");
  const auto commands = commands_for(options.format, **reader, *progress);
  if (!commands) return complain(commands.error());
  replay::Exporter exporter(options, (*reader)->info(), *commands);
  progress = std::make_unique<Progress>(watched, whole, "exporting");
  const auto told = carry(**reader, exporter, *where, *progress);
  progress.reset();
  if (!told) return complain(told.error());
  if (arguments.input && !exporter.saw_input()) remark("this recording holds no input");
  if (options.from_us > told->last_us)
    remark("--from " + arguments.from + " lies behind the last of this recording, at " +
           format_length(told->last_us) + ": nothing of it is in the export");
  return tell(*told, **reader);
}

}  // namespace

void add_export(CLI::App& app, const Context& context, int& exit) {
  auto arguments = std::make_shared<ExportArguments>();
  auto* command = app.add_subcommand("export", "Write a session in the format of another program");
  command->add_option("SESSION", arguments->session, "Beginning of a name or id, or a path")
      ->type_name("")
      ->required();
  std::vector<std::string> names;
  for (const auto& format : formats()) names.push_back(format.first);
  command->add_option("--format", arguments->format, CLI::detail::join(names, ", "))
      ->type_name("FORMAT")
      ->required()
      ->check(CLI::IsMember(names).description(""));
  command
      ->add_option("-o,--output", arguments->file,
                   "File to write instead of standard output; never replaces one")
      ->type_name("FILE");
  command->add_flag("--force", arguments->force, "Replace FILE");
  command->add_option("--from", arguments->from, "Begin this far into the session, or at this time")
      ->type_name("TIME");
  command->add_option("--to", arguments->to, "End there")->type_name("TIME");
  command->add_flag("--input", arguments->input, "Also what was typed, where it is recorded: passwords too");
  command->footer(
      "asciicast2, asciicast3  for asciinema, with markers at commands; bytes that are no UTF-8 become "
      "U+FFFD\n"
      "typescript              for scriptreplay: -o NAME makes NAME.log and NAME.time; exact\n"
      "tlog                    for tlog-play; exact\n"
      "text                    the transcript: lines as they finally stood\n"
      "html                    one page with times and commands, without scripts\n"
      "\n"
      "TIME is a length into the session (90, 1:30, 1h2m) or a time with its date, as for `opelog ls "
      "--since`.\n"
      "A file appears whole or not at all, and only you may read it. asciicast, typescript and tlog hold "
      "what\n"
      "the session sent to its terminal, escape sequences included: whoever plays them trusts its user.\n"
      "Exit code 1 for a torn recording, 5 for a corrupt one; what there is of it is exported.\n"
      "\n"
      "Examples:\n"
      "  opelog export 4f2a --format asciicast2 -o session.cast\n"
      "  opelog export 4f2a --format html --from 12:30 --to 20:00 -o incident.html\n"
      "  opelog export 4f2a --format text | grep -n passwd\n"
      "  opelog export 4f2a --format tlog -o s.json && tlog-play -i s.json\n");
  command->callback([arguments, &context, &exit] { exit = run_export(*arguments, context); });
}

}  // namespace opelog::cli
