#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "cli/commands_io.h"
#include "cli/find_io.h"
#include "cli/ledger_place_io.h"
#include "cli/progress_io.h"
#include "cli/verify_text.h"
#include "format/recording_list_io.h"
#include "seal/evidence_io.h"
#include "seal/host_verdict_io.h"

namespace opelog::cli {
namespace {

struct VerifyArguments {
  std::vector<std::string> sessions;
  std::string ledger, pins;
  std::vector<std::string> also;
  bool all = false, json = false;
};

// A ledger that is not there proves nothing; one that cannot be read is an error.
Status read_host_ledger(const VerifyArguments& arguments, const Context& context, HostVerdict& host) {
  auto place = find_ledger(context, arguments.ledger, arguments.pins);
  if (!place) return std::move(place).error();
  auto ledger = seal::verify_ledger(place->directory, std::move(place->pins));
  if (ledger) {
    host.ledger = std::move(*ledger);
    return {};
  }
  if (ledger.error().code != Code::kNotFound) return std::move(ledger).error();
  host.ledger_problem = ledger.error().message;
  return {};
}

Status list_again(const std::string& directory, format::RecordingList& list) {
  auto listed = format::list_recordings(directory);
  if (!listed) return std::move(listed).error();
  list = std::move(*listed);
  return {};
}

Status verify_these(const std::vector<Found>& wanted, const format::RecordingList* list, HostVerdict& host) {
  Progress progress(::isatty(STDERR_FILENO) == 1, wanted.size(), "verifying");
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const Found& w = wanted[i];
    auto verdict = seal::verify_recording(w.directory.empty() ? "." : w.directory, w.name,
                                          host.ledger ? &*host.ledger : nullptr, list);
    if (!verdict) return std::move(verdict).error();
    host.sessions.push_back(std::move(*verdict));
    progress.at(i + 1);
  }
  return {};
}

// Every recording of the host, and those that should be there.
Status verify_all(const VerifyArguments& arguments, const Context& context, HostVerdict& host) {
  auto directory = context.recordings();
  if (!directory) return std::move(directory).error();
  format::RecordingList before, list;
  if (auto listed = list_again(*directory, before); !listed) return listed;
  if (auto read = read_host_ledger(arguments, context, host); !read) return read;
  // What was begun while the ledger was read is none of it yet; what it knows of by then is there now.
  if (auto listed = list_again(*directory, list); !listed) return listed;
  std::vector<Found> wanted;
  for (const std::string& name : list.names) {
    if (std::binary_search(before.names.begin(), before.names.end(), name) ||
        (host.ledger && host.ledger->find(name) != nullptr))
      wanted.push_back({*directory, name, {}});
  }
  if (auto done = verify_these(wanted, &list, host); !done) return done;
  std::vector<std::string> present = list.names;
  for (const std::string& place : arguments.also) {
    format::RecordingList moved;
    if (auto listed = list_again(place, moved); !listed) return listed;
    wanted.clear();
    for (const std::string& name : moved.names) wanted.push_back({place, name, {}});
    if (auto done = verify_these(wanted, &moved, host); !done) return done;
    present.insert(present.end(), moved.names.begin(), moved.names.end());
  }
  if (!host.ledger) return {};
  std::sort(present.begin(), present.end());
  for (seal::SessionVerdict& gone : seal::absent_sessions(*host.ledger, present))
    host.sessions.push_back(std::move(gone));
  std::sort(host.sessions.begin(), host.sessions.end(),
            [](const auto& a, const auto& b) { return a.recording < b.recording; });
  return {};
}

// A name that the ledger knows is that recording, though it is gone and another's name begins so.
bool add_if_absent(const std::string& session, const std::string& directory, HostVerdict& host) {
  if (!host.ledger || host.ledger->by_recording.count(session) == 0) return false;
  format::RecordingList list;
  if (!list_again(directory, list) || std::binary_search(list.names.begin(), list.names.end(), session))
    return false;
  for (seal::SessionVerdict& gone : seal::absent_sessions(*host.ledger, list.names)) {
    if (gone.recording == session) host.sessions.push_back(std::move(gone));
  }
  return true;
}

Status verify_some(const VerifyArguments& arguments, const std::vector<std::string>& sessions,
                   const Context& context, HostVerdict& host) {
  if (auto read = read_host_ledger(arguments, context, host); !read) return read;
  auto directory = context.recordings();
  if (!directory) return std::move(directory).error();
  std::vector<Found> wanted;
  for (const std::string& session : sessions) {
    if (add_if_absent(session, *directory, host)) continue;
    auto found = find_session(context, session);
    if (!found) return std::move(found).error();
    wanted.push_back(std::move(*found));
  }
  return verify_these(wanted, nullptr, host);
}

// `sessions` are those of the arguments that are no evidence files; none: all.
ExitCode verify_host(const VerifyArguments& arguments, const std::vector<std::string>& sessions,
                     const Context& context) {
  HostVerdict host;
  const bool whole = sessions.empty();
  auto done = whole ? verify_all(arguments, context, host) : verify_some(arguments, sessions, context, host);
  if (!done) return complain(done.error());
  if (host.ledger) seal::compare_with_recordings(*host.ledger, host.sessions);
  const ExitCode printed =
      print(arguments.json ? verdict_json(host) : verdict_text(host, arguments.all || !whole, use_colour()));
  return printed != kOk ? printed : exit_code_of(host);
}

// Whether a code says what was found, and not why nothing could be looked at.
bool is_verdict(ExitCode code) {
  return code == kOk || code == kNo || code == kUnproven || code == kAltered;
}

ExitCode verify_evidence_files(const VerifyArguments& arguments, const std::vector<std::string>& files) {
  auto pins = find_pins(arguments.pins);
  if (!pins) return complain(pins.error());
  ExitCode exit = kOk;
  for (const std::string& file : files) {
    auto verdict = seal::verify_evidence(file, *pins);
    if (!verdict) return complain(verdict.error());
    HostVerdict told;
    told.evidence = file;
    told.ledger = std::move(verdict->ledger);
    told.sessions.push_back(std::move(verdict->session));
    const ExitCode printed =
        print(arguments.json ? verdict_json(told) : verdict_text(told, true, use_colour()));
    if (printed != kOk) return printed;
    exit = std::max(exit, exit_code_of(told));
  }
  return exit;
}

ExitCode run_verify(const VerifyArguments& arguments, const Context& context) {
  std::vector<std::string> sessions, files;
  for (const std::string& word : arguments.sessions)
    (seal::is_evidence(word) ? files : sessions).push_back(word);
  ExitCode exit = kOk;
  if (files.empty() || !sessions.empty()) exit = verify_host(arguments, sessions, context);
  if (files.empty() || !is_verdict(exit)) return exit;
  const ExitCode of_files = verify_evidence_files(arguments, files);
  return is_verdict(of_files) ? std::max(exit, of_files) : of_files;
}

}  // namespace

