// EntryBound: how many entries of the ledger users may cause, so that nobody fills the disk with them. Pure.
//
// Invariants: kMaxEnteredOfUser of one user and kMaxEntered of all are admitted in any kEntryWindowUs; each
// further one is counted, and due() gives every count once. Memory: kMaxEntered times and as many users.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "core/clock.h"

namespace opelog::record {

constexpr std::int64_t kEntryWindowUs = 600 * kUsPerS;
constexpr std::size_t kMaxEnteredOfUser = 100;
constexpr std::size_t kMaxEntered = 1000;

/// Entries that were not made.
struct EntriesLeftOut {
  std::uint32_t uid = 0;
  std::uint64_t count = 0;
};

class EntryBound {
 public:
  /// Whether one more may be entered; else it is counted.
  bool admit(std::uint32_t uid, MonoUs now);
  /// When due() has something to give; nullopt: nothing is left out.
  [[nodiscard]] std::optional<MonoUs> deadline() const;
  /// What was left out, of each user a window after the first of it.
  std::vector<EntriesLeftOut> due(MonoUs now);
  /// All of it, at the end.
  std::vector<EntriesLeftOut> rest();

 private:
  struct LeftOut {
    std::uint64_t count = 0;
    MonoUs since = 0;
  };

  std::deque<std::pair<MonoUs, std::uint32_t>> admitted_;  ///< the oldest first
  std::map<std::uint32_t, std::size_t> of_user_;
  std::map<std::uint32_t, LeftOut> left_out_;
};

}  // namespace opelog::record
