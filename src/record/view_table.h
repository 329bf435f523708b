// ViewTable: which readings of auditors are entered in the ledger, so that reading fills no disk. Pure.
//
// Invariants: the same reading is entered once in kViewWindowUs at most, kMaxViewsOfUser of one user and
// kMaxViews of all; each further one is counted, and due() gives every count once. Memory: kMaxViews readings
// and as many users.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "format/view_word.h"

namespace opelog::record {

constexpr std::int64_t kViewWindowUs = 600 * kUsPerS;
constexpr std::size_t kMaxViewsOfUser = 100;
constexpr std::size_t kMaxViews = 1000;

struct Viewing {
  std::uint32_t uid = 0;
  std::string recording;  ///< base name; "" where it is of many
  format::View what = format::View::kPlay;
  bool operator<(const Viewing& other) const {
    return std::tie(uid, recording, what) < std::tie(other.uid, other.recording, other.what);
  }
};

/// Readings that were not entered.
struct ViewsLeftOut {
  std::uint32_t uid = 0;
  std::uint64_t count = 0;
};

class ViewTable {
 public:
  enum class Verdict { kEnter, kEntered, kTooMany };
  Verdict step(const Viewing& viewing, MonoUs now);
  /// When due() has something to give; nullopt: nothing is left out.
  [[nodiscard]] std::optional<MonoUs> deadline() const;
  /// What was left out, of each user a window after the first of it.
  std::vector<ViewsLeftOut> due(MonoUs now);
  /// All of it, at the end.
  std::vector<ViewsLeftOut> rest();

 private:
  struct LeftOut {
    std::uint64_t count = 0;
    MonoUs since = 0;
  };
  void forget(MonoUs now);
  Verdict leave_out(std::uint32_t uid, MonoUs now);

  std::map<Viewing, MonoUs> entered_;
  std::deque<std::pair<MonoUs, Viewing>> order_;  ///< of `entered_`, the oldest first
  std::map<std::uint32_t, std::size_t> of_user_;
  std::map<std::uint32_t, LeftOut> left_out_;
};

}  // namespace opelog::record
