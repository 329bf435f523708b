// RecordingSync: forces what was recorded to the disk, once an interval: what a power cut may cost.
//
// Invariant: a round counts as done only if all that had been written when it began is on the disk; what
// failed is synced again, whatever else is dirty. fdatasync blocks for as long as the disk likes: never on
// the loop (but in finish(), when nobody is served any more), one piece of work at a time. Few files are
// synced one by one. Many are synced by one syncfs(2) for each file system they lie on: hundreds of fdatasync
// a second cost more than all relaying (docs/why/030-sync.md).
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "core/fact.h"
#include "core/fd_io.h"
#include "core/loop_io.h"
#include "format/recording_writer_io.h"

namespace opelog::record {

/// Files with new bytes up to which each is synced by itself.
constexpr std::size_t kSyncEach = 16;

class RecordingSync {
 public:
  using Visit = std::function<void(format::RecordingWriter&)>;
  /// `each` visits the writers of all live recordings.
  using Each = std::function<void(const Visit&)>;
  /// A descriptor to sync ahead of all recordings: of what must be on the disk before them. May be invalid.
  using First = std::function<Fd()>;
  /// Asked when a round begins: what it returns is called once all that had been written by then is on the
  /// disk.
  using Round = std::function<std::function<void()>()>;
  RecordingSync(Loop& loop, FactSink facts, Each each, First first = {}, Round round = {});
  ~RecordingSync();
  RecordingSync(const RecordingSync&) = delete;
  RecordingSync& operator=(const RecordingSync&) = delete;

  /// 0: never.
  void configure(int interval_ms);
  /// The last bytes of a recording that is live no more.
  void closed(format::RecordingWriter& writer);
  /// Starts syncing what is dirty now; nothing while a sync is under way.
  void sync();
  [[nodiscard]] bool busy() const noexcept { return busy_; }
  /// At the end, when no recording is live any more: blocks until all that was recorded is on the disk.
  /// `directory`: open descriptor of the recordings' directory, -1 if there is none, which is an error.
  Status finish(int directory);

 private:
  void keep(std::vector<Fd> files);
  void failed(int err);
  void nothing_to_do();

  Loop& loop_;
  FactSink facts_;
  Each each_;
  First first_;
  Round round_;
  Timer timer_;
  std::vector<Fd> last_;  ///< files of recordings that ended with bytes not yet on disk
  bool busy_ = false;
  bool whole_ = false;  ///< the next round must be of whole file systems: files were let go unsynced
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace opelog::record
