#include "app/host_ledger_io.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>
#include <vector>

#include "core/clock_io.h"
#include "core/fd_io.h"
#include "core/host_id_io.h"
#include "format/recording_files_io.h"
#include "seal/ledger_read_io.h"
#include "seal/seal_record.h"
#include "seal/session_sealer_io.h"

namespace opelog::app {
namespace {

// A ledger that cannot be opened is not tried at every login.
constexpr std::int64_t kRetryUs = kUsPerS;
// Entries that wait for a ledger; each session that goes on has one every half minute, and one of its end.
constexpr std::size_t kMostWaiting = 8192;

// Size and digest of a whole file: 0 and that of nothing if there is none, which `missing` then says.
Status digest_file(int directory, const std::string& name, std::size_t which, std::uint64_t& size,
                   Digest& digest, bool& missing) {
  digest = seal::empty_digest(which);
  size = 0;
  auto fd = format::open_regular(directory, name, O_RDONLY);
  missing = !fd && fd.error().code == Code::kNotFound;
  if (missing) return {};
  if (!fd) return std::move(fd).error();
  // Completed just now: what the ledger is to state must not be lost by the next power cut, or it would seem
  // altered.
  if (::fdatasync(fd->get()) != 0) return error_from_errno(errno, name);
  Sha256 hash(seal::kFileDomains[which]);
  std::vector<char> buffer(format::kReadBytes);
  for (;;) {
    auto got = format::read_at(fd->get(), buffer.data(), buffer.size(), size);
    if (!got) return std::move(got).error();
    if (*got == 0) break;
    hash.update({buffer.data(), *got});
    size += *got;
  }
  digest = hash.digest();
  return {};
}

// What an interrupted recording holds for good; an error while that cannot be said.
Result<seal::CrashedEntry> read_crashed(const std::string& path, std::uint64_t no,
                                        const std::string& recording) {
  auto opened = open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
  if (!opened) return Error{opened.error().code, path + ": " + opened.error().message, opened.error().err};
  const int directory = opened->get();
  if (format::needs_repair(directory, recording))
    return Error{Code::kInvalid, recording + ": it could not be completed", 0};
  seal::CrashedEntry entry;
  entry.no = no;
  bool log = false, time = false, in = false;
  auto read =
      digest_file(directory, recording + std::string(format::kLogSuffix), 0, entry.sizes.log, entry.log, log);
  if (read)
    read = digest_file(directory, recording + std::string(format::kTimeSuffix), 1, entry.sizes.time,
                       entry.time, time);
  if (read)
    read = digest_file(directory, recording + std::string(format::kInputSuffix), 2, entry.sizes.in, entry.in,
                       in);
  if (!read) return std::move(read).error();
  entry.missing = log && time && in;
  return entry;
}

}  // namespace

HostLedger::HostLedger(Loop& loop, FactSink facts, std::string key_file)
    : loop_(loop), facts_(std::move(facts)) {
  start_.place.key_file = std::move(key_file);
  start_.place.host_id = machine_id();
  start_.boot_id = boot_id();
  start_.version = OPELOG_VERSION;
}

void HostLedger::configure(const Policy& policy, std::uint32_t group) {
  required_ = policy.seal_required;
  if (std::exchange(configured_, true)) {
    if (policy.seal_ledger != start_.place.directory)
      facts_({Level::kWarning,
              "policy-warning",
              "seal.ledger: " + policy.seal_ledger + " is used from the next start of the daemon on",
              {}});
    return;
  }
  start_.place.directory = policy.seal_ledger;
  start_.place.append_only = policy.append_only;
  start_.place.group = group;
  open();
}

void HostLedger::open() {
  tried_ = mono_now();
  auto opened = seal::Ledger::open(loop_, facts_, start_);
  if (!opened) {
    if (problem_ != opened.error().message)
      facts_({Level::kError, "ledger-failed", "no ledger: " + opened.error().message, {}});
    problem_ = opened.error().message;
    return;
  }
  problem_.clear();
  ledger_ = std::move(*opened);
  ledger_->set_live(live_);
  if (locked_) locked_(ledger_->locked());
  for (const std::uint64_t no : std::exchange(resumed_, {})) ledger_->resumed(no);
  for (seal::EntryBody& body : std::exchange(waiting_, {})) ledger_->told(std::move(body));
  if (dropped_ > 0)
    ledger_->add(
        seal::LedgerGapEntry{"entries", "the ledger could not be opened", std::exchange(dropped_, 0)});
}

Result<format::Sealing> HostLedger::open_session(const format::SessionInfo& info,
                                                 const std::string& recording, const std::string& directory) {
  if (!ledger_ && mono_now() - tried_ >= kRetryUs) open();
  auto sealing = ledger_ ? ledger_->open_session(info, recording, directory)
                         : Result<format::Sealing>(Error{Code::kIo, "no ledger: " + problem_, 0});
  if (sealing) {
    warned_ = false;
    return sealing;
  }
  if (required_) return sealing;
  if (!std::exchange(warned_, true))
    facts_(
        {Level::kWarning, "unsealed", "sessions are recorded without seals: " + sealing.error().message, {}});
  return format::Sealing{};
}

Result<std::unique_ptr<format::RecordingSealer>> HostLedger::resume_session(
    const format::SealerMark& mark, std::array<std::uint64_t, 3>& covered) {
  if (ledger_) return ledger_->resume_session(mark, covered);
  // Its disk is full, say. What runs goes on: the entry of its beginning is there, and its keys are its own.
  auto sealer = seal::SessionSealer::resume(
      mark, [this](seal::EntryBody body) { told(std::move(body)); }, covered,
      [this](std::uint64_t no) { resumed_.push_back(no); });
  if (!sealer) return std::move(sealer).error();
  return std::unique_ptr<format::RecordingSealer>(std::move(*sealer));
}

// By the sealer of a session that went on without a ledger.
void HostLedger::told(seal::EntryBody body) {
  if (ledger_) return ledger_->told(std::move(body));
  if (waiting_.size() >= kMostWaiting) {
    ++dropped_;
    return;
  }
  waiting_.push_back(std::move(body));
  if (retry_) return;
  retry_ = std::make_unique<Timer>(loop_, [this] {
    if (!ledger_) open();
    if (ledger_) retry_->stop();
  });
  retry_->start(kRetryUs / kUsPerMs, kRetryUs / kUsPerMs);
}

bool HostLedger::all_entered() const {
  return waiting_.empty() && (!ledger_ || ledger_->all_entered());
}

Status HostLedger::opened() const {
  return ledger_ ? Status{} : Status{Error{Code::kIo, "no ledger: " + problem_, 0}};
}

void HostLedger::add(seal::EntryBody body) {
  if (ledger_) ledger_->add(std::move(body));
}

Status HostLedger::pruned(const std::string& recording, const std::string& why,
                          const seal::FileSizes& sizes) {
  return add_now(seal::PrunedEntry{recording, why, sizes});
}

Status HostLedger::compressed(const std::string& recording, const seal::FileSizes& sizes) {
  return add_now(seal::CompressedEntry{recording, sizes});
}

Status HostLedger::thawing(int seconds) {
  return add_now(seal::ThawedEntry{seconds});
}

Status HostLedger::add_now(seal::EntryBody body) {
  if (ledger_) {
    if (auto added = ledger_->add_now(std::move(body)); added || required_) return added;
    return {};
  }
  return required_ ? opened() : Status{};
}

void HostLedger::rotate_log(std::function<void(Result<seal::RotatedLog>)> reply) {
  if (const Status open = opened(); !open) return reply(open.error());
  ledger_->rotate_log(std::move(reply));
}

std::map<std::uint64_t, seal::OpenSession> HostLedger::interrupted() const {
  return ledger_ ? ledger_->interrupted() : std::map<std::uint64_t, seal::OpenSession>();
}

Interrupted HostLedger::read_interrupted(const std::string& directory,
                                         const std::map<std::uint64_t, seal::OpenSession>& sessions) {
  Interrupted found;
  for (const auto& [no, session] : sessions) {
    const bool elsewhere = !session.directory.empty() && session.directory != directory;
    auto entry = read_crashed(elsewhere ? session.directory : directory, no, session.recording);
    if (elsewhere && (entry ? entry->missing : entry.error().code == Code::kNotFound)) {
      // Moved along with the policy.
      auto moved = read_crashed(directory, no, session.recording);
      if (!moved || !moved->missing) entry = std::move(moved);
    }
    if (entry)
      found.entries.push_back(*entry);
    else
      found.unfinished.push_back(entry.error().message);
  }
  return found;
}

std::set<std::string> HostLedger::ever_opened(const std::string& ledger_directory,
                                              std::set<std::string> names) {
  std::set<std::string> known;
  if (names.empty()) return known;
  const auto read = seal::read_entries(ledger_directory, [&](const seal::LedgerEntry& entry) {
    const auto* opened = std::get_if<seal::OpenedEntry>(&entry.body);
    if (opened != nullptr && names.count(opened->recording) > 0) known.insert(opened->recording);
  });
  return read ? known : names;
}

Fd HostLedger::entries_to_sync() const {
  return ledger_ ? ledger_->entries_to_sync() : Fd();
}

std::function<void()> HostLedger::sync_round() {
  if (!ledger_) return {};
  return [this, count = ledger_->ended()] {
    if (ledger_) ledger_->enter_ended(count);
  };
}

std::string HostLedger::problem() const {
  return ledger_ ? ledger_->problem() : problem_;
}

void HostLedger::set_live(std::function<std::int64_t()> count) {
  live_ = std::move(count);
  if (ledger_) ledger_->set_live(live_);
}

void HostLedger::quiesce() {
  retry_.reset();
  if (ledger_) ledger_->quiesce();
}

void HostLedger::finish(bool on_disk, bool sign) {
  if (ledger_) ledger_->finish(on_disk, sign);
  ledger_.reset();
}

}  // namespace opelog::app
