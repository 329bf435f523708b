#include "seal/evidence_io.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "format/recording_files_io.h"
#include "seal/evidence_proof.h"
#include "seal/host_verdict_io.h"
#include "seal/ledger_files_io.h"
#include "seal/ledger_read_io.h"

namespace opelog::seal {
namespace {

constexpr std::size_t kEvidencePieceBytes = 256 * 1024;

// An archive on disk, and where its members lie.
class EvidenceFile {
 public:
  static Result<EvidenceFile> open(const std::string& path) {
    auto fd = format::open_regular(AT_FDCWD, path, O_RDONLY);
    if (!fd) return std::move(fd).error();
    auto facts = format::look_at(fd->get());
    if (!facts) return std::move(facts).error();
    return EvidenceFile(std::move(*fd), facts->size);
  }

  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  [[nodiscard]] format::ReadAt reading() const {
    return [fd = fd_.get()](char* data, std::size_t size, std::uint64_t offset) {
      return format::read_at(fd, data, size, offset);
    };
  }

  /// The bytes from `from` up to `to` of the archive, in pieces.
  Status read(std::uint64_t from, std::uint64_t to, const std::function<void(std::string_view)>& take) {
    while (from < to) {
      auto got = format::read_at(fd_.get(), buffer_.data(),
                                 std::min<std::uint64_t>(buffer_.size(), to - from), from);
      if (!got) return std::move(got).error();
      if (*got == 0) return Error{Code::kIo, "the file became shorter while it was read", 0};
      take({buffer_.data(), *got});
      from += *got;
    }
    return {};
  }

 private:
  EvidenceFile(Fd fd, std::uint64_t size) : fd_(std::move(fd)), size_(size) {}
  Fd fd_;
  std::uint64_t size_;
  std::vector<char> buffer_ = std::vector<char>(kEvidencePieceBytes);
};

// The recording's files within it.
class EvidenceRecording final : public RecordingBytes {
 public:
  explicit EvidenceRecording(EvidenceFile& file) : file_(file) {}

  /// false: it is there already.
  bool add(std::size_t file, const format::TarMember& member) {
    if (members_[file]) return false;
    members_[file] = member;
    return true;
  }
  [[nodiscard]] bool any() const {
    return std::any_of(members_.begin(), members_.end(), [](const auto& m) { return m.has_value(); });
  }

  std::optional<std::uint64_t> size(std::size_t file) override {
    if (!members_[file]) return std::nullopt;
    return members_[file]->size;
  }
  Status read(std::size_t file, std::uint64_t from, std::uint64_t to,
              const std::function<void(std::string_view)>& take) override {
    if (!members_[file]) return {};
    const format::TarMember& member = *members_[file];
    return file_.read(member.offset + std::min(from, member.size), member.offset + std::min(to, member.size),
                      take);
  }

