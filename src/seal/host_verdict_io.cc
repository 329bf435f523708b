#include "seal/host_verdict_io.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "seal/ledger_files_io.h"
#include "seal/ledger_read_io.h"
#include "seal/stored_recording_io.h"

namespace opelog::seal {
namespace {

constexpr const char* kLedgerDamaged = "the ledger that should prove it is damaged";

void add_finding(SessionVerdict& verdict, const char* what, std::string text) {
  Finding finding;
  finding.what = what;
  finding.text = std::move(text);
  verdict.findings.push_back(std::move(finding));
}

// What lies there is no file to be read, or damaged where it was compressed: a finding, which keeps nobody
// from looking at the others. That we may not read it, or the disk refuses, is an error.
Result<SessionVerdict> unreadable(const Error& error, const std::string& name, const LedgerVerdict* ledger) {
  const bool damaged = error.code == Code::kInvalid ||
                       (error.code == Code::kDenied && error.err != EACCES && error.err != EPERM);
  if (!damaged) return error;
  const LedgerSession* known = ledger != nullptr ? ledger->find(name) : nullptr;
  SessionVerdict verdict;
  verdict.recording = name;
  verdict.no = known != nullptr ? known->no : 0;
  add_finding(verdict, known != nullptr ? "altered" : "unsealed", "it cannot be read: " + error.message);
  return verdict;
}

// Neither the daemon nor a thaw is why its files are called otherwise.
void state_rotation_by_hand(SessionVerdict& verdict, const LedgerVerdict& ledger,
                            const std::string& stored_as) {
  const auto session = ledger.sessions.find(verdict.no);
  if (stored_as.empty() || session == ledger.sessions.end() || session->second.compressed ||
      ledger.thawed_index > session->second.index)
    return;
  add_finding(verdict, "rotated",
              "it lies there as " + stored_as +
                  ", and the ledger has neither a thaw nor a compression since it began");
}

}  // namespace

Result<LedgerVerdict> verify_ledger(const std::string& directory, std::vector<Pin> pins) {
  LedgerVerifier verifier(std::move(pins));
  // In this order: a checkpoint that is made meanwhile counts entries that are read afterwards.
  auto read = read_ledger_file(directory + "/" + kCheckpointsFile, [&](std::string_view bytes) {
    verifier.feed_checkpoints(bytes);
    return true;
  });
  if (!read && read.error().code != Code::kNotFound) return std::move(read).error();
  verifier.end_checkpoints();
  read = read_ledger_file(directory + "/" + kEntriesFile, [&](std::string_view bytes) {
    verifier.feed_entries(bytes);
    return true;
  });
  if (!read) return std::move(read).error();
  return verifier.finish();
}

Result<SessionVerdict> verify_recording(const std::string& directory, const std::string& name,
                                        const LedgerVerdict* ledger, const format::RecordingList* list) {
  StoredRecording files;
  if (auto opened = files.open(directory, name, list); !opened)
    return unreadable(opened.error(), name, ledger);
  auto verdict = verify_session(files, SessionQuestion{name, files.live(), ledger});
  if (!verdict) return unreadable(verdict.error(), name, ledger);
  if (ledger != nullptr) state_rotation_by_hand(*verdict, *ledger, files.stored_as());
  return verdict;
}

std::vector<SessionVerdict> absent_sessions(const LedgerVerdict& ledger,
                                            const std::vector<std::string>& present) {
  std::vector<SessionVerdict> absent;
  // What is said of it rests on entry `index` of the ledger.
  const auto add = [&](const std::string& recording, std::uint64_t no, const char* what, std::string text,
                       std::uint64_t index) {
    SessionVerdict verdict;
    verdict.recording = recording;
    verdict.no = no;
    add_finding(verdict, what, std::move(text));
    if (!ledger.pinned) add_finding(verdict, "unpinned", "the ledger's first key is not pinned");
    if (ledger.integrity() == Integrity::kAltered) add_finding(verdict, "ledger-damaged", kLedgerDamaged);
    if (index >= ledger.signed_entries)
      add_finding(verdict, "unsigned", "no checkpoint counts the entry that says so yet");
    absent.push_back(std::move(verdict));
  };
  const auto is_present = [&present](const std::string& recording) {
    return std::binary_search(present.begin(), present.end(), recording);
  };
  for (const auto& [no, session] : ledger.sessions) {
    // Of several sessions of one name the files are those of the last.
    const LedgerSession* last = ledger.find(session.recording);
    if (last == &session && is_present(session.recording)) continue;
    if (session.abandoned) {
      add(session.recording, no, "abandoned", "it could not be begun: the disk or the ledger refused",
          *session.closed_index);
      continue;
    }
    // Entered, and a power cut came before its files were on the disk.
    const bool lost = session.crashed && session.crashed->missing && session.power_cut && !session.sealed;
    if (lost)
      add(session.recording, no, "lost", "it had just begun when the power failed", session.index);
    else if (session.unsettled && !session.sealed && session.pruned.empty())
      add(session.recording, no, "unsettled",
          "it had just begun when the power failed, as it seems: the ledger has not got yet what the start "
          "found",
          session.index);
    else if (session.pruned.empty())
      add(session.recording, no, "missing-session",
          "session " + std::to_string(no) + " was recorded at " + format_utc(session.at, 0) +
              (session.directory.empty() ? "" : " in " + session.directory) +
              ", and none of its files are there",
          session.index);
    else
      add(session.recording, no, "pruned", "removed by policy: " + session.pruned, session.pruned_index);
  }
  for (const auto& [recording, pruned] : ledger.pruned_unsealed) {
    if (!is_present(recording)) add(recording, 0, "pruned", "removed by policy: " + pruned.why, pruned.index);
  }
  std::sort(absent.begin(), absent.end(),
            [](const auto& a, const auto& b) { return a.recording < b.recording; });
  return absent;
}

void compare_with_recordings(LedgerVerdict& ledger, std::vector<SessionVerdict>& sessions) {
  const bool was_altered = ledger.integrity() == Integrity::kAltered;
  for (const SessionVerdict& s : sessions) {
    if (!s.beyond_ledger) continue;
    Finding finding;
    finding.what = "ledger-rolled-back";
    finding.text = s.recording + " names entry " + std::to_string(*s.beyond_ledger) + ", and there are " +
                   std::to_string(ledger.entries);
    ledger.add(std::move(finding));
  }
  if (was_altered || ledger.integrity() != Integrity::kAltered) return;
  for (SessionVerdict& s : sessions) {
    const bool unsealed = std::any_of(s.findings.begin(), s.findings.end(),
                                      [](const Finding& f) { return f.what == "unsealed"; });
    if (!unsealed) add_finding(s, "ledger-damaged", kLedgerDamaged);
  }
}

}  // namespace opelog::seal
