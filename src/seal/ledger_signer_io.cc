#include "seal/ledger_signer_io.h"

#include <unistd.h>

#include <cerrno>
#include <utility>

#include "seal/checkpoint.h"
#include "seal/signed_note.h"

namespace opelog::seal {

LedgerSigner::LedgerSigner(Fd entries, Fd checkpoints, KeyFile key_file, std::string origin, LedgerKeys keys)
    : entries_(std::move(entries)),
      checkpoints_(std::move(checkpoints)),
      key_file_(std::move(key_file)),
      origin_(std::move(origin)),
      keys_(std::move(keys)) {}

// What is left of a note; its first byte in the file makes the signature final.
Status LedgerSigner::put_note() {
  while (!unfinished_.empty()) {
    const ssize_t put = ::write(checkpoints_.get(), unfinished_.data(), unfinished_.size());
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return error_from_errno(put < 0 ? errno : ENOSPC, "write a checkpoint");
    unfinished_.erase(0, static_cast<std::size_t>(put));
  }
  return {};
}

// What must follow a note that has begun, before the next one.
Status LedgerSigner::finish_note() {
  if (auto put = put_note(); !put) return put;
  if (::fdatasync(checkpoints_.get()) != 0) return error_from_errno(errno, "sync the checkpoints");
  if (by_both_) {
    if (auto saved = key_file_.save_log(*keys_.coming_log); !saved) return saved;
    if (auto erased = key_file_.erase_coming_log(); !erased) return erased;
    keys_.log = std::move(*keys_.coming_log);
    keys_.coming_log.reset();
    by_both_ = false;
  }
  auto after_next = SigningKey::generate();
  if (!after_next) return std::move(after_next).error();
  if (auto saved = key_file_.save_epoch(keys_.epoch + 2, *after_next); !saved) return saved;
  keys_.current = std::exchange(keys_.next, std::move(*after_next));
  ++keys_.epoch;
  evolved_ = true;
  return {};
}

// A note must not name a key that a crash would lose.
Status LedgerSigner::save_next() {
  if (next_saved_) return {};
  auto saved = key_file_.save_epoch(keys_.epoch + 1, keys_.next);
  next_saved_ = saved.ok();
  return saved;
}

Status LedgerSigner::draw_log() {
  if (!evolved_) {
    if (auto finished = finish_note(); !finished) return finished;
  }
  auto log = SigningKey::generate();
  if (!log) return std::move(log).error();
  auto next = SigningKey::generate();
  if (!next) return std::move(next).error();
  if (auto saved = key_file_.save_coming_log(*log); !saved) return saved;
  drawn_ = std::move(*log);
  keys_.next = std::move(*next);
  next_saved_ = false;
  return save_next();
}

void LedgerSigner::name_log(std::uint64_t entry) {
  keys_.coming_log = std::exchange(drawn_, std::nullopt);
  keys_.coming_at = entry;
}

Result<std::uint64_t> LedgerSigner::sign(std::uint64_t size, const Digest& root, WallUs now) {
  if (::fdatasync(entries_.get()) != 0) return error_from_errno(errno, "sync the ledger");
  if (evolved_) {
    if (auto saved = save_next(); !saved) return std::move(saved).error();
    const bool by_both = keys_.coming_log && size > keys_.coming_at;
    const Checkpoint checkpoint{origin_, size, root, keys_.epoch, keys_.next.public_key(), now};
    SignedNote note{encode_checkpoint(checkpoint), {}};
    // The one that proves comes first: a note that a power cut leaves with one signature has that.
    auto signed_by = [&](const SigningKey& key, VerifierKey as) -> Status {
      auto signature = key.sign(note.text);
      if (!signature) return std::move(signature).error();
      add_signature(note, as, *signature);
      return {};
    };
    auto done = signed_by(keys_.current, epoch_key(origin_, keys_.current.public_key()));
    if (done) done = signed_by(keys_.log, log_key(origin_, keys_.log.public_key()));
    if (done && by_both) {
      const SigningKey& coming = *keys_.coming_log;
      done = signed_by(coming, log_key(origin_, coming.public_key()));
    }
    if (!done) return std::move(done).error();
    unfinished_ = encode_signed_note(note);
    const std::size_t whole = unfinished_.size();
    size_ = size;
    auto put = put_note();
    if (!put && unfinished_.size() == whole) {
      unfinished_.clear();  // nothing of it is there: the next try signs anew
      return std::move(put).error();
    }
    evolved_ = false;
    by_both_ = by_both;
    if (!put) return std::move(put).error();
  }
  if (auto finished = finish_note(); !finished) return std::move(finished).error();
  return size_;
}

}  // namespace opelog::seal
