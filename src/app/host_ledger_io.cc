#include "app/host_ledger_io.h"

#include <fcntl.h>

#include <array>
#include <utility>
#include <vector>

#include "core/clock_io.h"
#include "core/fd_io.h"
#include "core/host_id_io.h"
#include "format/recording_files_io.h"
#include "seal/seal_record.h"

namespace opelog::app {
namespace {

// A ledger that cannot be opened is not tried at every login.
constexpr std::int64_t kRetryUs = kUsPerS;

// Size and digest of a whole file; nothing of one that is not there.
bool digest_file(int directory, const std::string& name, std::size_t which, std::uint64_t& size,
                 Digest& digest) {
  digest = seal::empty_digest(which);
  size = 0;
  auto fd = format::open_regular(directory, name, O_RDONLY);
  if (!fd) return false;
  Sha256 hash(seal::kFileDomains[which]);
  std::vector<char> buffer(format::kReadBytes);
  for (;;) {
    auto got = format::read_at(fd->get(), buffer.data(), buffer.size(), size);
    if (!got) return false;
    if (*got == 0) break;
    hash.update({buffer.data(), *got});
    size += *got;
  }
  digest = hash.digest();
  return true;
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
}

Result<format::Sealing> HostLedger::open_session(const format::SessionInfo& info,
                                                 const std::string& recording) {
  if (!ledger_ && mono_now() - tried_ >= kRetryUs) open();
  auto sealing = ledger_ ? ledger_->open_session(info, recording)
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

Status HostLedger::add_now(seal::EntryBody body) {
  if (ledger_) {
    if (auto added = ledger_->add_now(std::move(body)); added || required_) return added;
    return {};
  }
  return required_ ? Status{Error{Code::kIo, "no ledger: " + problem_, 0}} : Status{};
}

std::map<std::uint64_t, std::string> HostLedger::interrupted() const {
  return ledger_ ? ledger_->interrupted() : std::map<std::uint64_t, std::string>();
}

std::vector<seal::CrashedEntry> HostLedger::read_interrupted(
    const std::string& directory, const std::map<std::uint64_t, std::string>& sessions) {
  std::vector<seal::CrashedEntry> entries;
  if (sessions.empty()) return entries;
  auto place = open_at(AT_FDCWD, directory, O_RDONLY | O_DIRECTORY);
  for (const auto& [no, recording] : sessions) {
    seal::CrashedEntry entry;
    entry.no = no;
    entry.missing = true;
    if (place) {
      bool there = digest_file(place->get(), recording + std::string(format::kLogSuffix), 0, entry.sizes.log,
                               entry.log);
      there |= digest_file(place->get(), recording + std::string(format::kTimeSuffix), 1, entry.sizes.time,
                           entry.time);
      there |= digest_file(place->get(), recording + std::string(format::kInputSuffix), 2, entry.sizes.in,
                           entry.in);
      entry.missing = !there;
    }
    entries.push_back(entry);
  }
  return entries;
}

std::string HostLedger::problem() const {
  return ledger_ ? ledger_->problem() : problem_;
}

void HostLedger::set_live(std::function<std::int64_t()> count) {
  live_ = std::move(count);
  if (ledger_) ledger_->set_live(live_);
}

void HostLedger::quiesce() {
  if (ledger_) ledger_->quiesce();
}

void HostLedger::finish() {
  if (ledger_) ledger_->finish();
  ledger_.reset();
}

}  // namespace opelog::app
