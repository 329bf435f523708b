// Ledger: the host's list of what exists, as the daemon keeps it on its loop (docs/formats/seals.md).
//
// Invariants: an entry is in the file (or owed to it, in order) when add() returns; a session's opening entry
// is in the file before its recording holds a byte, its closed one only once that is on the disk; checkpoints
// are made on a worker thread, one at a time, so that no disk keeps the loop waiting.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "core/fact.h"
#include "core/loop_io.h"
#include "core/result.h"
#include "format/recording_writer_io.h"
#include "format/session_info.h"
#include "seal/ledger_entry.h"
#include "seal/ledger_files_io.h"
#include "seal/ledger_signer_io.h"

namespace opelog::seal {

/// A checkpoint is begun this long after an entry that none counts.
constexpr std::int64_t kCheckpointUs = 500 * kUsPerMs;
/// Nothing to enter for this long is entered.
constexpr std::int64_t kHeartbeatUs = 300 * kUsPerS;
/// A difference between the two clocks that is entered.
constexpr std::int64_t kClockStepUs = kUsPerS;
/// Bytes of entries kept in memory while the file takes none; more are dropped, and the number stated.
constexpr std::size_t kMaxOwedBytes = 1 << 20;

struct LedgerStart {
  LedgerPlace place;
  std::string boot_id, version;
};

/// Verifier keys of the host's own signatures, and how many entries the checkpoint counts that both signed.
struct RotatedLog {
  std::string log, former;
  std::uint64_t size = 0;
};

class Ledger {
 public:
  /// Opens or makes the ledger, and enters the start. What went wrong before is entered too and stated.
  static Result<std::unique_ptr<Ledger>> open(Loop& loop, FactSink facts, const LedgerStart& start);
  ~Ledger();
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  /// What the file does not take now is owed to it; beyond kMaxOwedBytes it is dropped, and a gap entry
  /// counts it.
  void add(EntryBody body);
  /// The same for what must not happen without its entry. An error: it is not in the file, or only in part
  /// (the rest is owed).
  Status add_now(EntryBody body);
  /// Another log key: its entry, and a checkpoint by both keys. The reply comes once that is on the disk, in
  /// a later turn; an error that says so leaves a rotation that goes on by itself.
  void rotate_log(std::function<void(Result<RotatedLog>)> reply);
  /// For RecordingWriter's `opened`, of a recording in `directory`. An error: the file takes nothing.
  Result<format::Sealing> open_session(const format::SessionInfo& info, const std::string& recording,
                                       const std::string& directory);
  /// For RecordingWriter's resume(): a session that a former daemon left running, and that goes on.
  Result<std::unique_ptr<format::RecordingSealer>> resume_session(const format::SealerMark& mark,
                                                                  std::array<std::uint64_t, 3>& covered);
  /// One that went on before this ledger could be opened.
  void resumed(std::uint64_t no) { interrupted_.erase(no); }
  /// By a session's sealer. That a recording has its end is entered once it is on the disk: enter_ended().
  void told(EntryBody body);

  /// Sessions that a former daemon left open, by number. Each wants a crashed entry.
  [[nodiscard]] const std::map<std::uint64_t, OpenSession>& interrupted() const noexcept {
    return interrupted_;
  }
  [[nodiscard]] std::uint64_t entries() const noexcept { return tree_.size(); }
  /// Why the ledger is behind; "" if all is well.
  [[nodiscard]] const std::string& problem() const noexcept { return problem_; }
  /// For fdatasync on a thread, before anything that the entries speak of is forced to the disk or removed
  /// from it.
  [[nodiscard]] Fd entries_to_sync() const;
  /// The files whose locks keep a second writer away; lent.
  [[nodiscard]] std::vector<int> locked() const { return {files_.entries.get(), signer_->key_file().fd()}; }
  /// How many recordings have ended so far. Each is entered as closed only when its last bytes are on the
  /// disk, or a power cut would look as if they had been taken away: by enter_ended() of a number that was so
  /// then.
  [[nodiscard]] std::uint64_t ended() const noexcept { return ended_entered_ + ended_.size(); }
  void enter_ended(std::uint64_t count);
  [[nodiscard]] bool all_entered() const noexcept { return ended_.empty(); }
  void set_live(std::function<std::int64_t()> count) { live_ = std::move(count); }

  /// Before the loop ends: no timers any more.
  void quiesce();
  /// After the loop has ended, and all sessions with it: the stop, and the last checkpoint.
  /// `on_disk`: every recording is, so what has ended may be entered; else the next start finds out. `sign`
  /// false: the next daemon makes the checkpoint, and sessions wait for it.
  void finish(bool on_disk, bool sign = true);

 private:
  Ledger(Loop& loop, FactSink facts, LedgerFiles files, LedgerState state,
         std::unique_ptr<LedgerSigner> signer);
  Status put_owed();
  Status settle_debts();
  Status enter_now(const std::string& line);
  void entered(const std::string& line, const std::string& owed);
  void sign();
  void draw_log();
  void name_log();
  void end_rotation(Result<RotatedLog> result);
  void signed_until(const Result<std::uint64_t>& size);
  void look_at_clock();
  void tick();
  void failed(const Error& error);

  Loop& loop_;
  FactSink facts_;
  LedgerFiles files_;
  MerkleTree tree_;
  std::uint64_t last_no_ = 0, signed_ = 0;
  std::map<std::uint64_t, OpenSession> interrupted_;
  std::shared_ptr<LedgerSigner> signer_;
  std::function<std::int64_t()> live_;
  std::deque<EntryBody> ended_;  ///< closed entries to come
  std::uint64_t ended_entered_ = 0;
  std::string owed_;
  std::uint64_t dropped_ = 0;
  std::string problem_;
  bool signing_ = false;  ///< a thread has the signer
  std::function<void(Result<RotatedLog>)> rotating_;
  std::optional<std::uint64_t> rotated_at_;  ///< entry of the key that `rotating_` waits for
  RotatedLog rotated_;
  MonoUs last_entry_ = 0;
  std::int64_t clocks_apart_ = 0;
  std::unique_ptr<Timer> sign_timer_, tick_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace opelog::seal
