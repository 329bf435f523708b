// RecordingWriter: the files of one live session, written so that nothing is ever rewritten.
//
// Invariants: `.log` gets a byte before `.time` speaks of it; every write(2) to `.time` is of whole records;
// what the kernel accepted only in part is kept and completed first (so the files stay well formed after
// ENOSPC is cured); files are O_APPEND|O_EXCL|O_NOFOLLOW with the append-only flag before their first byte. A
// write lock (F_OFD_SETLK on `.time`) marks the recording as live for readers.
//
// Timing of output is merged: chunks less than kTimingMergeUs apart share one `O` record, and the records of
// kTimingWriteUs are written together, at flush_deadline(); any other record is preceded by them. A crash in
// between leaves output without timing: resume() goes on with what its memory has, or repair_tail() states
// it.
//
// Sealed, where a RecordingSealer is given: it is told of every byte accepted, and its seals are written when
// they are due (recording_sealer.h), each behind the timing of what it covers; the final one is the last line
// of `.time`.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/fd_io.h"
#include "core/policy.h"
#include "core/result.h"
#include "format/recording_sealer.h"
#include "format/session_info.h"
#include "format/writer_memory.h"

namespace opelog::format {

/// 10 ms: below what an eye sees in a replay, and it saves a write per chunk while output floods.
constexpr std::int64_t kTimingMergeUs = 10 * kUsPerMs;
/// 100 ms: many sessions with a line now and then cost a write for each line otherwise.
constexpr std::int64_t kTimingWriteUs = 100 * kUsPerMs;

/// What seals a recording, and what its header says of that.
struct Sealing {
  std::unique_ptr<RecordingSealer> sealer;  ///< nullptr: it is not sealed
  std::string opened;                       ///< value of OPELOG_OPENED
};

struct WriterOptions {
  int directory = -1;  ///< open descriptor of the recordings' directory
  std::string name;    ///< base name wanted, already safe (recording_name.h)
  unsigned mode = 0640;
  std::uint32_t group = 0;  ///< gid of the files
  AppendOnly append_only = AppendOnly::kRequired;
  bool input = false;  ///< also open `.in`
  /// Called with the base name chosen, when the files are there and hold nothing. On an error none are left.
  std::function<Result<Sealing>(const std::string& name)> opened;
  /// Where it remembers what another process needs to go on, the sealer's secret too; zeroed, outlives the
  /// writer. nullptr: in memory of its own, and no secret.
  WriterMemory* memory = nullptr;
  /// Stands in for write(2) in tests; nullptr is write(2) itself.
  std::ptrdiff_t (*write)(int fd, const void* data, std::size_t size) = nullptr;
};

/// A recording whose writer's process ended, and what that remembered.
struct ResumeOptions {
  std::array<Fd, 3> files;  ///< `.log`, `.time`, `.in` (may be invalid), as they were opened for writing
  std::string name;
  MonoUs begun = 0;
  bool append_only = false;
  WriterMemory* memory = nullptr;
  /// Makes the sealer of what `mark` says, and tells the sizes that are sealed; empty: it is not sealed. Its
  /// RecordingSealer::resumed() says that all went well.
  std::function<Result<std::unique_ptr<RecordingSealer>>(const SealerMark& mark,
                                                         std::array<std::uint64_t, 3>& covered)>
      sealer;
};

class RecordingWriter {
 public:
  /// Creates the files (NAME, then NAME-2, -3, … up to -9999 if taken) and writes the header.
  /// On any failure nothing is left behind (flags cleared, files removed).
  static Result<std::unique_ptr<RecordingWriter>> create(const WriterOptions& options,
                                                         const SessionInfo& info, MonoUs now);
  /// Goes on where another process was killed, at whatever instruction: completes the record that was under
  /// way. What no seal covers is read back to be sealed. Code::kInvalid: the files are not as that process
  /// left them.
  static Result<std::unique_ptr<RecordingWriter>> resume(ResumeOptions options, MonoUs now);
  ~RecordingWriter();
  RecordingWriter(const RecordingWriter&) = delete;
  RecordingWriter& operator=(const RecordingWriter&) = delete;

  [[nodiscard]] const std::string& name() const noexcept;  ///< base name chosen

