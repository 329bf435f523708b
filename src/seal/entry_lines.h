// EntryLines: the lines of a ledger's entries out of a file that is read in pieces.
//
// Invariant: memory is bounded by kMaxEntryBytes, whatever the file holds. A longer line is no entry,
// whatever becomes of it; it comes cut to one byte more, which parse_entry() refuses. Pure.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "seal/ledger_entry.h"

namespace opelog::seal {

class EntryLines {
 public:
  /// `take(line)` for each that ends in `bytes`, without its newline; returns false to stop.
  template <typename Take>
  bool feed(std::string_view bytes, Take take) {
    for (std::size_t lf; (lf = bytes.find('\n')) != std::string_view::npos; bytes.remove_prefix(lf + 1)) {
      if (begun_.empty() && lf <= kMaxEntryBytes) {
        if (!take(bytes.substr(0, lf))) return false;
        continue;
      }
      begin(bytes.substr(0, lf));
      if (!take(std::string_view(std::exchange(begun_, {})))) return false;
    }
    begin(bytes);
    return true;
  }
  /// What has no newline yet.
  [[nodiscard]] const std::string& rest() const noexcept { return begun_; }
  /// It is longer than any entry.
  [[nodiscard]] bool too_long() const noexcept { return begun_.size() > kMaxEntryBytes; }

 private:
  void begin(std::string_view bytes) {
    begun_ += bytes.substr(0, std::min(bytes.size(), kMaxEntryBytes + 1 - begun_.size()));
  }

  std::string begun_;
};

}  // namespace opelog::seal
