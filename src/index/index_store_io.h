// IndexStore: the tables of the index, for the one who writes them.
//
// Invariants: one writer at a time (a lock beside the file); what a transaction holds of a session agrees
// with the counts in its row, so that a crash loses work and never makes a line appear twice; the index holds
// nothing that the recordings do not, so a file that is damaged or foreign is moved aside (PATH.aside) and
// one of another version thrown away, and both are built anew. docs/search.md describes the tables.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/fd_io.h"
#include "core/result.h"
#include "index/database_io.h"
#include "index/line_block.h"
#include "index/session_commands.h"
#include "index/trigrams.h"

namespace opelog::index {

constexpr const char* kIndexFile = "/var/lib/opelog-index/index.db";
/// PRAGMA application_id of our files, "oplx".
constexpr std::int64_t kIndexId = 0x6f706c78;
constexpr std::int64_t kIndexVersion = 6;

/// What tells whether a recording's files are those that were indexed.
struct FilesStamp {
  std::uint64_t time_inode = 0, time_size = 0, log_inode = 0, log_size = 0;
  std::int64_t time_modified = 0, log_modified = 0;
  bool operator==(const FilesStamp&) const = default;
};

/// A session as the index knows it.
struct IndexedSession {
  std::int64_t row = 0;
  std::string name, id, user, client, state;  ///< state: live, ended, torn, foreign, corrupt
  bool user_claimed = false;                  ///< by files of another owner than root
  std::int64_t started = 0;                   ///< WallUs, 0: not known
  std::int64_t length_us = 0;
  std::int64_t plain_from_us = -1;        ///< as SessionRead says
  FilesStamp stamp;                       ///< all zero: not whole yet
  std::uint64_t gaps = 0;                 ///< records that output is missing
  std::uint64_t lines = 0, commands = 0;  ///< final ones that the index holds
};

struct IndexCounts {
  std::int64_t sessions = 0, blocks = 0, commands = 0, bytes = 0;
};

/// All sessions of an index.
Result<std::vector<IndexedSession>> read_sessions(Database& database);
/// Code::kInvalid unless it is an index of this version.
Status check_index(Database& database);

class IndexStore {
 public:
  enum class Start { kGoOn, kAnew, kMoveAside };
  /// Code::kExists if another writes it now.
  static Result<std::unique_ptr<IndexStore>> open(const std::string& path, Start start);

  /// Why it is built anew, one sentence; "" if it is not.
  [[nodiscard]] const std::string& rebuilt() const noexcept { return rebuilt_; }

  Result<std::vector<IndexedSession>> sessions();
  Status begin();
  Status commit();
  void roll_back();

  /// A new session (row 0) or a known one.
  Status put(IndexedSession& session);
  /// With all its lines and commands.
  Status remove(std::int64_t row);
  /// What stood on the screen of a session that went on.
  Status remove_rest(std::int64_t row);
  Status add(std::int64_t session, const LineBlock& block, bool rest);
  Status add(std::int64_t session, const SessionCommand& command, bool rest);

  Result<IndexCounts> counts();
  /// Puts the log of changes into the file.
  Status tidy();

 private:
  struct Statements {
    Statement put, add_block, add_words, drop_words, add_command, add_command_words, drop_command_words;
    Statement blocks_of, commands_of, drop_blocks, drop_commands, drop_session;
  };
  IndexStore() = default;
  Status set_up();
  Status make_tables();
  Status prepare();
  Status drop_rows(std::int64_t row, bool rest_only);

  std::string path_, rebuilt_;
  Fd lock_;
  Database database_;
  Statements statements_;
  TrigramWords words_;
};

}  // namespace opelog::index
