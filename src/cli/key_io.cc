#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <memory>

#include "cli/commands_io.h"
#include "cli/control_answer.h"
#include "cli/control_client_io.h"
#include "cli/ledger_place_io.h"
#include "core/clock_io.h"
#include "core/fact.h"
#include "core/fd_io.h"
#include "format/json_text.h"
#include "seal/base64.h"
#include "seal/host_verdict_io.h"
#include "seal/ledger_init_io.h"

namespace opelog::cli {
namespace {

constexpr const char* kLedgerKey = "/var/lib/opelog/ledger.key";
constexpr const char* kAuditors = "opelog-audit";
constexpr std::size_t kMaxPinsBytes = 1 << 20;
/// Two syncs of the key file and a checkpoint, on a slow disk.
constexpr std::chrono::seconds kRotatePatience{30};

struct KeyArguments {
  std::string ledger, file, key, key_file = kLedgerKey;
  bool json = false, seen = false;
};

// ---- show

std::string shown_text(const seal::LedgerKeysShown& keys, const seal::LedgerVerdict& ledger) {
  std::string out =
      "Pin this key where the host's root cannot reach it (opelog key pin KEY, on the auditor's machine):\n "
      " " +
      keys.first + "\n";
  if (ledger.last)
    out += "With what was seen so far, so that a ledger rolled back shows:\n  " + keys.first + " " +
           std::to_string(ledger.last->size) + " " + seal::to_base64(ledger.last->root) + "\n";
  return out + "For C2SP witnesses, the key of the host's own signatures:\n  " + ledger.log + "\n";
}

ExitCode run_show(const KeyArguments& arguments, const Context& context) {
  auto place = find_ledger(context, arguments.ledger, "");
  if (!place) return complain(place.error());
  auto keys = seal::show_keys(place->directory);
  if (!keys) return complain(keys.error());
  auto ledger = seal::verify_ledger(place->directory, std::move(place->pins));
  if (!ledger) return complain(ledger.error());
  if (!arguments.json) return print(shown_text(*keys, *ledger));
  format::JsonObject json;
  json.text("pin", keys->first).text("log", ledger->log).boolean("pinned", ledger->pinned);
  if (ledger->last)
    json.number_u("size", ledger->last->size).text("root", seal::to_base64(ledger->last->root));
  return print(std::move(json).take() + "\n");
}

// ---- rotate

std::string rotated_text(const std::string& log, const std::string& former, const std::string& size) {
  return "The host's own signatures are made by a new key from now on:\n  " + log +
         "\nGive it to every C2SP witness and whoever follows this ledger in place of the one before:\n  " +
         former + "\nThe checkpoint of " + size +
         " entries is signed by both, so a witness that holds the one can check the other.\n"
         "Pins stay as they are: they hold the first epoch's key, and the chain from it goes on.\n";
}

ExitCode run_rotate(const KeyArguments& arguments, const Context& context) {
  auto client = ControlClient::connect(context.control, kRotatePatience);
  if (!client) return complain(client.error());
  auto packets = client->ask(encode_request("rotate-key"));
  if (!packets) return complain(packets.error());
  const format::JsonValue& answer = packets->back();
  const std::string log = answer.text_or("log", ""), former = answer.text_or("former", "");
  const std::uint64_t size = answer.number_u_or("size", 0);
  if (!arguments.json) return print(rotated_text(printable(log), printable(former), std::to_string(size)));
  format::JsonObject json;
  json.text("log", log).text("former", former).number_u("size", size);
  return print(std::move(json).take() + "\n");
}

// ---- init

ExitCode run_init(const KeyArguments& arguments, const Context& context) {
  if (::geteuid() != 0) return complain({Code::kDenied, "key init must run as root", 0});
  auto place = find_ledger(context, arguments.ledger, "");
  if (!place) return complain(place.error());
  const ::group* group = ::getgrnam(kAuditors);
  if (group == nullptr)
    return complain(
        {Code::kNotFound, std::string("no group ") + kAuditors + "; run: groupadd --system " + kAuditors, 0});
  auto keys = seal::make_ledger(place->directory, arguments.key_file, group->gr_gid, wall_now());
  if (!keys) return complain(keys.error());
  return print("A new ledger in " + place->directory +
               ". Keep its first key where the host's root cannot reach it:\n  " + keys->first + "\n");
}

// ---- pin

// The line that stays of each key: the one that has seen more.
std::string merged(std::string old, const std::vector<seal::Pin>& known, const seal::Pin& pin,
                   bool& new_one) {
  new_one = std::find(known.begin(), known.end(), pin) == known.end();
  if (!new_one) return old;
  if (!old.empty() && old.back() != '\n') old += '\n';
  return old + seal::encode_pin(pin);
}

Status make_parents(const std::string& file) {
  for (std::size_t slash = file.find('/', 1); slash != std::string::npos; slash = file.find('/', slash + 1)) {
    if (::mkdir(file.substr(0, slash).c_str(), 0700) != 0 && errno != EEXIST)
      return error_from_errno(errno, file.substr(0, slash));
  }
  return {};
}

ExitCode run_pin(const KeyArguments& arguments) {
  auto pins = seal::parse_pins(arguments.key, "KEY");
  if (!pins) return complain(pins.error());
  if (pins->size() != 1) return complain({Code::kInvalid, "KEY: one key, as `opelog key show` prints it", 0});
  std::string file = arguments.file;
  if (file.empty()) {
    auto own = own_pins_file();
    if (!own) return complain(own.error());
    file = std::move(*own);
  }
  auto text = read_file(file, kMaxPinsBytes);
  if (!text && text.error().code != Code::kNotFound) return complain(text.error());
  const std::string old = text ? *text : std::string();
  auto known = seal::parse_pins(old, file);
  if (!known) return complain(known.error());
  bool new_one = false;
  const std::string all = merged(old, *known, pins->front(), new_one);
  if (!new_one) return print(file + ": has it already\n");
  if (auto made = make_parents(file); !made) return complain(made.error());
  if (auto written = replace_file(file, all, 0644); !written) return complain(written.error());
  return print(file + ": pinned " + pins->front().key.name + "\n");
}

}  // namespace

void add_key(CLI::App& app, const Context& context, int& exit) {
  auto arguments = std::make_shared<KeyArguments>();
  auto* command =
      app.add_subcommand("key", "The keys that prove the ledger: show, pin, rotate them, make a ledger");
  command->require_subcommand(1);
  auto* show = command->add_subcommand("show", "The host's public keys, and what the ledger holds now");
  show->add_option("--ledger", arguments->ledger, "Directory of the ledger instead of the policy's")
      ->type_name("DIR");
  show->add_flag("--json", arguments->json, "One object");
  show->callback([arguments, &context, &exit] { exit = run_show(*arguments, context); });
  auto* init = command->add_subcommand(
      "init", "Make the ledger before the daemon's first start, and print its first key");
  init->add_option("--ledger", arguments->ledger, "Directory of the ledger instead of the policy's")
      ->type_name("DIR");
  init->add_option("--key-file", arguments->key_file, "Where the daemon keeps its secrets")
      ->type_name("FILE")
      ->capture_default_str();
  init->callback([arguments, &context, &exit] { exit = run_init(*arguments, context); });
  auto* pin =
      command->add_subcommand("pin", "Keep a host's key, so that `opelog verify` believes its ledger");
  pin->add_option("KEY", arguments->key,
                  "As `opelog key show` prints it; in quotes with a size and a root behind it")
      ->required();
  pin->add_option("--file", arguments->file, "Instead of ~/.config/opelog/pins")->type_name("FILE");
  pin->callback([arguments, &exit] { exit = run_pin(*arguments); });
  auto* rotate = command->add_subcommand(
      "rotate", "Another key for the host's own signatures, which witnesses follow (root)");
  rotate->add_flag("--json", arguments->json, "One object");
  rotate->footer(
      "For when a copy of ledger.key has leaked, or the host was cloned. The ledger names the new key, and "
      "the "
      "next\n"
      "checkpoint is signed by both. Pins stay valid. Whoever has the copy can still go on with a ledger of "
      "his "
      "own\n"
      "from the epoch it holds: beside the real one that is ledger-forked.\n"
      "\n"
      "Example:\n"
      "  opelog key rotate --json | jq -r .log\n");
  rotate->callback([arguments, &context, &exit] { exit = run_rotate(*arguments, context); });
  command->footer(
      "A pin on the host itself protects against everybody but its root: keep one elsewhere as well.\n"
      "\n"
      "Examples:\n"
      "  opelog key show                                     on the host\n"
      "  opelog key pin 'opelog/3d12…/epoch+97dc25bc+AbJc…'     on the auditor's machine\n"
      "  opelog key pin --file /etc/opelog/pins 'opelog/…'      for all auditors of this host\n"
      "  opelog key rotate                                   after ledger.key has leaked\n");
}

}  // namespace opelog::cli
