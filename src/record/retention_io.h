// RetentionDesk: carries out what `opelog retain` asks for: prunes a recording, or removes the plain files of
// one that has been compressed. It decides nothing but whether it must refuse.
//
// One request at a time, the work on a thread; before anything is removed the hook of the operation is asked,
// on the loop: there a ledger writes its entry, and an Error keeps everything as it is. What was done is
// stated.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/fact.h"
#include "core/fd_io.h"
#include "core/loop_io.h"
#include "core/policy.h"
#include "record/recording_removal_io.h"

namespace opelog::record {

class RetentionDesk {
 public:
  /// Bytes of the files that were removed.
  using Reply = std::function<void(Result<std::int64_t>)>;
  /// An inode of ours is about to be removed, or was: the guard must not take it for a finding.
  using Removed = std::function<void(std::uint64_t inode)>;

  RetentionDesk(Loop& loop, FactSink facts, Removed removed);
  ~RetentionDesk();
  RetentionDesk(const RetentionDesk&) = delete;
  RetentionDesk& operator=(const RetentionDesk&) = delete;

  /// The place for a ledger's entry that a recording is pruned: called before its first file is removed.
  std::function<Status(const RecordingRemoval& removal, format::PruneReason why)> before_prune;
  /// The same for plain files that give way to compressed ones.
  std::function<Status(const RecordingRemoval& removal)> before_compressed;

  /// On the disk before anything is removed: what the hooks above entered. May give an invalid one.
  std::function<Fd()> synced_before;

  void configure(std::string directory, Retention policy);

  void prune(const std::string& recording, format::PruneReason why, Reply reply);
  void compressed(const std::string& recording, Reply reply);

 private:
  struct Job;
  void look(std::shared_ptr<Job> job);
  void looked(const std::shared_ptr<Job>& job);
  void removed(const std::shared_ptr<Job>& job);
  void tell_guard(const Job& job);
  void finish(const std::shared_ptr<Job>& job, Result<std::int64_t> result);

  Loop& loop_;
  FactSink facts_;
  Removed removed_;
  std::string directory_;
  Retention policy_;
  bool busy_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace opelog::record
