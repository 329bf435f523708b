// What `verify` says: findings, and the two words that follow from them (docs/formats/seals.md). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace opelog::seal {

/// In the order in which one outweighs the other.
enum class Integrity { kIntact, kUnproven, kAltered };
enum class Completeness { kComplete, kIncomplete, kCut, kGone };
const char* integrity_word(Integrity integrity) noexcept;
const char* completeness_word(Completeness completeness) noexcept;

/// One finding; the words are the document's.
struct Finding {
  std::string what;
  std::string text;                    ///< one sentence, with positions
  std::optional<std::size_t> file;     ///< 0 .log, 1 .time, 2 .in
  std::uint64_t from = 0, to = 0;      ///< bytes of the file, end exclusive
  std::optional<std::uint64_t> index;  ///< of a ledger's entry or checkpoint
  /// When in the session: microseconds since its beginning.
  std::optional<std::int64_t> from_us, to_us;
  std::string command;  ///< the last one that was begun before
};

/// The weight of a finding of a recording by its word.
Integrity integrity_of(const std::string& what) noexcept;
Completeness completeness_of(const std::string& what) noexcept;

struct SessionVerdict {
  std::string recording;
  std::uint64_t no = 0;  ///< 0: not known
  std::vector<Finding> findings;
  std::uint64_t seals = 0;   ///< that were checked
  std::uint64_t sealed = 0;  ///< bytes they cover
  /// The ledger's entry it names, where the ledger does not reach so far.
  std::optional<std::uint64_t> beyond_ledger;
  [[nodiscard]] Integrity integrity() const noexcept;
  [[nodiscard]] Completeness completeness() const noexcept;
};

/// Whether a finding of the ledger makes it damaged, or is only stated.
bool damages_ledger(const std::string& what) noexcept;

}  // namespace opelog::seal
