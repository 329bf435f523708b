#include "seal/checkpoint_reader.h"

#include "seal/ledger_entry.h"

namespace opelog::seal {
namespace {

// A line that a later start closed in this way belongs to what a power cut tore; nothing else holds a `~`.
const std::string kTornLine = std::string(kTornEntry) + "\n";

}  // namespace

void CheckpointReader::feed(std::string_view bytes) {
  if (from_ > kMaxNoteFileBytes) {
    buffer_.erase(0, from_);
    from_ = 0;
  }
  buffer_ += bytes;
}

std::optional<CheckpointNote> CheckpointReader::next() {
  while (from_ < buffer_.size()) {
    const std::string_view left = rest();
    std::size_t used = 0;
    auto note = parse_signed_note(left, used);
    // Behind a whole signature line too: the note lacks the next one then.
    if (note && left.size() < used + kTornLine.size() && !finished_) return std::nullopt;
    const std::size_t torn =
        left.substr(0, note ? used + kTornLine.size() : kMaxNoteFileBytes).find(kTornLine);
    if (torn != std::string_view::npos) {
      from_ += torn + kTornLine.size();
      offset_ += torn + kTornLine.size();
      ++torn_;
      continue;
    }
    if (!note) return std::nullopt;
    CheckpointNote found{std::move(*note), std::nullopt, offset_};
    found.checkpoint = parse_checkpoint(found.note.text);
    from_ += used;
    offset_ += used;
    return found;
  }
  return std::nullopt;
}

}  // namespace opelog::seal
