// RecordingRemoval: takes files of a closed recording away: all of them (pruning), or the plain ones whose
// compressed copies lie beside them.
//
// Two steps, both of which may take long and belong on a thread: look() opens and checks, remove() removes.
// What is between them (a ledger's entry) is the caller's. Invariants: nothing outside the directory is
// touched, for a name with a slash is none; nothing that is live, not root's or no regular file; what is
// removed is the inode that was looked at, and its flag is cleared through the descriptor that looked.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/fd_io.h"
#include "core/policy.h"
#include "core/result.h"
#include "format/retention.h"

namespace opelog::record {

class RecordingRemoval {
 public:
  struct File {
    std::string name;
    std::uint64_t inode = 0, bytes = 0;
  };

  /// All files of NAME, plain, compressed and rotated. Code::kDenied if the policy says that it stays (held,
  /// younger than keep_at_least) or a file is not root's, Code::kExists if it is live, Code::kNotFound,
  /// Code::kInvalid for a name that is none. The id of a recording whose `.time` is compressed is not known
  /// here.
  static Result<std::unique_ptr<RecordingRemoval>> look(const std::string& directory, const std::string& name,
                                                        const Retention& policy, WallUs now);
  /// The plain files of NAME, each of which must have a `.zst` beside it: regular, root's, with one name, not
  /// empty, and open to nobody whom the plain one is not open to. Held ones are refused. Otherwise as look().
  static Result<std::unique_ptr<RecordingRemoval>> look_compressed(const std::string& directory,
                                                                   const std::string& name,
                                                                   const Retention& policy, WallUs now);

  /// What is known of the recording; `bytes` are of the files to be removed.
  [[nodiscard]] const format::RetainedRecording& recording() const noexcept { return recording_; }
  /// To be removed.
  [[nodiscard]] const std::vector<File>& files() const noexcept { return files_; }
  /// Of the compressed files that stay.
  [[nodiscard]] std::uint64_t compressed_bytes() const noexcept { return compressed_bytes_; }

  /// Sets the flag on what stays, clears it on the others and removes them, the timing last: as long as that
  /// is there, the recording is listed. An error names the file at which it stopped; asked again, it goes on
  /// from there.
  Status remove();

 private:
  RecordingRemoval() = default;
  Status open_files(const std::string& directory, const std::string& name);
  Status check(const Retention& policy, WallUs now, bool young_stay);

  Fd directory_;
  format::RetainedRecording recording_;
  std::vector<File> files_;
  std::vector<Fd> descriptors_;  ///< of files_
  std::vector<Fd> staying_;      ///< compressed ones
  std::uint64_t compressed_bytes_ = 0;
  bool flagged_ = false;  ///< a file of it carries the flag: the file system has it, and the policy wants it
};

}  // namespace opelog::record