void add_verify(CLI::App& app, const Context& context, int& exit) {
  auto arguments = std::make_shared<VerifyArguments>();
  auto* command = app.add_subcommand("verify", "Was anything changed or taken away since it was recorded?");
  command->add_option("SESSION", arguments->sessions,
                      "Recordings, or evidence files; none: the whole host, missing ones too");
  command->add_option("--ledger", arguments->ledger, "Directory of the ledger instead of the policy's")
      ->type_name("DIR");
  command
      ->add_option("--pins", arguments->pins, "File of pinned keys instead of your own or /etc/opelog/pins")
      ->type_name("FILE");
  command
      ->add_option("--also", arguments->also, "A further directory of recordings, where some were moved to")
      ->type_name("DIR");
  command->add_flag("-a,--all", arguments->all, "Name the intact and complete ones too");
  command->add_flag("--json", arguments->json,
                    "One object: the ledger, and every recording with its findings; one more for each "
                    "evidence file");
  command->footer(
      "Two words for each recording: intact, unproven or altered; complete, incomplete (and the recording "
      "says what\n"
      "is missing), cut or gone. Nothing unsealed or unpinned ever passes.\n"
      "What `opelog prove` wrote is checked anywhere: a FILE.evidence needs pins and nothing else.\n"
      "Exit code 0 all intact and complete, 1 incomplete or pruned, as is stated, 8 unproven, 9 altered.\n"
      "\n"
      "Examples:\n"
      "  opelog verify                                the whole host\n"
      "  opelog verify 4f2a                           one session\n"
      "  opelog verify --pins host.pin x.evidence     what somebody else was given\n"
      "  opelog verify --also /srv/archive             what was moved there is not missing\n"
      "  opelog verify --directory /mnt/host/ope_log --ledger /mnt/host/ledger --pins host.pin\n");
  command->callback([arguments, &context, &exit] { exit = run_verify(*arguments, context); });
}

}  // namespace opelog::cli
