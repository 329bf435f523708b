#include "index/index_store_io.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

namespace opelog::index {
namespace {

// Full text tables hold words only (content=''), which words stand in which row and not where (detail=none):
// who deletes a row must say its words. "ascii": our words are letters and digits.
// "hashsize": what a batch brings is written once, not by the megabyte and merged again.
constexpr const char* kTables = R"(
CREATE TABLE session(
  row INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, id TEXT, user TEXT, client TEXT, state TEXT,
  user_claimed INTEGER, started INTEGER, length_us INTEGER, plain_from_us INTEGER,
  time_inode INTEGER, time_size INTEGER, time_modified INTEGER,
  log_inode INTEGER, log_size INTEGER, log_modified INTEGER,
  lines INTEGER NOT NULL, commands INTEGER NOT NULL, gaps INTEGER NOT NULL);
CREATE TABLE block(
  row INTEGER PRIMARY KEY, session INTEGER NOT NULL, rest INTEGER NOT NULL, packed BLOB NOT NULL);
CREATE INDEX block_session ON block(session, rest);
CREATE TABLE command(
  row INTEGER PRIMARY KEY, session INTEGER NOT NULL, rest INTEGER NOT NULL, at_us INTEGER NOT NULL,
  end_us INTEGER, status INTEGER, known INTEGER NOT NULL, place INTEGER NOT NULL, number INTEGER NOT NULL,
  owner INTEGER NOT NULL, uncertain INTEGER NOT NULL, cut INTEGER NOT NULL, foreign_mounts INTEGER NOT NULL,
  user TEXT, cwd TEXT, exe TEXT, renamed TEXT NOT NULL, text TEXT NOT NULL);
CREATE INDEX command_session ON command(session, rest);
CREATE VIRTUAL TABLE block_words USING fts5(words, content='', detail=none, columnsize=0, tokenize='ascii');
CREATE VIRTUAL TABLE command_words USING fts5(words, content='', detail=none, columnsize=0, tokenize='ascii');
INSERT INTO block_words(block_words, rank) VALUES('hashsize', 16777216);
)";

// A crash of the machine may lose the last batches and never harms the file.
constexpr const char* kPragmas =
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-32768;";

void remove_files(const std::string& path) {
  for (const char* suffix : {"", "-wal", "-shm"}) ::unlink((path + suffix).c_str());
}

Status move_aside(const std::string& path) {
  // A foreign -wal belongs to the file that goes.
  for (const char* suffix : {"-wal", "-shm", ""}) {
    if (::rename((path + suffix).c_str(), (path + ".aside" + suffix).c_str()) != 0 && errno != ENOENT)
      return error_from_errno(errno, path + ".aside");
  }
  return {};
}

// In the order of read_session_row().
constexpr const char* kSessionColumns =
    "row, name, id, user, client, state, user_claimed, started, length_us, plain_from_us, time_inode, "
    "time_size, time_modified, log_inode, log_size, log_modified, lines, commands, gaps";

IndexedSession read_session_row(const Statement& row) {
  IndexedSession session;
  session.row = row.number(0);
  session.name = row.text(1);
  session.id = row.text(2);
  session.user = row.text(3);
  session.client = row.text(4);
  session.state = row.text(5);
  session.user_claimed = row.number(6) != 0;
  session.started = row.number(7);
  session.length_us = row.number(8);
  session.plain_from_us = row.number(9);
  session.stamp.time_inode = static_cast<std::uint64_t>(row.number(10));
  session.stamp.time_size = static_cast<std::uint64_t>(row.number(11));
  session.stamp.time_modified = row.number(12);
  session.stamp.log_inode = static_cast<std::uint64_t>(row.number(13));
  session.stamp.log_size = static_cast<std::uint64_t>(row.number(14));
  session.stamp.log_modified = row.number(15);
  session.lines = static_cast<std::uint64_t>(row.number(16));
  session.commands = static_cast<std::uint64_t>(row.number(17));
  session.gaps = static_cast<std::uint64_t>(row.number(18));
  return session;
}

}  // namespace

Result<std::vector<IndexedSession>> read_sessions(Database& database) {
  auto statement = database.prepare("SELECT " + std::string(kSessionColumns) + " FROM session");
  if (!statement) return std::move(statement).error();
  std::vector<IndexedSession> list;
  for (;;) {
    auto row = statement->step();
    if (!row) return std::move(row).error();
    if (!*row) return list;
    list.push_back(read_session_row(*statement));
  }
}

Status check_index(Database& database) {
  const auto id = database.number("PRAGMA application_id");
  if (!id) return id.error();
  if (*id != kIndexId) return Error{Code::kInvalid, "not an index of opelog", 0};
  const auto version = database.number("PRAGMA user_version");
  if (!version) return version.error();
  if (*version != kIndexVersion)
    return Error{Code::kInvalid, "an index of version " + std::to_string(*version), 0};
  return {};
}

