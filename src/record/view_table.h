// ViewTable: which readings of auditors are entered in the ledger, so that reading fills no disk. Pure.
//
// Invariants: the same reading is entered once in kEntryWindowUs at most; how many of one user and of all,
// and what becomes of the others, is EntryBound's.
#pragma once

#include <cstdint>
#include <deque>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include "core/clock.h"
#include "format/view_word.h"
#include "record/entry_bound.h"

namespace opelog::record {

struct Viewing {
  std::uint32_t uid = 0;
  std::string recording;  ///< base name; "" where it is of many
  format::View what = format::View::kPlay;
  bool operator<(const Viewing& other) const {
    return std::tie(uid, recording, what) < std::tie(other.uid, other.recording, other.what);
  }
};

class ViewTable {
 public:
  enum class Verdict { kEnter, kEntered, kTooMany };
  Verdict step(const Viewing& viewing, MonoUs now);
  /// Of those that were too many.
  EntryBound& bound() noexcept { return bound_; }

 private:
  EntryBound bound_;
  std::set<Viewing> entered_;
  std::deque<std::pair<MonoUs, Viewing>> order_;  ///< of `entered_`, the oldest first
};

}  // namespace opelog::record
