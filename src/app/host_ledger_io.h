// HostLedger: the ledger as the daemon needs it: opened at the start, or else tried again at logins, required
// or not as the policy says, and told of the sessions that a crash interrupted.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/fact.h"
#include "core/loop_io.h"
#include "core/policy.h"
#include "core/result.h"
#include "format/recording_writer_io.h"
#include "format/session_info.h"
#include "seal/ledger_io.h"

namespace opelog::app {

/// What is to be entered of interrupted sessions, and why some must wait for the next start.
struct Interrupted {
  std::vector<seal::CrashedEntry> entries;
  std::vector<std::string> unfinished;
};

class HostLedger {
 public:
  HostLedger(Loop& loop, FactSink facts, std::string key_file);

  /// The first call opens the ledger; later ones change what holds for coming sessions. Another directory
  /// counts from the next start on, which is stated.
  void configure(const Policy& policy, std::uint32_t group);

  /// For RecordingPlace::seal. Where the ledger is not to be had: an error if the policy requires it, an
  /// empty value and a warning otherwise.
  Result<format::Sealing> open_session(const format::SessionInfo& info, const std::string& recording,
                                       const std::string& directory);
  /// For RecordingPlace::resume_seal. Without a ledger what the session tells waits for one.
  Result<std::unique_ptr<format::RecordingSealer>> resume_session(const format::SealerMark& mark,
                                                                  std::array<std::uint64_t, 3>& covered);
  /// An error while there is no ledger.
  [[nodiscard]] Status opened() const;
  /// Entered if there is a ledger.
  void add(seal::EntryBody body);

  /// Entered before the files go. An error: the ledger takes nothing, and they must stay.
  Status pruned(const std::string& recording, const std::string& why, const seal::FileSizes& sizes);
  Status compressed(const std::string& recording, const seal::FileSizes& sizes);
  Status thawing(int seconds);

  void rotate_log(std::function<void(Result<seal::RotatedLog>)> reply);

  /// Recordings that a former daemon left open, by session number: once they are completed,
  /// read_interrupted() says what they hold. Where the ledger does not say in which directory one was made,
  /// or it is not there any more, it is looked for in `directory`. Reads them whole: on a thread.
  [[nodiscard]] std::map<std::uint64_t, seal::OpenSession> interrupted() const;
  static Interrupted read_interrupted(const std::string& directory,
                                      const std::map<std::uint64_t, seal::OpenSession>& sessions);
  /// Which of these recordings the ledger at that place has ever opened a session for; all of them if it
  /// cannot be read. Reads it whole: on a thread.
  static std::set<std::string> ever_opened(const std::string& ledger_directory, std::set<std::string> names);
  /// Of the ledger's entries, for fdatasync on a thread ahead of what they speak of; invalid without a
  /// ledger.
  [[nodiscard]] Fd entries_to_sync() const;

  /// What has ended until now is entered as closed when the returned function is called: once it is on the
  /// disk.
  [[nodiscard]] std::function<void()> sync_round();

  /// "" or why coming sessions are not sealed.
  [[nodiscard]] std::string problem() const;

  void set_live(std::function<std::int64_t()> count);
  /// Hears of the locked files once they are open: of a daemon that is killed others can unlock them.
  void set_locked(std::function<void(const std::vector<int>&)> locked) { locked_ = std::move(locked); }
  void quiesce();
  /// `on_disk`: all recordings are, so what has ended may be entered as closed. `sign`: as Ledger::finish().
  void finish(bool on_disk, bool sign = true);
  /// Nothing that has ended, or that waits for the ledger, is still to be entered.
  [[nodiscard]] bool all_entered() const;

 private:
  void open();
  void told(seal::EntryBody body);
  Status add_now(seal::EntryBody body);

  Loop& loop_;
  FactSink facts_;
  seal::LedgerStart start_;
  bool required_ = true, configured_ = false, warned_ = false;
  std::string problem_;
  MonoUs tried_ = 0;
  std::unique_ptr<seal::Ledger> ledger_;
  std::vector<std::uint64_t> resumed_;    ///< sessions that go on without a ledger
  std::vector<seal::EntryBody> waiting_;  ///< told by them
  std::uint64_t dropped_ = 0;             ///< more than that
  std::unique_ptr<Timer> retry_;          ///< while some wait
  std::function<std::int64_t()> live_;
  std::function<void(const std::vector<int>&)> locked_;
};

}  // namespace opelog::app