 private:
  EvidenceFile& file_;
  std::array<std::optional<format::TarMember>, 3> members_;
};

Error no_evidence(const std::string& why) {
  return Error{Code::kInvalid, "no evidence file, or damaged: " + why, 0};
}

// What is wrong with the archive; what kept it from being read stays what it is.
Error of_archive(const Error& error) {
  return error.code == Code::kInvalid ? no_evidence(error.message) : error;
}

Result<EvidenceProof> read_proof(EvidenceFile& file, const format::TarMember& member) {
  if (member.name != kProofMember || member.size > kMaxProofBytes)
    return no_evidence("it does not begin with a " + std::string(kProofMember));
  std::string text;
  if (auto read = file.read(member.offset, member.offset + member.size,
                            [&](std::string_view bytes) { text += bytes; });
      !read)
    return std::move(read).error();
  auto proof = parse_proof(text);
  if (!proof) return no_evidence(std::string(kProofMember) + " is none");
  return std::move(*proof);
}

// Every other member, each once.
Status place_members(format::TarReader& tar, const std::string& recording, EvidenceRecording& files,
                     std::optional<format::TarMember>& checkpoints) {
  for (;;) {
    auto member = tar.next();
    if (!member) return of_archive(member.error());
    if (!*member) break;
    const std::string& name = (*member)->name;
    if (name == kCheckpointsMember && !checkpoints) {
      checkpoints = **member;
      continue;
    }
    const auto* suffix = std::find_if(kRecordingSuffixes.begin(), kRecordingSuffixes.end(),
                                      [&](std::string_view s) { return name == recording + std::string(s); });
    if (suffix == kRecordingSuffixes.end() ||
        !files.add(static_cast<std::size_t>(suffix - kRecordingSuffixes.begin()), **member))
      return no_evidence("it holds a file that does not belong there: " + name);
  }
  if (!checkpoints || !files.any()) return no_evidence("it holds no recording and checkpoints");
  return {};
}

Result<EvidenceVerdict> verify_evidence_file(EvidenceFile& file, std::vector<Pin> pins) {
  const format::ReadAt reading = file.reading();
  auto tar = format::TarReader::open(reading, file.size());
  if (!tar) return of_archive(tar.error());
  auto first = tar->next();
  if (!first) return of_archive(first.error());
  if (!*first) return no_evidence("it is empty");
  auto proof = read_proof(file, **first);
  if (!proof) return std::move(proof).error();
  EvidenceRecording files(file);
  std::optional<format::TarMember> checkpoints;
  if (auto placed = place_members(*tar, proof->recording, files, checkpoints); !placed)
    return std::move(placed).error();

  LedgerVerifier verifier(std::move(pins));
  auto read = file.read(checkpoints->offset, checkpoints->offset + checkpoints->size,
                        [&](std::string_view bytes) { verifier.feed_checkpoints(bytes); });
  if (!read) return std::move(read).error();
  verifier.end_checkpoints();
  for (const ProvenEntry& entry : proof->entries) verifier.feed_proven(entry.line, entry.path);
  EvidenceVerdict verdict{verifier.finish_proven(), {}};
  auto session = verify_session(files, SessionQuestion{proof->recording, false, &verdict.ledger});
  if (!session) return std::move(session).error();
  std::vector<SessionVerdict> sessions = {std::move(*session)};
  compare_with_recordings(verdict.ledger, sessions);
  verdict.session = std::move(sessions.front());
  return verdict;
}

// A part of a file that is appended to: no more than `size` bytes of its beginning.
Status write_beginning(const std::string& path, std::uint64_t size, format::TarWriter& tar) {
  Status written;
  auto read = read_ledger_file(path, [&](std::string_view bytes) {
    const std::string_view part = bytes.substr(0, std::min<std::uint64_t>(bytes.size(), size));
    written = tar.write(part);
    size -= part.size();
    return written.ok() && size > 0;
  });
  if (!read) return read;
  return written;
}

}  // namespace

bool is_evidence(const std::string& path) {
  if (path.size() > kEvidenceSuffix.size() &&
      std::string_view(path).substr(path.size() - kEvidenceSuffix.size()) == kEvidenceSuffix)
    return true;
  auto file = EvidenceFile::open(path);
  if (!file) return false;
  const format::ReadAt reading = file->reading();
  auto tar = format::TarReader::open(reading, file->size());
  if (!tar) return false;
  const auto first = tar->next();
  return first && *first && (*first)->name == kProofMember;
}

Result<EvidenceVerdict> verify_evidence(const std::string& path, std::vector<Pin> pins) {
  auto file = EvidenceFile::open(path);
  if (!file) return std::move(file).error();
  auto verdict = verify_evidence_file(*file, std::move(pins));
  if (!verdict)
    return Error{verdict.error().code, path + ": " + verdict.error().message, verdict.error().err};
  return verdict;
}

std::uint64_t evidence_bytes(const LedgerProof& proof, StoredRecording& recording) {
  std::uint64_t bytes = proof.checkpoint_bytes;
  for (std::size_t file = 0; file < kRecordingSuffixes.size(); ++file)
    bytes += recording.size(file).value_or(0);
  return bytes;
}

Status write_evidence(const std::string& directory, const LedgerProof& proof, StoredRecording& recording,
                      const format::TarWriter::Sink& sink) {
  format::TarWriter tar(sink);
  const std::string text = encode_proof(proof.proof);
  if (auto begun = tar.begin(std::string(kProofMember), text.size(), proof.at); !begun) return begun;
  if (auto written = tar.write(text); !written) return written;
  if (auto begun = tar.begin(std::string(kCheckpointsMember), proof.checkpoint_bytes, proof.at); !begun)
    return begun;
  if (auto written = write_beginning(directory + "/" + kCheckpointsFile, proof.checkpoint_bytes, tar);
      !written)
    return written;
  for (std::size_t file = 0; file < kRecordingSuffixes.size(); ++file) {
    const auto size = recording.size(file);
    if (!size) continue;
    if (auto begun =
            tar.begin(proof.proof.recording + std::string(kRecordingSuffixes[file]), *size, proof.at);
        !begun)
      return begun;
    Status written;
    auto read = recording.read(file, 0, *size, [&](std::string_view bytes) {
      if (written) written = tar.write(bytes);
    });
    if (!read) return read;
    if (!written) return written;
  }
  return tar.finish();
}

}  // namespace opelog::seal
