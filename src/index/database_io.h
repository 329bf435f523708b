// Database: the only wrapper around SQLite.
//
// Errors: Code::kInvalid where the file is damaged, foreign or lacks what a statement names (whoever owns it
// builds it anew); Code::kNotFound, kDenied and kIo from the file system; Code::kLimit where another holds it
// too long. Statements are prepared once and reused; they live no longer than their Database.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace opelog::index {

class Statement {
 public:
  Statement() = default;
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&& other) noexcept;
  ~Statement();

  /// Parameters count from 1. What is bound must live until the next reset().
  Statement& bind(int at, std::int64_t value);
  Statement& bind(int at, std::string_view text);
  Statement& bind_blob(int at, std::string_view bytes);
  Statement& bind_null(int at);

  /// true: a row is there. Resets itself behind the last one.
  Result<bool> step();
  /// For statements without rows.
  Status run();
  void reset();

  /// Columns count from 0; valid until the next step().
  [[nodiscard]] std::int64_t number(int column) const;
  [[nodiscard]] std::string_view text(int column) const;  ///< also of a blob
  [[nodiscard]] bool null(int column) const;

 private:
  friend class Database;
  sqlite3_stmt* statement_ = nullptr;
};

class Database {
 public:
  enum class Mode { kRead, kWrite };
  /// kWrite creates a missing file with mode 0640.
  static Result<Database> open(const std::string& path, Mode mode);
  Database() = default;
  Database(Database&& other) noexcept;
  Database& operator=(Database&& other) noexcept;
  ~Database();

  Status execute(const std::string& sql);
  Result<Statement> prepare(const std::string& sql);
  Result<std::int64_t> number(const std::string& sql);  ///< first column of the first row
  [[nodiscard]] std::int64_t last_id() const;

 private:
  sqlite3* handle_ = nullptr;
};

}  // namespace opelog::index
