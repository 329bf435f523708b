#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "cli/commands_io.h"
#include "cli/time_text.h"
#include "core/clock_io.h"
#include "core/fd_io.h"
#include "format/json_text.h"
#include "index/index_store_io.h"
#include "index/indexer_io.h"

namespace opelog::cli {
namespace {

/// Between two lines of progress.
constexpr MonoUs kIndexProgressUs = kUsPerS / 5;

struct IndexArguments {
  std::string index;
  bool rebuild = false, quiet = false, json = false;
};

std::string report_text(const index::IndexReport& report, MonoUs took) {
  const double seconds = std::max<double>(static_cast<double>(took), 1.0) / static_cast<double>(kUsPerS);
  std::string out;
  if (!report.rebuilt.empty()) out += "built anew: " + report.rebuilt + "\n";
  out += "indexed " + counted(report.indexed, "session") + ", " + counted(report.lines, "line") + ", " +
         counted(report.commands, "command") + "; " + format_size(report.bytes) + " of output in " +
         format_length(took) + ", " +
         format_size(static_cast<std::uint64_t>(static_cast<double>(report.bytes) / seconds)) + "/s\n";
  out += std::to_string(report.unchanged) + " unchanged";
  if (report.waiting > 0)
    out += ", " + std::to_string(report.waiting) + " large live ones wait until they have grown";
  if (report.removed > 0) out += ", " + std::to_string(report.removed) + " gone";
  if (report.failed > 0) out += ", " + std::to_string(report.failed) + " could not be read";
  return out + "\nthe index holds " + counted(report.sessions, "session") + " in " +
         format_size(report.index_bytes) + "\n";
}

std::string report_json(const index::IndexReport& report, MonoUs took) {
  format::JsonObject json;
  json.number_u("indexed", report.indexed).number_u("unchanged", report.unchanged);
  json.number_u("waiting", report.waiting)
      .number_u("removed", report.removed)
      .number_u("failed", report.failed);
  json.number_u("lines", report.lines).number_u("commands", report.commands).number_u("bytes", report.bytes);
  json.number("took_us", took)
      .number_u("sessions", report.sessions)
      .number_u("index_bytes", report.index_bytes);
  report.rebuilt.empty() ? json.raw("rebuilt", "null") : json.text("rebuilt", report.rebuilt);
  return std::move(json).take() + "\n";
}

ExitCode run_index(const IndexArguments& arguments, const Context& context) {
  const auto directory = context.recordings();
  if (!directory) return complain(directory.error());
  index::IndexOptions options;
  options.directory = *directory;
  options.index = arguments.index;
  options.rebuild = arguments.rebuild;
  options.remark = [](const std::string& text) { remark(text); };
  const bool shown = !arguments.quiet && !arguments.json && ::isatty(STDERR_FILENO) == 1;
  const MonoUs begun = mono_now();
  MonoUs told = begun;
  if (shown) {
    options.progress = [&told](const index::IndexProgress& progress) {
      if (mono_now() - told < kIndexProgressUs) return;
      told = mono_now();
      (void)write_all(STDERR_FILENO, "\r" + std::to_string(progress.sessions) + " of " +
                                         std::to_string(progress.all_sessions) + " sessions, " +
                                         format_size(progress.bytes) + "\x1B[K")
          .ok();
    };
  }
  const auto report = index::update_index(options);
  if (shown && told != begun) (void)write_all(STDERR_FILENO, "\r\x1B[K").ok();
  if (!report) return complain(report.error());
  const MonoUs took = mono_now() - begun;
  if (arguments.json) return print(report_json(*report, took));
  return arguments.quiet ? kOk : print(report_text(*report, took));
}

}  // namespace

void add_index(CLI::App& app, const Context& context, int& exit) {
  auto arguments = std::make_shared<IndexArguments>();
  arguments->index = index::kIndexFile;
  auto* command = app.add_subcommand("index", "Bring the search index up to date");
  command->add_option("--index", arguments->index, "The index")->type_name("FILE")->capture_default_str();
  command->add_flag("--rebuild", arguments->rebuild, "Throw it away and build it from the recordings");
  command->add_flag("-q,--quiet", arguments->quiet, "Only errors");
  command->add_flag("--json", arguments->json, "One object with the numbers");
  command->footer(
      "opelog-index.timer runs this every few minutes. The recordings are only read; an index that is lost "
      "or\n"
      "damaged is built anew from them.\n"
      "\n"
      "Examples:\n"
      "  systemctl enable --now opelog-index.timer\n"
      "  opelog index --directory /mnt/old --index /tmp/old.db\n"
      "  opelog search --directory /mnt/old --index /tmp/old.db 'DROP TABLE'\n");
  command->callback([arguments, &context, &exit] { exit = run_index(*arguments, context); });
}

}  // namespace opelog::cli
