// ScreenRows: the cells of one screen (main or alternate), as rows that know when they were written.
//
// A row's cells end where nothing was written any more, so that erasing and scrolling cost what was drawn,
// not what the size is. Every position is checked here: what does not lie on the screen changes nothing.
// Memory: rows * columns cells of 16 bytes at most, plus what a larger screen left behind. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace opelog::replay {

/// Marks kept over one character; real text needs two.
constexpr std::size_t kCombining = 2;

struct Cell {
  char32_t point = 0;  ///< 0: nothing written
  std::array<char32_t, kCombining> marks{};
  std::uint8_t width = 1;  ///< 2: the next cell belongs to it; 0: it belongs to the one before
  bool reverse = false;
};

struct Row {
  std::vector<Cell> cells;     ///< up to the last one written
  bool wrapped = false;        ///< the next row continues it: the terminal wrapped, nobody sent a line feed
  std::int64_t first_us = -1;  ///< first written since it was empty; -1: never
  std::int64_t last_us = -1;
  std::uint64_t first_offset = 0;  ///< of the output byte that wrote first
  std::uint64_t last_offset = 0;

  /// Whether a character stands in the last of `cols` columns, so that what follows may belong to it.
  [[nodiscard]] bool full(int cols) const;
};

/// Appends the cells [from, to) as UTF-8; what was never written between others becomes spaces. No trailing
/// blanks unless `keep_blanks`.
void append_cells(const Row& row, std::size_t from, std::size_t to, bool keep_blanks, std::string& out);
/// The whole row without trailing blanks.
std::string row_text(const Row& row);

/// When and where in the output something is written.
struct Moment {
  std::int64_t at_us = 0;
  std::uint64_t offset = 0;
};

class ScreenRows {
 public:
  ScreenRows(int rows, int cols);
  [[nodiscard]] int rows() const noexcept { return static_cast<int>(order_.size()); }
  [[nodiscard]] int cols() const noexcept { return cols_; }
  [[nodiscard]] const Row& row(int r) const { return store_[order_[static_cast<std::size_t>(r)]]; }
  Row& row(int r) { return store_[order_[static_cast<std::size_t>(r)]]; }
  [[nodiscard]] bool has(int r) const noexcept { return r >= 0 && r < rows(); }
  /// Rows up to the last that is not empty.
  [[nodiscard]] int used() const noexcept;
  /// Which row it is, however it scrolls; reused when a row leaves.
  [[nodiscard]] std::size_t identity(int r) const { return order_[static_cast<std::size_t>(r)]; }
  Row& by_identity(std::size_t identity) { return store_[identity]; }

  /// A character without marks on the screen, `width` 1 or 2, as put() does it.
  void put_one(int r, int c, char32_t point, int width, bool reverse, const Moment& now);
  void put(int r, int c, const char32_t* chars, int width, bool reverse, const Moment& now);
  /// The same for each byte of printable ASCII that fits into the row, each one byte later than the one
  /// before.
  void put_ascii(int r, int c, std::string_view text, bool reverse, const Moment& now);
  void erase(int r, int from, int to);
  /// Rows [top, bottom) move up by `by` (down if negative); what comes in is empty.
  void scroll(int top, int bottom, int by);
  /// In row `r` the cells [from, to) move left by `by` (right if negative).
  void shift(int r, int from, int to, int by);
  void resize(int rows, int cols);

 private:
  void blank(Row& row, std::size_t c);
  std::vector<Row> store_;
  std::vector<std::size_t> order_;
  int cols_;
};

}  // namespace opelog::replay
