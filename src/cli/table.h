// Table: rows of text in columns that fit a width. Pure.
//
// Cells are made safe (printable()) and measured in characters. Where a width is given, columns that may
// shrink are cut, the widest first, and end in "~".
#pragma once

#include <string>
#include <vector>

namespace opelog::cli {

struct Column {
  std::string title;
  bool right = false;     ///< numbers
  std::size_t least = 0;  ///< characters it may shrink to; 0: never shrinks
};

struct Cell {
  std::string text;
  const char* colour = "";  ///< SGR parameters, "32"; "" for none
};

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  void add(std::vector<Cell> row);
  /// Lines with LF; `width` 0: as wide as it gets. Nothing for no rows.
  [[nodiscard]] std::string text(std::size_t width, bool colour) const;
  [[nodiscard]] bool empty() const noexcept { return rows_.empty(); }

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace opelog::cli
