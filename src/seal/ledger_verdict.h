// LedgerVerifier: whether a ledger is whole and signed, and what it says of each session
// (docs/formats/seals.md). Pure.
//
// Feed all of `checkpoints`, then all of `entries`, then ask; or, of a ledger that is known by proofs only,
// the entries one by one, each with the path that proves it. Memory: some 200 bytes for each session and
// checkpoint.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "seal/checkpoint_reader.h"
#include "seal/entry_lines.h"
#include "seal/finding.h"
#include "seal/ledger_entry.h"
#include "seal/merkle.h"
#include "seal/pins.h"

namespace opelog::seal {

/// What the ledger has of one session.
struct LedgerSession {
  std::uint64_t index = 0;  ///< of the opening entry
  Digest leaf{};            ///< of its line
  std::uint64_t no = 0;
  std::string recording;
  std::string directory;  ///< where it was made; "" if the ledger does not say
  std::string boot;       ///< boot_id
  PublicKey key{};
  WallUs at = 0, sealed_at = 0, closed_at = 0;
  std::optional<std::uint64_t> closed_boot_index;
  std::optional<SealedEntry> sealed;  ///< the last
  std::optional<ClosedEntry> closed;
  std::optional<CrashedEntry> crashed;
  bool contradicted = false;       ///< something was said of it behind the first of these two, which counts
  bool power_cut = false;          ///< another boot lay between the session and its crashed entry
  bool unsettled = false;          ///< another boot has come, and nothing was said of its end yet
  bool compressed = false;         ///< the daemon has entered that it replaced the plain files
  std::string pruned;              ///< why; "" if it was not
  std::uint64_t pruned_index = 0;  ///< of that entry
  /// It could not be begun, as its closed entry says at once, and a checkpoint counts that: it has no files.
  bool abandoned = false;

  /// Where the entries above stand, and the last boot before the opening one and before the crashed one.
  std::optional<std::uint64_t> boot_index, sealed_index, closed_index, crashed_index, crashed_boot_index;
};

/// Why a recording was removed, and the entry that says so.
struct Pruned {
  std::string why;
  std::uint64_t index = 0;
};

struct LedgerVerdict {
  std::string origin;
  std::vector<Finding> findings;
  std::uint64_t entries = 0, signed_entries = 0, checkpoints = 0;
  std::optional<Checkpoint> last;
  std::map<std::uint64_t, LedgerSession> sessions;    ///< by number
  std::map<std::string, std::uint64_t> by_recording;  ///< the last of each name
  std::map<std::string, Pruned> pruned_unsealed;      ///< recordings from before the ledger
  std::vector<std::uint64_t> keys;                    ///< indices of the key entries
  std::string log;                                    ///< verifier key of the last of them
  std::optional<std::uint64_t> thawed_index;  ///< the last time that flags were taken off for a rotation
  bool pinned = false;
  /// What the findings come to, those too that were too many to be listed.
  Integrity damage = Integrity::kIntact;
  /// Of a ledger that is known by proofs only: how many entries are proven.
  std::optional<std::uint64_t> proven;

  /// Counts it, and lists it unless there are a thousand of its kind.
  void add(Finding finding);
  [[nodiscard]] Integrity integrity() const noexcept;
  [[nodiscard]] const LedgerSession* find(const std::string& recording) const;

 private:
  std::map<std::string, std::size_t> counts_;
};

class LedgerVerifier {
 public:
  explicit LedgerVerifier(std::vector<Pin> pins) : pins_(std::move(pins)) {}

  void feed_checkpoints(std::string_view bytes);
  void end_checkpoints();
  void feed_entries(std::string_view bytes);
  /// After the last entry.
  LedgerVerdict finish();

  /// Instead of all entries: one of them, and its path to the root of the last checkpoint, in the order of
  /// the ledger. What is not proven is a finding, and not taken.
  void feed_proven(std::string_view line, const std::vector<Digest>& path);
  /// After the last one. Says nothing of the entries that were not fed.
  LedgerVerdict finish_proven();

 private:
  struct Known {
    Checkpoint checkpoint;
    std::uint64_t offset = 0;
  };
  void take_note(CheckpointNote found);
  void take_line(std::string_view line);
  void take_entry(const LedgerEntry& entry, const Digest& leaf);
  void take_host_entry(const LedgerEntry& entry);
  void check_roots();
  void check_seen_pins();
  void conclude_chain();
  void conclude_sessions();
  void check_key(const KeyEntry& entry, std::uint64_t index);
  bool is_pinned(const PublicKey& key) const;
  bool is_other_boot(const LedgerSession& session) const;
  void found(const char* what, std::string text, std::optional<std::uint64_t> index = std::nullopt);

  std::vector<Pin> pins_;
  LedgerVerdict verdict_;
  CheckpointReader notes_;
  std::vector<Known> known_;
  std::vector<SignedNote> unlinked_;  ///< the first, and those that the chain does not reach
  std::vector<Checkpoint> unlinked_at_;
  std::set<std::uint64_t> epochs_;
  std::size_t next_root_ = 0;
  MerkleTree tree_;
  EntryLines lines_;
  std::uint64_t last_no_ = 0, next_proven_ = 0;
  std::string boot_;  ///< boot_id of the last boot entry
  std::optional<std::uint64_t> boot_index_;
  std::optional<WallUs> shut_down_;
  bool notes_end_ = false, booted_ = false, altered_ = false, by_proofs_ = false;
};

}  // namespace opelog::seal
