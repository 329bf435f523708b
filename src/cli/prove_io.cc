#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <optional>

#include "cli/commands_io.h"
#include "cli/find_io.h"
#include "cli/ledger_place_io.h"
#include "cli/new_file_io.h"
#include "cli/progress_io.h"
#include "cli/time_text.h"
#include "cli/viewed_io.h"
#include "core/fd_io.h"
#include "seal/evidence_io.h"
#include "seal/host_verdict_io.h"

namespace opelog::cli {
namespace {

struct ProveArguments {
  std::string session, file, ledger, pins;
  bool force = false;
};

// Why a session proves nothing to somebody else; "" if it does. Pins are theirs, not ours.
std::string why_not(const seal::SessionVerdict& verdict) {
  for (const seal::Integrity weight : {seal::Integrity::kAltered, seal::Integrity::kUnproven}) {
    for (const seal::Finding& f : verdict.findings) {
      if (seal::integrity_of(f.what) == weight && f.what != "unpinned") return f.what + ": " + f.text;
    }
  }
  return "";
}

// What was written, and what it lacks.
std::string written_text(const std::string& name, std::uint64_t bytes, const seal::SessionVerdict& verdict) {
  std::string text = name + ": " + format_size(bytes) + ", " + completeness_word(verdict.completeness());
  for (const seal::Finding& f : verdict.findings) {
    if (seal::completeness_of(f.what) != seal::Completeness::kComplete) text += "; " + f.what + ": " + f.text;
    if (f.what == "unpinned") text += "; not pinned here: whoever verifies it needs the host's key";
  }
  return text;
}

// The opening entry by which the verdict was found.
const seal::LedgerSession* session_of(const seal::LedgerVerdict& ledger,
                                      const seal::SessionVerdict& verdict) {
  const auto own = ledger.sessions.find(verdict.no);
  if (own != ledger.sessions.end() && own->second.recording == verdict.recording) return &own->second;
  return ledger.find(verdict.recording);
}

// Where the archive goes: a new file, or descriptor 1.
class EvidenceOutput {
 public:
  static Result<EvidenceOutput> open(const std::string& file, bool replace) {
    EvidenceOutput output;
    if (file == "-") return output;
    auto made = NewFile::create(file, replace);
    if (!made) return std::move(made).error();
    output.file_.emplace(std::move(*made));
    return output;
  }
  Status write(std::string_view bytes) {
    written_ += bytes.size();
    if (file_) return file_->write(bytes);
    auto written = write_all(STDOUT_FILENO, bytes);
    if (written) return {};
    return Error{Code::kIo, "standard output: " + written.error().message, written.error().err};
  }
  Status keep() { return file_ ? file_->keep() : Status{}; }
  [[nodiscard]] std::uint64_t written() const noexcept { return written_; }

 private:
  std::optional<NewFile> file_;
  std::uint64_t written_ = 0;
};

ExitCode run_prove(const ProveArguments& arguments, const Context& context) {
  auto found = find_session(context, arguments.session);
  if (!found) return complain(found.error());
  const std::string directory = found->directory.empty() ? "." : found->directory;
  const std::string file =
      arguments.file.empty() ? found->name + std::string(seal::kEvidenceSuffix) : arguments.file;
  if (file == "-" && ::isatty(STDOUT_FILENO) == 1) {
    remark("an evidence file is no text for a terminal: use -o FILE, or a pipe");
    return kUsage;
  }
  auto output = EvidenceOutput::open(file, arguments.force);
  if (!output) return complain(output.error());
  auto place = find_ledger(context, arguments.ledger, arguments.pins);
  if (!place) return complain(place.error());
  auto ledger = seal::verify_ledger(place->directory, std::move(place->pins));
  if (!ledger) return complain(ledger.error());

  seal::StoredRecording recording;
  if (auto opened = recording.open(directory, found->name); !opened) return complain(opened.error());
  auto verdict = seal::verify_session(recording, {found->name, recording.live(), &*ledger});
  if (!verdict) return complain(verdict.error());
  const std::string problem = why_not(*verdict);
  if (!problem.empty() && !arguments.force)
    return complain(
        {Code::kInvalid, found->name + ": " + problem + "; --force writes an evidence file of that", 0});

  auto proof = seal::prove_by_ledger(place->directory, *ledger, found->name, session_of(*ledger, *verdict));
  if (!proof) return complain(proof.error());
  tell_viewed(context, directory, found->name, format::View::kProve);
  {
    Progress progress(::isatty(STDERR_FILENO) == 1, seal::evidence_bytes(*proof, recording),
                      "writing the evidence");
    auto written = seal::write_evidence(place->directory, *proof, recording, [&](std::string_view bytes) {
      auto put = output->write(bytes);
      progress.at(output->written());
      return put;
    });
    if (!written) return complain(written.error());
  }
  if (auto kept = output->keep(); !kept) return complain(kept.error());
  remark(written_text(file == "-" ? found->name : file, output->written(), *verdict));
  if (problem.empty()) return kOk;
  remark(found->name + ": " + problem);
  return kNo;
}

}  // namespace

void add_prove(CLI::App& app, const Context& context, int& exit) {
  auto arguments = std::make_shared<ProveArguments>();
  auto* command = app.add_subcommand("prove", "Write a session and all that proves it into one file");
  command->add_option("SESSION", arguments->session, "Beginning of a name or id, or a path")
      ->type_name("")
      ->required();
  command
      ->add_option("-o,--output", arguments->file,
                   "File to write instead of NAME.evidence here; - is standard output")
      ->type_name("FILE");
  command->add_flag("--force", arguments->force,
                    "Replace FILE; and write it also of a session that is altered or unproven");
  command->add_option("--ledger", arguments->ledger, "Directory of the ledger instead of the policy's")
      ->type_name("DIR");
  command
      ->add_option("--pins", arguments->pins, "File of pinned keys instead of your own or /etc/opelog/pins")
      ->type_name("FILE");
  command->footer(
      "An evidence file holds the recording as it was recorded, its entries in the host's ledger, and the "
      "signed\n"
      "checkpoints that prove them. Whoever has pinned the host's key checks it anywhere by `opelog verify "
      "FILE`.\n"
      "It is a plain tar archive, appears whole or not at all, and only you may read it. A checkpoint takes\n"
      "some 500 bytes, and all of the host up to this session are in it.\n"
      "Exit code 5 if the session is altered or nothing proves it, 1 if it was written by --force all the "
      "same.\n"
      "\n"
      "Examples:\n"
      "  opelog prove 4f2a                             alice_20261122140509_192.0.2.7.evidence\n"
      "  opelog prove 4f2a -o case-17.evidence\n"
      "  opelog prove 4f2a -o - | ssh court 'cat > case-17.evidence'\n"
      "  opelog verify --pins host.pin case-17.evidence       on any machine\n");
  command->callback([arguments, &context, &exit] { exit = run_prove(*arguments, context); });
}

}  // namespace opelog::cli
