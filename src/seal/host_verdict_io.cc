#include "seal/host_verdict_io.h"

#include <algorithm>
#include <utility>

#include "seal/ledger_files_io.h"
#include "seal/ledger_read_io.h"
#include "seal/stored_recording_io.h"

namespace opelog::seal {

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
  if (auto opened = files.open(directory, name, list); !opened) return std::move(opened).error();
  return verify_session(files, SessionQuestion{name, files.live(), ledger});
}

std::vector<SessionVerdict> absent_sessions(const LedgerVerdict& ledger,
                                            const std::vector<std::string>& present) {
  std::vector<SessionVerdict> absent;
  const auto add = [&](const std::string& recording, std::uint64_t no, const char* what, std::string text) {
    SessionVerdict verdict;
    verdict.recording = recording;
    verdict.no = no;
    Finding finding;
    finding.what = what;
    finding.text = std::move(text);
    verdict.findings.push_back(std::move(finding));
    absent.push_back(std::move(verdict));
  };
  for (const auto& [no, session] : ledger.sessions) {
    if (std::binary_search(present.begin(), present.end(), session.recording)) continue;
    if (session.closed && session.closed->n == 0 && !session.sealed) continue;  // abandoned
    if (session.pruned.empty()) {
      add(session.recording, no, "missing-session",
          "session " + std::to_string(no) + " was recorded at " + format_utc(session.at, 0) +
              ", and none of its files are there");
      continue;
    }
    add(session.recording, no, "pruned", "removed by policy: " + session.pruned);
    if (session.pruned_index < ledger.signed_entries) continue;
    Finding finding;
    finding.what = "unsigned";
    finding.text = "no checkpoint counts the entry that says so yet";
    absent.back().findings.push_back(std::move(finding));
  }
  for (const auto& [recording, why] : ledger.pruned_unsealed) {
    if (!std::binary_search(present.begin(), present.end(), recording))
      add(recording, 0, "pruned", "removed by policy: " + why);
  }
  std::sort(absent.begin(), absent.end(),
            [](const auto& a, const auto& b) { return a.recording < b.recording; });
  return absent;
}

void compare_with_recordings(LedgerVerdict& ledger, const std::vector<SessionVerdict>& sessions) {
  for (const SessionVerdict& s : sessions) {
    if (!s.beyond_ledger) continue;
    Finding finding;
    finding.what = "ledger-rolled-back";
    finding.text = s.recording + " names entry " + std::to_string(*s.beyond_ledger) + ", and there are " +
                   std::to_string(ledger.entries);
    ledger.findings.push_back(std::move(finding));
  }
}

}  // namespace opelog::seal
