// The ledger's entries: one line of JSON each (docs/formats/seals.md has the table). Pure.
//
// Invariant: what encode_entry() returns is printable ASCII without LF, and parse_entry() reads it back.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "core/clock.h"
#include "core/sha256.h"
#include "seal/signature.h"

namespace opelog::seal {

struct KeyEntry {
  std::string log;  ///< verifier key
  std::uint64_t epoch = 1;
  PublicKey next{};  ///< signs `epoch`
  std::string why;   ///< "init", "rotated", "lost", "log-lost"
};
struct BootEntry {
  std::string boot_id, version;
  bool clean = true;
};
struct ShutdownEntry {};
struct PolicyEntry {
  std::string digest;
};
struct OpenedEntry {
  std::uint64_t no = 0;
  /// `directory` is the one the recording is made in; "" in ledgers of former versions.
  std::string session, recording, directory, host, host_id, boot_id, user;
  std::uint32_t uid = 0;
  std::string client, how, rule, policy;
  PublicKey key{};  ///< signs the first seal
};
/// Sizes of .log, .time and .in.
struct FileSizes {
  std::uint64_t log = 0, time = 0, in = 0;
  bool operator==(const FileSizes&) const = default;
};
struct SealedEntry {
  std::uint64_t no = 0, n = 0;
  Digest seal{};  ///< SHA-256 of the seal's message
  FileSizes sizes;
};
struct ClosedEntry {
  std::uint64_t no = 0, n = 0;
  Digest seal{};
  FileSizes sizes;
  std::string reason;
  std::optional<int> exit_code, signal;
};
/// Reason of a closed entry of a recording that could not be begun: it has no seals, and no files.
constexpr const char* kAbandoned = "abandoned";
struct CrashedEntry {
  std::uint64_t no = 0;
  bool missing = false;
  FileSizes sizes;
  Digest log{}, time{}, in{};
};
struct PrunedEntry {
  std::string recording, why;
  FileSizes sizes;
};
struct CompressedEntry {
  std::string recording;
  FileSizes sizes;
};
struct ThawedEntry {
  std::int64_t seconds = 0;
};
struct FrozenEntry {
  std::int64_t files = 0;
};
struct ViewedEntry {
  std::string recording;
  std::uint32_t uid = 0;
  std::string what;
};
/// A login that a rule wanted to be recorded, and that is in no recording.
struct UnrecordedEntry {
  std::string what, user;
  std::uint32_t uid = 0;
  std::string client, rule, why;
};
/// `what` of a gap: readings, or unrecorded logins, that were too many to be entered.
constexpr const char* kGapOfViews = "viewed";
constexpr const char* kGapOfUnrecorded = "unrecorded";
struct LedgerGapEntry {
  std::string what, why;
  std::uint64_t count = 0;
};
struct ClockEntry {
  std::int64_t by = 0;  ///< microseconds, negative: back
};
struct HeartbeatEntry {
  std::int64_t live = 0;
};
/// A kind this version does not know.
struct UnknownEntry {
  std::string kind;
};

using EntryBody =
    std::variant<KeyEntry, BootEntry, ShutdownEntry, PolicyEntry, OpenedEntry, SealedEntry, ClosedEntry,
                 CrashedEntry, PrunedEntry, CompressedEntry, ThawedEntry, FrozenEntry, ViewedEntry,
                 UnrecordedEntry, LedgerGapEntry, ClockEntry, HeartbeatEntry, UnknownEntry>;

struct LedgerEntry {
  std::uint64_t index = 0;
  WallUs at = 0;
  EntryBody body;
};

/// Ends a line that a power cut tore.
constexpr std::string_view kTornEntry = "~torn";
/// A longer line is no entry; ours stay far below.
constexpr std::size_t kMaxEntryBytes = 65536;

std::string encode_entry(const LedgerEntry& entry);
/// nullopt for anything that is no entry, a torn line too.
std::optional<LedgerEntry> parse_entry(std::string_view line);
/// Whether a line (or the value of OPELOG_OPENED) is an opening entry.
std::optional<OpenedEntry> parse_opened(std::string_view line, std::uint64_t& index);

}  // namespace opelog::seal
