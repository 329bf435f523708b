// The ledger's files as its one writer has them: opened, locked, and brought back after whatever ended the
// writer before.
//
// Invariants: both files are append-only and only ever grow; what a power cut tore is closed by `~torn`,
// never cut off. One writer: the lock on `entries`.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "core/fd_io.h"
#include "core/policy.h"
#include "core/result.h"
#include "seal/checkpoint.h"
#include "seal/ledger_keys_io.h"
#include "seal/merkle.h"

namespace opelog::seal {

constexpr const char* kEntriesFile = "entries";
constexpr const char* kCheckpointsFile = "checkpoints";

struct LedgerPlace {
  std::string directory = "/var/log/opelog-ledger";
  std::string key_file = "/var/lib/opelog/ledger.key";
  std::uint32_t group = 0;  ///< may read the ledger
  AppendOnly append_only = AppendOnly::kRequired;
  std::string host_id;
};

struct LedgerFiles {
  Fd entries, checkpoints;
};

/// Makes what is missing: the directory 0750 root:group, the files 0640 with the append-only flag.
/// Code::kExists if another process writes the ledger.
Result<LedgerFiles> open_ledger_files(const LedgerPlace& place);

/// Of a session that is neither closed nor crashed: where its recording was made.
struct OpenSession {
  std::string recording;
  std::string directory;  ///< "": unknown
  bool operator==(const OpenSession&) const = default;
};

/// What the files say.
struct LedgerState {
  MerkleTree tree;
  std::uint64_t last_no = 0;
  bool stopped = true;                        ///< the last entry is a shutdown, or there is none
  std::map<std::uint64_t, OpenSession> open;  ///< by number
  std::optional<PublicKey> first;             ///< entry 0: signs epoch 1
  std::optional<Checkpoint> last;             ///< the last checkpoint
  std::string log;           ///< verifier key of the last key entry: the host's own signatures
  std::uint64_t log_at = 0;  ///< that entry
  std::string damage;        ///< why the files cannot be what a writer left; "" if they are
};

/// Reads both files whole, and closes a torn end.
Result<LedgerState> recover_ledger(const LedgerFiles& files, const std::string& origin);

/// The keys to go on with, made where there are none; a rotation of the log key that a crash interrupted goes
/// on where the ledger names its key, and has not been otherwise. `lost`: they are new and nothing links them
/// to the chain so far; `made`: they are new because the ledger is; `log_lost`: the log key alone is another
/// than the ledger names.
struct ContinuedKeys {
  LedgerKeys keys;
  bool lost = false, made = false, log_lost = false;
};
Result<ContinuedKeys> continue_keys(KeyFile& file, const LedgerState& state, const std::string& origin);

}  // namespace opelog::seal
