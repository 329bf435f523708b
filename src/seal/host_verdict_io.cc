#include "seal/host_verdict_io.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "core/fd_io.h"
#include "format/recording_files_io.h"
#include "format/stored_file_io.h"
#include "seal/ledger_files_io.h"

namespace opelog::seal {
namespace {

constexpr std::size_t kPieceBytes = 256 * 1024;
constexpr std::array<std::string_view, 3> kSuffixes = {format::kLogSuffix, format::kTimeSuffix,
                                                       format::kInputSuffix};

// The files of a recording, wherever and however they are stored.
class StoredRecording final : public RecordingBytes {
 public:
  Status open(const std::string& directory, const std::string& name, const format::RecordingList* list) {
    bool any = false;
    for (std::size_t i = 0; i < files_.size(); ++i) {
      auto file = format::open_stored(directory + "/", name + std::string(kSuffixes[i]), list);
      if (!file) {
        if (file.error().code == Code::kNotFound) continue;
        return std::move(file).error();
      }
      auto size = (*file)->size();
      if (!size) return std::move(size).error();
      sizes_[i] = *size;
      files_[i] = std::move(*file);
      any = true;
    }
    if (!any) return Error{Code::kNotFound, directory + "/" + name + ": no such recording", 0};
    return {};
  }

  [[nodiscard]] bool live() const {
    return files_[1] && files_[1]->as_written() && format::is_locked(files_[1]->descriptor());
  }

  std::optional<std::uint64_t> size(std::size_t file) override { return sizes_[file]; }

  Status read(std::size_t file, std::uint64_t from, std::uint64_t to,
              const std::function<void(std::string_view)>& take) override {
    while (from < to && files_[file]) {
      auto got =
          files_[file]->read_at(buffer_.data(), std::min<std::uint64_t>(buffer_.size(), to - from), from);
      if (!got) return std::move(got).error();
      if (*got == 0) return {};
      take({buffer_.data(), *got});
      from += *got;
    }
    return {};
  }

 private:
  std::array<std::unique_ptr<format::StoredFile>, 3> files_;
  std::array<std::optional<std::uint64_t>, 3> sizes_;
  std::vector<char> buffer_ = std::vector<char>(kPieceBytes);
};

constexpr const char* kLedgerDamaged = "the ledger that should prove it is damaged";

void add_finding(SessionVerdict& verdict, const char* what, std::string text) {
  Finding finding;
  finding.what = what;
  finding.text = std::move(text);
  verdict.findings.push_back(std::move(finding));
}

Status read_ledger_file(const std::string& path, const std::function<void(std::string_view)>& take) {
  auto fd = format::open_regular(AT_FDCWD, path, O_RDONLY);
  if (!fd) return Error{fd.error().code, fd.error().message, fd.error().err};
  std::vector<char> buffer(kPieceBytes);
  for (std::uint64_t at = 0;;) {
    auto got = format::read_at(fd->get(), buffer.data(), buffer.size(), at);
    if (!got) return std::move(got).error();
    if (*got == 0) return {};
    take({buffer.data(), *got});
    at += *got;
  }
}

}  // namespace

Result<LedgerVerdict> verify_ledger(const std::string& directory, std::vector<Pin> pins) {
  LedgerVerifier verifier(std::move(pins));
  // In this order: a checkpoint that is made meanwhile counts entries that are read afterwards.
  auto read = read_ledger_file(directory + "/" + kCheckpointsFile,
                               [&](std::string_view bytes) { verifier.feed_checkpoints(bytes); });
  if (!read && read.error().code != Code::kNotFound) return std::move(read).error();
  verifier.end_checkpoints();
  read = read_ledger_file(directory + "/" + kEntriesFile,
                          [&](std::string_view bytes) { verifier.feed_entries(bytes); });
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
    const bool abandoned =
        session.closed && session.closed->n == 0 && !session.sealed && !session.contradicted;
    if (abandoned) continue;
    if (session.pruned.empty())
      add(session.recording, no, "missing-session",
          "session " + std::to_string(no) + " was recorded at " + format_utc(session.at, 0) +
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
    ledger.findings.push_back(std::move(finding));
  }
  if (was_altered || ledger.integrity() != Integrity::kAltered) return;
  for (SessionVerdict& s : sessions) {
    const bool unsealed = std::any_of(s.findings.begin(), s.findings.end(),
                                      [](const Finding& f) { return f.what == "unsealed"; });
    if (!unsealed) add_finding(s, "ledger-damaged", kLedgerDamaged);
  }
}

}  // namespace opelog::seal
