// CheckpointReader: the notes of a ledger's `checkpoints`, one after the other, out of bytes in any pieces.
// Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "seal/checkpoint.h"
#include "seal/signed_note.h"

namespace opelog::seal {

struct CheckpointNote {
  SignedNote note;
  std::optional<Checkpoint> checkpoint;  ///< nullopt: the note is none of ours, or damaged
  std::uint64_t offset = 0;              ///< where it begins
};

class CheckpointReader {
 public:
  void feed(std::string_view bytes);
  /// The next whole note. The last one is whole when its signatures' lines are followed by something, or at
  /// finish().
  std::optional<CheckpointNote> next();
  /// No more bytes come.
  void finish() { finished_ = true; }

  /// Bytes that are no whole note: a torn one at the end, or damage (then nothing follows).
  [[nodiscard]] std::string_view rest() const { return std::string_view(buffer_).substr(from_); }
  [[nodiscard]] std::uint64_t offset() const noexcept { return offset_; }
  [[nodiscard]] std::uint64_t torn() const noexcept { return torn_; }

 private:
  std::string buffer_;
  std::size_t from_ = 0;
  std::uint64_t offset_ = 0, torn_ = 0;
  bool finished_ = false;
};

}  // namespace opelog::seal
