// kill, thaw, freeze, reload, reopen-log, dump: one question to the daemon each.
#include <CLI/CLI.hpp>
#include <memory>

#include "cli/commands_io.h"
#include "cli/control_answer.h"
#include "cli/control_client_io.h"
#include "cli/time_text.h"
#include "core/fact.h"

namespace opelog::cli {
namespace {

ExitCode ask(const Context& context, const std::string& request, format::JsonValue& answer, int seconds) {
  auto client = ControlClient::connect(context.control, std::chrono::seconds(seconds));
  if (!client) return complain(client.error());
  auto packets = client->ask(request);
  if (!packets) return complain(packets.error());
  answer = std::move(packets->back());
  return kOk;
}

ExitCode ask_and_say(const Context& context, const std::string& request, const std::string& done,
                     const char* member, int seconds = kAnswerSeconds) {
  format::JsonValue answer;
  if (const ExitCode failed = ask(context, request, answer, seconds); failed != kOk) return failed;
  std::string text = done;
  if (member != nullptr) {
    const auto* value = answer.find(member);
    if (value != nullptr)
      text +=
          ": " + printable(value->kind == format::JsonValue::Kind::kText ? value->string : to_json(*value));
  }
  return print(text + "\n");
}

ExitCode dump(const Context& context) {
  auto client = ControlClient::connect(context.control);
  if (!client) return complain(client.error());
  const auto packets = client->ask(encode_request("dump"));
  if (!packets) return complain(packets.error());
  std::string out;
  for (const auto& packet : *packets) {
    const std::string text = packet.text_or("dump", "");
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      out += printable(std::string_view(text).substr(at, end - at)) + "\n";
      at = end + 1;
    }
  }
  return print(out);
}

}  // namespace

void add_kill(CLI::App& app, const Context& context, int& exit) {
  auto session = std::make_shared<std::string>();
  auto* command = app.add_subcommand("kill", "End a live session (root)");
  command->add_option("SESSION", *session, "Beginning of a name or id")->type_name("")->required();
  command->footer(
      "The operator's shell and terminal are hung up, and the record says that it was killed.\n"
      "\n"
      "Example:\n"
      "  opelog ls --live && sudo opelog kill 3fa9\n");
  command->callback([session, &context, &exit] {
    exit = ask_and_say(context, encode_request("kill", "session", std::string_view(*session)), "ended",
                       "session");
  });
}

void add_guard(CLI::App& app, const Context& context, int& exit) {
  auto seconds = std::make_shared<std::string>("300");
  auto* thaw = app.add_subcommand("thaw", "Let closed recordings be renamed and removed for a while (root)");
  thaw->add_option("--seconds", *seconds, "Until `freeze`, but no longer than this")
      ->type_name("LENGTH")
      ->capture_default_str();
  thaw->footer(
      "For logrotate's firstaction; `opelog freeze` is for its lastaction. Live recordings stay frozen.\n"
      "\n"
      "Examples (NAME is what `opelog show` calls name):\n"
      "  opelog thaw --seconds 60 && mv /var/log/ope_log/NAME.* /srv/archive/; opelog freeze\n"
      "  /usr/share/doc/opelog/examples/archive-recordings 90 /srv/archive    all older than 90 days\n");
  thaw->callback([seconds, &context, &exit] {
    const auto length = parse_length(*seconds);
    if (!length || *length < kUsPerS) {
      remark("--seconds " + *seconds + ": not a length of time of a second or more; write 300 or 5m");
      exit = kUsage;
      return;
    }
    exit = ask_and_say(context, encode_request("thaw", "seconds", *length / kUsPerS), "thawed files", "files",
                       kFilesAnswerSeconds);
  });
  auto* freeze = app.add_subcommand("freeze", "End a thaw: the flags are set again (root)");
  freeze->footer("Example:\n  opelog freeze\n");
  freeze->callback([&context, &exit] {
    exit = ask_and_say(context, encode_request("freeze"), "frozen files", "files", kFilesAnswerSeconds);
  });
}

void add_daemon(CLI::App& app, const Context& context, int& exit) {
  auto* reload = app.add_subcommand("reload", "Read policy and enrolled users again (root)");
  reload->footer(
      "A broken policy is refused with its place; the old one stays in force.\n\nExample:\n  opelog policy "
      "check && opelog reload\n");
  reload->callback([&context, &exit] {
    exit = ask_and_say(context, encode_request("reload"), "policy in force", "digest");
  });
  auto* reopen =
      app.add_subcommand("reopen-log", "Open the daemon's log file again, after its rotation (root)");
  reopen->footer("Example:\n  opelog reopen-log\n");
  reopen->callback([&context, &exit] {
    exit = ask_and_say(context, encode_request("reopen-log"), "log opened again", nullptr);
  });
  auto* dumped = app.add_subcommand("dump", "The daemon's inner state, for a bug report (root)");
  dumped->footer("Example:\n  opelog dump > state.txt\n");
  dumped->callback([&context, &exit] { exit = dump(context); });
}

}  // namespace opelog::cli
