#include "index/database_io.h"

#include <fcntl.h>
#include <sqlite3.h>

#include <utility>

#include "core/fd_io.h"

namespace opelog::index {
namespace {

/// A checkpoint or a recovery by another process takes less.
constexpr int kBusyMs = 5000;
constexpr unsigned kDatabaseMode = 0640;

Error error_of(sqlite3* handle, int code, const std::string& what) {
  const std::string said = what + ": " + (handle != nullptr ? sqlite3_errmsg(handle) : sqlite3_errstr(code));
  const int err = handle != nullptr ? sqlite3_system_errno(handle) : 0;
  switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR:
    case SQLITE_MISMATCH:
    case SQLITE_CONSTRAINT:
      return {Code::kInvalid, said, 0};
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {Code::kLimit, said, 0};
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return {Code::kDenied, said, 0};
    case SQLITE_FULL:
      return error_from_errno(ENOSPC, what);
    case SQLITE_CANTOPEN:
      return err != 0 ? error_from_errno(err, what) : Error{Code::kIo, said, 0};
    case SQLITE_IOERR:
      if (code == SQLITE_IOERR_SHORT_READ) return {Code::kInvalid, said, 0};
      return {Code::kIo, said, err};
    default:
      return {Code::kIo, said, err};
  }
}

}  // namespace

Statement::Statement(Statement&& other) noexcept : statement_(std::exchange(other.statement_, nullptr)) {}

Statement& Statement::operator=(Statement&& other) noexcept {
  std::swap(statement_, other.statement_);
  return *this;
}

Statement::~Statement() {
  sqlite3_finalize(statement_);
}

// Binding fails only for our own mistakes (a wrong number) and for texts beyond 1 GB; step() would tell.
Statement& Statement::bind(int at, std::int64_t value) {
  sqlite3_bind_int64(statement_, at, value);
  return *this;
}

Statement& Statement::bind(int at, std::string_view text) {
  sqlite3_bind_text64(statement_, at, text.data() != nullptr ? text.data() : "", text.size(), SQLITE_STATIC,
                      SQLITE_UTF8);
  return *this;
}

Statement& Statement::bind_blob(int at, std::string_view bytes) {
  sqlite3_bind_blob64(statement_, at, bytes.data(), bytes.size(), SQLITE_STATIC);
  return *this;
}

Statement& Statement::bind_null(int at) {
  sqlite3_bind_null(statement_, at);
  return *this;
}

Result<bool> Statement::step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    sqlite3_reset(statement_);
    return false;
  }
  Error error = error_of(sqlite3_db_handle(statement_), code, "the index");
  sqlite3_reset(statement_);
  return error;
}

Status Statement::run() {
  auto stepped = step();
  if (!stepped) return std::move(stepped).error();
  reset();
  return {};
}

void Statement::reset() {
  sqlite3_reset(statement_);
}

std::int64_t Statement::number(int column) const {
  return sqlite3_column_int64(statement_, column);
}

std::string_view Statement::text(int column) const {
  const void* data = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  return data == nullptr ? std::string_view() : std::string_view(static_cast<const char*>(data), size);
}

bool Statement::null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

Result<Database> Database::open(const std::string& path, Mode mode) {
  if (mode == Mode::kWrite) {
    // SQLite would make it 0644; its -wal and -shm take the mode of the file.
    auto fd = open_at(AT_FDCWD, path, O_RDWR | O_CREAT | O_NOFOLLOW, kDatabaseMode);
    if (!fd) return std::move(fd).error();
  } else if (auto fd = open_at(AT_FDCWD, path, O_RDONLY); !fd) {
    return std::move(fd).error();
  }
  Database database;
  const int flags = mode == Mode::kRead ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
  const int code = sqlite3_open_v2(path.c_str(), &database.handle_, flags | SQLITE_OPEN_EXRESCODE, nullptr);
  if (code != SQLITE_OK) return error_of(database.handle_, code, path);
  sqlite3_busy_timeout(database.handle_, kBusyMs);
  sqlite3_db_config(database.handle_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(database.handle_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  // -wal and -shm stay: a reader without write permission cannot make them.
  int persist = 1;
  sqlite3_file_control(database.handle_, nullptr, SQLITE_FCNTL_PERSIST_WAL, &persist);
  return database;
}

Database::Database(Database&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}

Database& Database::operator=(Database&& other) noexcept {
  std::swap(handle_, other.handle_);
  return *this;
}

Database::~Database() {
  sqlite3_close_v2(handle_);
}

Status Database::execute(const std::string& sql) {
  const int code = sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return error_of(handle_, code, "the index");
  return {};
}

Result<Statement> Database::prepare(const std::string& sql) {
  Statement statement;
  const int code =
      sqlite3_prepare_v3(handle_, sql.c_str(), -1, SQLITE_PREPARE_PERSISTENT, &statement.statement_, nullptr);
  if (code != SQLITE_OK) return error_of(handle_, code, "the index");
  return statement;
}

Result<std::int64_t> Database::number(const std::string& sql) {
  auto statement = prepare(sql);
  if (!statement) return std::move(statement).error();
  auto row = statement->step();
  if (!row) return std::move(row).error();
  return *row ? statement->number(0) : 0;
}

std::int64_t Database::last_id() const {
  return sqlite3_last_insert_rowid(handle_);
}

}  // namespace opelog::index
