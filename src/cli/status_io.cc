#include <CLI/CLI.hpp>
#include <memory>

#include "cli/commands_io.h"
#include "cli/control_answer.h"
#include "cli/control_client_io.h"
#include "cli/metrics_text.h"
#include "cli/status_text.h"
#include "core/fd_io.h"

namespace opelog::cli {
namespace {

struct StatusArguments {
  bool json = false, metrics = false;
  std::string file;  ///< for metrics; "" is standard output
};

// Everybody may read it: node_exporter runs as a user of its own.
ExitCode put_metrics(const std::string& text, const std::string& file) {
  if (file.empty()) return print(text);
  const Status written = replace_file(file, text, 0644, kKeepGroup);
  return written ? kOk : complain(written.error());
}

ExitCode absent(const StatusArguments& arguments, const Error& error) {
  if (arguments.metrics && error.code == Code::kGone) {
    const ExitCode put = put_metrics(metrics_without_daemon(), arguments.file);
    if (put != kOk) return put;
  }
  return complain(error);
}

ExitCode run_status(const StatusArguments& arguments, const Context& context) {
  auto client = ControlClient::connect(context.control);
  if (!client) return absent(arguments, client.error());
  const auto packets = client->ask(encode_request("status"));
  if (!packets) return absent(arguments, packets.error());
  const auto& answer = packets->front();
  const ExitCode printed = arguments.metrics
                               ? put_metrics(metrics_text(answer), arguments.file)
                               : print(arguments.json ? to_json(answer) + "\n" : status_text(answer));
  if (printed != kOk) return printed;
  return is_degraded(answer) ? kNo : kOk;
}

}  // namespace

void add_status(CLI::App& app, const Context& context, int& exit) {
  auto arguments = std::make_shared<StatusArguments>();
  auto* command = app.add_subcommand("status", "Is the daemon running, with which policy, and what is wrong");
  auto* json = command->add_flag("--json", arguments->json, "The daemon's answer as one object");
  auto* metrics = command->add_flag("--metrics", arguments->metrics, "For Prometheus, in its text format")
                      ->excludes(json);
  command
      ->add_option("-o,--output", arguments->file, "With --metrics: the file to replace, for node_exporter")
      ->type_name("FILE")
      ->needs(metrics);
  command->footer(
      "Exit code 0 all well, 1 degraded or a policy error, 4 not allowed to ask, 6 the daemon is not "
      "running.\n"
      "\n"
      "Examples:\n"
      "  opelog status\n"
      "  opelog status --json | jq .sessions\n"
      "  opelog status --metrics --output /var/lib/prometheus/node-exporter/opelog.prom\n");
  command->callback([arguments, &context, &exit] { exit = run_status(*arguments, context); });
}

}  // namespace opelog::cli
