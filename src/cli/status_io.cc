#include <CLI/CLI.hpp>
#include <memory>

#include "cli/commands_io.h"
#include "cli/control_answer.h"
#include "cli/control_client_io.h"
#include "cli/status_text.h"

namespace opelog::cli {
namespace {

ExitCode run_status(bool json, const Context& context) {
  auto client = ControlClient::connect(context.control);
  if (!client) return complain(client.error());
  const auto packets = client->ask(encode_request("status"));
  if (!packets) return complain(packets.error());
  const auto& answer = packets->front();
  const ExitCode printed = print(json ? to_json(answer) + "\n" : status_text(answer));
  if (printed != kOk) return printed;
  return is_degraded(answer) ? kNo : kOk;
}

}  // namespace

void add_status(CLI::App& app, const Context& context, int& exit) {
  auto json = std::make_shared<bool>(false);
  auto* command = app.add_subcommand("status", "Is the daemon running, with which policy, and what is wrong");
  command->add_flag("--json", *json, "The daemon's answer as one object");
  command->footer(
      "Exit code 0 all well, 1 degraded or a policy error, 4 not allowed to ask, 6 the daemon is not "
      "running.\n"
      "\n"
      "Examples:\n"
      "  opelog status\n"
      "  opelog status --json | jq .sessions\n");
  command->callback([json, &context, &exit] { exit = run_status(*json, context); });
}

}  // namespace opelog::cli