  /// When what output() took is digested for its seal.
  enum class Digesting {
    kNow,
    kLater,  ///< by digest_output(), or before anything else is written; `bytes` stay where they are till
             ///< then
  };
  /// Appends output. Returns how many bytes the record accepted (1..size): only those may be shown.
  /// An error means none. `bytes` must not be empty.
  Result<std::size_t> output(std::string_view bytes, MonoUs now, Digesting when = Digesting::kNow);
  /// What the last output() left for later. Once the terminal has the bytes, it does not wait for this.
  void digest_output();
  /// Appends input; the same contract. Only with WriterOptions::input.
  Result<std::size_t> input(std::string_view bytes, MonoUs now);
  /// The three below: an error means nothing was written; success, that it was written, or begun and kept, to
  /// be completed before anything else is accepted.
  Status resized(int rows, int cols, MonoUs now);
  /// Any H record; `value` is split and escaped as the format demands.
  Status note(std::string_view name, std::string_view value, MonoUs now);
  Status gap(const GapInfo& gap, MonoUs now);
  /// Flushes and writes the end (EXIT_CODE, DURATION, OPELOG_END) and the final seal. The writer takes no
  /// more after it. An error with Code::kGone: the end is there, and cannot be sealed.
  Status end(const EndInfo& end, MonoUs now);

  /// The records of the end are there, or under way: only end() is to come.
  [[nodiscard]] bool ending() const noexcept;
  /// Flushes and seals all there is, for another process to go on.
  Status pause(MonoUs now);

  /// When flush() is wanted: for pending timing, or a seal; nullopt if nothing is pending. After a failure
  /// 100 ms later.
  [[nodiscard]] std::optional<MonoUs> flush_deadline() const noexcept;
  /// Writes the timing that is pending, and a seal if one is due.
  Status flush(MonoUs now);

  /// Whether bytes were written since the last sync, and descriptors for fdatasync (on a worker thread).
  [[nodiscard]] bool dirty() const noexcept;
  /// Duplicated descriptors to sync; marks clean.
  Result<std::vector<Fd>> take_for_sync();
  /// The same where the whole file system will be synced: one descriptor is enough.
  Result<std::vector<Fd>> take_for_file_system_sync();

  [[nodiscard]] std::vector<int> descriptors() const;      ///< of its files, lent
  [[nodiscard]] MonoUs begun() const noexcept;             ///< the zero of all delays
  [[nodiscard]] std::uint64_t log_bytes() const noexcept;  ///< size of `.log` as written by us
  [[nodiscard]] std::uint64_t time_bytes() const noexcept;
  /// Size of `.time` with the records that are under way: what there will be of it, whatever happens.
  [[nodiscard]] std::uint64_t time_meant() const noexcept;
  [[nodiscard]] std::uint64_t bytes(int file) const noexcept;  ///< size of each, numbered as in inode()
  [[nodiscard]] bool sealed() const noexcept;
  [[nodiscard]] bool append_only() const noexcept;             ///< whether the files carry the flag
  [[nodiscard]] std::uint64_t inode(int file) const noexcept;  ///< 0 `.log`, 1 `.time`, 2 `.in`; 0 if none

 private:
  struct State;
  explicit RecordingWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// Whether repair_tail() has something to do for NAME: its plain `.time` is ours as far as it goes, has no
/// end record, and no writer holds it. Reads the two ends of the file.
bool needs_repair(int directory, const std::string& name);

/// Removes the files of NAME if there are any, all are empty, root's and open to nobody: one that was being
/// made when the daemon was killed; only for one that no ledger has heard of. Whether it did.
bool remove_unbegun(int directory, const std::string& name);

/// Completes what a crash left of NAME in `directory` by appending (zeros a power cut left are cut off, never
/// those that `seals` prove): a torn record, output without timing (as a gap and an `O` record), a missing
/// end (EndReason::kCrash). Returns what it did in one sentence, "" if the recording was whole. Refuses
/// (Code::kExists) a recording that is live, and (Code::kInvalid) one that is damaged elsewhere than at its
/// tail, or that plain script made.
Result<std::string> repair_tail(int directory, const std::string& name, WallUs now,
                                const SealKnowledge& seals = {});

}  // namespace opelog::format