Result<std::unique_ptr<IndexStore>> IndexStore::open(const std::string& path, Start start) {
  std::unique_ptr<IndexStore> store(new IndexStore());
  store->path_ = path;
  auto lock = open_at(AT_FDCWD, path + ".lock", O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
  if (!lock) return std::move(lock).error();
  store->lock_ = std::move(*lock);
  if (::flock(store->lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return Error{Code::kExists, path + ": another indexer works on it", 0};
    return error_from_errno(errno, path + ".lock");
  }
  if (start == Start::kAnew) {
    remove_files(path);
    store->rebuilt_ = "it was asked for";
  } else if (start == Start::kMoveAside) {
    if (auto moved = move_aside(path); !moved) return std::move(moved).error();
  }
  Status done = store->set_up();
  if (!done && done.error().code == Code::kInvalid) {
    store->rebuilt_ = done.error().message;
    store->statements_ = {};
    store->database_ = {};
    if (auto moved = move_aside(path); !moved) return std::move(moved).error();
    done = store->set_up();
  }
  if (!done) return std::move(done).error();
  return store;
}

Status IndexStore::set_up() {
  auto database = Database::open(path_, Database::Mode::kWrite);
  if (!database) return std::move(database).error();
  database_ = std::move(*database);
  const auto tables = database_.number("SELECT count(*) FROM sqlite_master");
  if (!tables) return tables.error();
  const auto id = database_.number("PRAGMA application_id");
  if (!id) return id.error();
  const auto version = database_.number("PRAGMA user_version");
  if (!version) return version.error();
  if (*id == kIndexId && *version != kIndexVersion) {
    rebuilt_ = "it was of version " + std::to_string(*version);
    database_ = {};
    remove_files(path_);
    auto again = Database::open(path_, Database::Mode::kWrite);
    if (!again) return std::move(again).error();
    database_ = std::move(*again);
    if (auto made = make_tables(); !made) return made;
  } else if (*tables == 0 && *id == 0) {
    if (auto made = make_tables(); !made) return made;
  } else if (*id != kIndexId) {
    return Error{Code::kInvalid, "it was no index of opelog", 0};
  }
  if (auto set = database_.execute(kPragmas); !set) return set;
  return prepare();
}

Status IndexStore::make_tables() {
  return database_.execute("PRAGMA page_size=8192; PRAGMA journal_mode=WAL; BEGIN;" + std::string(kTables) +
                           "PRAGMA application_id=" + std::to_string(kIndexId) +
                           "; PRAGMA user_version=" + std::to_string(kIndexVersion) + "; COMMIT;");
}

Status IndexStore::prepare() {
  const struct {
    Statement& to;
    std::string sql;
  } all[] = {
      {statements_.put, "INSERT OR REPLACE INTO session(" + std::string(kSessionColumns) +
                            ") VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"},
      {statements_.add_block, "INSERT INTO block(session, rest, packed) VALUES(?,?,?)"},
      {statements_.add_words, "INSERT INTO block_words(rowid, words) VALUES(?,?)"},
      {statements_.drop_words, "INSERT INTO block_words(block_words, rowid, words) VALUES('delete',?,?)"},
      {statements_.add_command,
       "INSERT INTO command(session, rest, at_us, end_us, status, known, place, number, owner, "
       "uncertain, user, cwd, text, exe, renamed, foreign_mounts, cut) "
       "VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"},
      {statements_.add_command_words, "INSERT INTO command_words(rowid, words) VALUES(?,?)"},
      {statements_.drop_command_words,
       "INSERT INTO command_words(command_words, rowid, words) VALUES('delete',?,?)"},
      {statements_.blocks_of, "SELECT row, packed FROM block WHERE session=? AND rest>=?"},
      {statements_.commands_of, "SELECT row, text, renamed FROM command WHERE session=? AND rest>=?"},
      {statements_.drop_blocks, "DELETE FROM block WHERE session=? AND rest>=?"},
      {statements_.drop_commands, "DELETE FROM command WHERE session=? AND rest>=?"},
      {statements_.drop_session, "DELETE FROM session WHERE row=?"},
  };
  for (const auto& one : all) {
    auto statement = database_.prepare(one.sql);
    if (!statement) return std::move(statement).error();
    one.to = std::move(*statement);
  }
  return {};
}

Result<std::vector<IndexedSession>> IndexStore::sessions() {
  return read_sessions(database_);
}

Status IndexStore::begin() {
  return database_.execute("BEGIN IMMEDIATE");
}

Status IndexStore::commit() {
  return database_.execute("COMMIT");
}

void IndexStore::roll_back() {
  (void)database_.execute("ROLLBACK").ok();
}

Status IndexStore::put(IndexedSession& session) {
  auto& put = statements_.put;
  put.reset();
  if (session.row == 0)
    put.bind_null(1);
  else
    put.bind(1, session.row);
  const auto number = [](std::uint64_t value) { return static_cast<std::int64_t>(value); };
  put.bind(2, session.name).bind(3, session.id).bind(4, session.user).bind(5, session.client);
  put.bind(6, session.state).bind(7, static_cast<std::int64_t>(session.user_claimed));
  put.bind(8, session.started).bind(9, session.length_us).bind(10, session.plain_from_us);
  const FilesStamp& stamp = session.stamp;
  put.bind(11, number(stamp.time_inode)).bind(12, number(stamp.time_size)).bind(13, stamp.time_modified);
  put.bind(14, number(stamp.log_inode)).bind(15, number(stamp.log_size)).bind(16, stamp.log_modified);
  put.bind(17, number(session.lines)).bind(18, number(session.commands));
  put.bind(19, number(session.gaps));
  if (auto done = put.run(); !done) return done;
  if (session.row == 0) session.row = database_.last_id();
  return {};
}

// The words of what goes are made from it again: the full text tables keep none by row.
Status IndexStore::drop_rows(std::int64_t row, bool rest_only) {
  const std::int64_t from = rest_only ? 1 : 0;
  auto& blocks = statements_.blocks_of.bind(1, row).bind(2, from);
  for (;;) {
    auto more = blocks.step();
    if (!more) return std::move(more).error();
    if (!*more) break;
    const auto block = LineBlock::unpack(blocks.text(1));
    if (!block) return Error{Code::kInvalid, "the index: a block is damaged", 0};
    auto& drop = statements_.drop_words.bind(1, blocks.number(0)).bind(2, words_.of(block->text()));
    if (auto done = drop.run(); !done) return done;
  }
  auto& commands = statements_.commands_of.bind(1, row).bind(2, from);
  for (;;) {
    auto more = commands.step();
    if (!more) return std::move(more).error();
    if (!*more) break;
    SessionCommand command;
    command.text = commands.text(1);
    command.renamed = commands.text(2);
    auto& drop =
        statements_.drop_command_words.bind(1, commands.number(0)).bind(2, words_.of(searched_text(command)));
    if (auto done = drop.run(); !done) return done;
  }
  if (auto done = statements_.drop_blocks.bind(1, row).bind(2, from).run(); !done) return done;
  return statements_.drop_commands.bind(1, row).bind(2, from).run();
}

Status IndexStore::remove(std::int64_t row) {
  if (auto done = drop_rows(row, false); !done) return done;
  return statements_.drop_session.bind(1, row).run();
}

Status IndexStore::remove_rest(std::int64_t row) {
  return drop_rows(row, true);
}

Status IndexStore::add(std::int64_t session, const LineBlock& block, bool rest) {
  const std::string packed = block.pack();
  auto& add = statements_.add_block.bind(1, session).bind(2, static_cast<std::int64_t>(rest));
  if (auto done = add.bind_blob(3, packed).run(); !done) return done;
  return statements_.add_words.bind(1, database_.last_id()).bind(2, words_.of(block.text())).run();
}

Status IndexStore::add(std::int64_t session, const SessionCommand& command, bool rest) {
  auto& add = statements_.add_command.bind(1, session).bind(2, static_cast<std::int64_t>(rest));
  add.bind(3, command.at_us);
  command.end_us >= 0 ? add.bind(4, command.end_us) : add.bind_null(4);
  command.status ? add.bind(5, static_cast<std::int64_t>(*command.status)) : add.bind_null(5);
  add.bind(6, static_cast<std::int64_t>(command.known)).bind(7, static_cast<std::int64_t>(command.offset));
  add.bind(8, command.number).bind(9, command.owner);
  add.bind(10, static_cast<std::int64_t>(command.uncertain)).bind(11, command.user).bind(12, command.cwd);
  add.bind(13, command.text).bind(14, command.exe).bind(15, command.renamed);
  add.bind(16, static_cast<std::int64_t>(command.foreign_mounts));
  if (auto done = add.bind(17, static_cast<std::int64_t>(command.cut)).run(); !done) return done;
  return statements_.add_command_words.bind(1, database_.last_id())
      .bind(2, words_.of(searched_text(command)))
      .run();
}

Result<IndexCounts> IndexStore::counts() {
  IndexCounts counts;
  const struct {
    std::int64_t& to;
    const char* sql;
  } all[] = {{counts.sessions, "SELECT count(*) FROM session"},
             {counts.blocks, "SELECT count(*) FROM block"},
             {counts.commands, "SELECT count(*) FROM command"}};
  for (const auto& one : all) {
    auto number = database_.number(one.sql);
    if (!number) return std::move(number).error();
    one.to = *number;
  }
  struct stat facts {};
  if (::stat(path_.c_str(), &facts) == 0) counts.bytes = facts.st_size;
  return counts;
}

Status IndexStore::tidy() {
  // A reader in between leaves some of it for the next time; that is no failure.
  (void)database_.number("PRAGMA wal_checkpoint(TRUNCATE)");
  return {};
}

}  // namespace opelog::index
