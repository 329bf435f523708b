// The policy: what /etc/opelog/opelog.yaml says, as plain values.
//
// Every field's default here is the default in etc/opelog.yaml and in docs/policy.md; a test compares all
// three. A Policy is complete and immutable once parsed: reload builds a new one and swaps it.
// Not here: reading files (policy_file_io.h), parsing (policy_parse.h), choosing a rule (policy_decide.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/event_hook.h"
#include "core/fact.h"
#include "core/log_io.h"

namespace opelog {

/// What to do with a session when recording fails in the middle (disk full, EIO, read-only).
enum class OnFailure {
  kHold,      ///< show nothing more until the record accepts it again; end after `hold_timeout_ms`
  kCut,       ///< end the session, say why
  kContinue,  ///< let it go on unrecorded; a gap record and a warning state it
};

/// What to do when a login cannot be recorded from its start.
enum class OnRefuse { kRefuse, kPass };

/// What to do with a login that never asked to be recorded, once exec events show it.
enum class OnUnrecorded {
  kRecord,  ///< record what it executes
  kEnd,     ///< that, and kill it
};

/// What to do with output that is faster than the rates of `limits`.
enum class OnOutputRate {
  kDelay,  ///< read it later: the program waits
  kDrop,   ///< show it unrecorded; the record says how much
  kPass,   ///< record it all the same, and say so once
};

struct UidRange {
  std::uint32_t first = 0;
  std::uint32_t last = 0;  ///< inclusive
  bool operator==(const UidRange&) const = default;
};

/// An address with prefix length: "192.0.2.0/24", "2001:db8::/32"; IPv4 is kept as v4-mapped v6.
struct AddressRange {
  std::string text;  ///< as written
  unsigned char bytes[16] = {};
  unsigned prefix = 128;  ///< bits of the 16 bytes
  bool operator==(const AddressRange&) const = default;
};

/// All given conditions must hold; a list holds if one of its members does; an empty list holds always.
struct Match {
  std::vector<UidRange> uid;
  std::vector<std::string> user;      ///< names, exact
  std::vector<std::string> group;     ///< names, primary or supplementary
  std::vector<std::string> parent;    ///< program the login was started by: base name or absolute path
  std::vector<std::string> ancestor;  ///< the same, anywhere above
  std::vector<AddressRange> client;
  std::optional<bool> terminal;
  bool operator==(const Match&) const = default;
};

/// What a rule does with the login it matches.
enum class Action { kRecord, kPass, kRefuse };

struct Rule {
  std::string name;  ///< unique
  Match match;
  Action action = Action::kRecord;
  bool record_input = false;    ///< keystrokes to `.in`; never while the terminal does not echo
  bool record_payload = false;  ///< bytes of sessions without a terminal
  std::string notice;           ///< shown at the start of a recorded terminal; for kRefuse the reason
  OnRefuse on_start_failure = OnRefuse::kRefuse;
  OnFailure on_write_failure = OnFailure::kHold;
  OnUnrecorded on_unrecorded = OnUnrecorded::kRecord;
  int line = 0;  ///< where in the file it stands, for messages
  bool operator==(const Rule&) const = default;
};

struct GuardedDirectory {
  std::string path;      ///< absolute, no trailing slash
  int settle_ms = 1000;  ///< a file still empty after this long is flagged too; 0 at creation
  bool operator==(const GuardedDirectory&) const = default;
};

/// Recordings that retention leaves alone: all of a user, or one session by its id or name. One of the two is
/// set.
struct Hold {
  std::string user, session;
  bool operator==(const Hold&) const = default;
};

/// What becomes of closed recordings. Ages count from a recording's last change; 0 turns each limit off.
struct Retention {
  std::int64_t compress_after_s = 7 * 86400;
  std::int64_t keep_for_s = 0;
  std::int64_t keep_at_least_s = 86400;  ///< nothing younger is pruned, whatever the other limits say
  std::uint64_t max_size = 0;            ///< bytes of all recordings
  std::uint64_t max_size_per_user = 0;
  std::uint64_t reserve = 0;  ///< bytes that stay free in their file system
  std::vector<Hold> hold;
  bool operator==(const Retention&) const = default;
};

enum class AppendOnly { kRequired, kPreferred, kOff };

struct Policy {
  // recordings:
  std::string directory = "/var/log/ope_log";  ///< absolute, no trailing slash
  std::string name = "{user}_{time}_{client}";
  std::string file_group = "opelog-audit";
  unsigned file_mode = 0640;
  AppendOnly append_only = AppendOnly::kRequired;
  int sync_interval_ms = 1000;  ///< fdatasync of recordings with new bytes; 0 never

  // seal:
  std::string seal_ledger = "/var/log/opelog-ledger";  ///< directory, absolute, no trailing slash
  bool seal_required = true;                           ///< no recording without an entry in the ledger
  bool seal_viewed = true;                             ///< auditors' readings are entered

  // rules: first match wins; no match passes
  std::vector<Rule> rules;

  Retention retention;

  std::vector<EventHook> on_event;  ///< at most kMaxEventHooks

  // daemon_absent: what the shim does when it cannot reach the daemon, for uids a rule may record
  OnRefuse daemon_absent = OnRefuse::kRefuse;
  std::string break_glass_group = "opelog-breakglass";

  int unrecorded_scan_ms = 10000;  ///< how often ssh connections without a session are looked for; 0 never

  // guard:
  std::vector<GuardedDirectory> guard;  ///< the recordings' directory is always guarded, without being named
  int guard_sweep_ms = 60000;           ///< how often every known file's flag is looked at again

  // limits:
  int max_sessions = 2000;
  int max_sessions_per_user = 200;
  int max_pending_logins = 1024;           ///< connections that have not yet been answered
  int login_timeout_ms = 10000;            ///< a connection that has not said what it wants by then is closed
  int hold_timeout_ms = 60000;             ///< OnFailure::kHold ends the session after this
  int end_grace_ms = 2000;                 ///< from the shell's end (or a hang-up) until what is left is cut
  std::uint64_t session_size = 0;          ///< bytes of one recording's files, which end its session; 0 any
  std::uint64_t output_rate = 0;           ///< bytes of recorded output a second, of one session; 0 any
  std::uint64_t output_rate_per_user = 0;  ///< the same of all sessions of one user
  OnOutputRate on_output_rate = OnOutputRate::kDelay;
  int idle_warning_ms = 0;  ///< a terminal on which nothing happened for so long is warned; 0 never
  int idle_end_ms = 0;      ///< and its session ended; 0 never
  /// Free bytes in the recordings' file system below which each user may write a small part only; at most a
  /// 32nd of that file system. 0: none.
  std::uint64_t disk_reserve = 64ULL << 20U;

  // log:
  LogConfig log{LogTarget::kJournal, "/var/log/opelog.log", Level::kInfo};

  bool operator==(const Policy&) const = default;
};

}  // namespace opelog
