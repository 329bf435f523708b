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

Result<std::uint64_t> LedgerSigner::sign(std::uint64_t size, const Digest& root, WallUs now) {
  if (::fdatasync(entries_.get()) != 0) return error_from_errno(errno, "sync the ledger");
  if (evolved_) {
    const Checkpoint checkpoint{origin_, size, root, keys_.epoch, keys_.next.public_key(), now};
    SignedNote note{encode_checkpoint(checkpoint), {}};
    auto by_epoch = keys_.current.sign(note.text);
    if (!by_epoch) return std::move(by_epoch).error();
    auto by_log = keys_.log.sign(note.text);
    if (!by_log) return std::move(by_log).error();
    // The one that proves comes first: a note that a power cut leaves with one signature has that.
    add_signature(note, epoch_key(origin_, keys_.current.public_key()), *by_epoch);
    add_signature(note, log_key(origin_, keys_.log.public_key()), *by_log);
    unfinished_ = encode_signed_note(note);
    const std::size_t whole = unfinished_.size();
    size_ = size;
    auto put = put_note();
    if (!put && unfinished_.size() == whole) {
      unfinished_.clear();  // nothing of it is there: the next try signs anew
      return std::move(put).error();
    }
    evolved_ = false;
    if (!put) return std::move(put).error();
  }
  if (auto put = put_note(); !put) return std::move(put).error();
  if (::fdatasync(checkpoints_.get()) != 0) return error_from_errno(errno, "sync the checkpoints");
  auto after_next = SigningKey::generate();
  if (!after_next) return std::move(after_next).error();
  if (auto saved = key_file_.save_epoch(keys_.epoch + 2, *after_next); !saved)
    return std::move(saved).error();
  keys_.current = std::exchange(keys_.next, std::move(*after_next));
  ++keys_.epoch;
  evolved_ = true;
  return size_;
}

}  // namespace opelog::seal
