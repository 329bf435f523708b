// Brings an index up to date with a directory of recordings.
//
// Recordings are only read. What has not changed is not opened; a live one that grew is drawn again from its
// beginning (nothing less gives the same text), told lines are passed over, and a large one only when it has
// grown by an eighth: so a session costs a constant times its size however often this runs. One transaction
// for some MiB.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "core/result.h"

namespace opelog::index {

/// Output of a live session up to which it is drawn again for any growth: a third of a second.
constexpr std::uint64_t kSmallLive = 16 << 20;
/// Rendered text, or recordings, after which a transaction ends.
constexpr std::uint64_t kBatchBytes = 16 << 20;
constexpr std::uint64_t kBatchSessions = 1000;

struct IndexProgress {
  std::uint64_t sessions = 0, all_sessions = 0;  ///< looked at, of
  std::uint64_t bytes = 0;                       ///< of output read
};

struct IndexOptions {
  std::string directory, index;
  bool rebuild = false;
  std::uint64_t batch_bytes = kBatchBytes;
  std::function<void(const IndexProgress&)> progress;  ///< may be empty
  std::function<void(const std::string&)> remark;      ///< what somebody should know; may be empty
};

struct IndexReport {
  std::uint64_t indexed = 0;  ///< sessions read now
  std::uint64_t unchanged = 0;
  std::uint64_t waiting = 0;                         ///< large live ones that have grown too little
  std::uint64_t removed = 0;                         ///< no recording any more
  std::uint64_t failed = 0;                          ///< could not be read; a remark said why
  std::uint64_t lines = 0, commands = 0, bytes = 0;  ///< taken in now; bytes of output
  std::uint64_t sessions = 0;                        ///< in the index
  std::uint64_t index_bytes = 0;
  std::string rebuilt;  ///< why the index was built anew, "" if it was not
};

/// Code::kExists if another indexer is at work.
Result<IndexReport> update_index(const IndexOptions& options);

}  // namespace opelog::index
