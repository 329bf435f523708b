#include "seal/finding.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace opelog::seal {
namespace {

struct Weight {
  std::string_view what;
  Integrity integrity;
  Completeness completeness;
};

constexpr auto kIntact = Integrity::kIntact;
constexpr auto kUnproven = Integrity::kUnproven;
constexpr auto kAltered = Integrity::kAltered;
constexpr auto kComplete = Completeness::kComplete;
constexpr auto kIncomplete = Completeness::kIncomplete;
constexpr auto kCut = Completeness::kCut;
constexpr auto kGone = Completeness::kGone;

// The table of docs/formats/seals.md; a test compares them.
constexpr std::array kWeights = {
    Weight{"altered", kAltered, kComplete},
    Weight{"cut-head", kAltered, kCut},
    Weight{"cut-tail", kAltered, kCut},
    Weight{"missing-bytes", kAltered, kCut},
    Weight{"inserted-bytes", kAltered, kComplete},
    Weight{"seals-missing", kAltered, kCut},
    Weight{"repeated", kAltered, kComplete},
    Weight{"resigned", kAltered, kComplete},
    Weight{"spliced", kAltered, kComplete},
    Weight{"renamed", kAltered, kComplete},
    Weight{"file-missing", kAltered, kCut},
    Weight{"not-in-ledger", kAltered, kComplete},
    Weight{"unsealed", kUnproven, kComplete},
    Weight{"no-ledger", kUnproven, kComplete},
    Weight{"unpinned", kUnproven, kComplete},
    Weight{"ledger-damaged", kUnproven, kComplete},
    Weight{"unsigned", kUnproven, kComplete},
    Weight{"unsettled", kUnproven, kIncomplete},
    Weight{"tail-unsealed", kIntact, kIncomplete},
    Weight{"lost", kIntact, kIncomplete},
    Weight{"crash", kIntact, kIncomplete},
    Weight{"live", kIntact, kIncomplete},
    Weight{"no-end", kIntact, kIncomplete},
    Weight{"gap", kIntact, kIncomplete},
    Weight{"rotated", kIntact, kComplete},
    Weight{"missing-session", kAltered, kGone},
    Weight{"pruned", kIntact, kGone},
    Weight{"abandoned", kIntact, kGone},
};

constexpr std::array<std::string_view, 7> kDamaging = {
    "ledger-altered",   "ledger-cut", "ledger-forked",    "ledger-rolled-back",
    "key-chain-broken", "unpinned",   "numbers-not-dense"};

const Weight* weight_of(std::string_view what) noexcept {
  const auto* found =
      std::find_if(kWeights.begin(), kWeights.end(), [&](const Weight& w) { return w.what == what; });
  return found == kWeights.end() ? nullptr : found;
}

}  // namespace

const char* integrity_word(Integrity integrity) noexcept {
  static constexpr std::array<const char*, 3> kWords = {"intact", "unproven", "altered"};
  return kWords[static_cast<std::size_t>(integrity)];
}

const char* completeness_word(Completeness completeness) noexcept {
  static constexpr std::array<const char*, 4> kWords = {"complete", "incomplete", "cut", "gone"};
  return kWords[static_cast<std::size_t>(completeness)];
}

// A word that the table lacks would be a mistake of ours: it never passes.
Integrity integrity_of(const std::string& what) noexcept {
  const Weight* weight = weight_of(what);
  return weight != nullptr ? weight->integrity : kAltered;
}

Completeness completeness_of(const std::string& what) noexcept {
  const Weight* weight = weight_of(what);
  return weight != nullptr ? weight->completeness : kCut;
}

Integrity SessionVerdict::integrity() const noexcept {
  Integrity worst = kIntact;
  for (const Finding& f : findings) worst = std::max(worst, integrity_of(f.what));
  return worst;
}

Completeness SessionVerdict::completeness() const noexcept {
  Completeness worst = kComplete;
  for (const Finding& f : findings) worst = std::max(worst, completeness_of(f.what));
  return worst;
}

bool damages_ledger(const std::string& what) noexcept {
  return std::find(kDamaging.begin(), kDamaging.end(), what) != kDamaging.end();
}

}  // namespace opelog::seal
