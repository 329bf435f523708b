#include "replay/screen_rows.h"

#include <algorithm>

#include "replay/points.h"

namespace opelog::replay {
namespace {

bool is_blank(const Cell& cell) {
  return cell.point == 0 || (cell.point == ' ' && cell.marks[0] == 0);
}

bool is_ascii(const Cell& cell) {
  return cell.point >= 0x20 && cell.point < 0x7F && cell.marks[0] == 0;
}

void written(Row& row, const Moment& now) {
  if (row.first_us < 0) {
    row.first_us = now.at_us;
    row.first_offset = now.offset;
  }
  row.last_us = now.at_us;
  row.last_offset = now.offset;
}

void trim_unwritten(Row& row) {
  while (!row.cells.empty() && row.cells.back().point == 0 && row.cells.back().width != 0)
    row.cells.pop_back();
}

}  // namespace

bool Row::full(int columns) const {
  const auto last = static_cast<std::size_t>(columns);
  if (columns <= 0 || cells.size() < last) return false;
  return cells[last - 1].width == 0 || !is_blank(cells[last - 1]);
}

void append_cells(const Row& row, std::size_t from, std::size_t to, bool keep_blanks, std::string& out) {
  to = std::min(to, row.cells.size());
  if (!keep_blanks)
    while (to > from && row.cells[to - 1].width != 0 && is_blank(row.cells[to - 1])) --to;
  std::array<char, 128> run;  // characters without marks, the usual case, go out in runs
  std::size_t n = 0;
  for (std::size_t i = from; i < to; ++i) {
    const Cell& cell = row.cells[i];
    if (n + kMaxUtf8 > run.size()) {
      out.append(run.data(), n);
      n = 0;
    }
    if (is_ascii(cell)) {
      run[n++] = static_cast<char>(cell.point);
      continue;
    }
    if (cell.width == 0) continue;
    if (cell.point == 0) {
      run[n++] = ' ';
      continue;
    }
    if (cell.point >= 0xA0 && cell.marks[0] == 0 && !is_bidi_or_hidden(cell.point)) {
      n += encode_utf8(cell.point, run.data() + n);
      continue;
    }
    out.append(run.data(), n);
    n = 0;
    append_visible(cell.point, out);
    for (const char32_t mark : cell.marks)
      if (mark != 0) append_visible(mark, out);
  }
  out.append(run.data(), n);
}

std::string row_text(const Row& row) {
  std::string out;
  append_cells(row, 0, row.cells.size(), false, out);
  return out;
}

ScreenRows::ScreenRows(int rows, int cols) : cols_(cols) {
  store_.resize(static_cast<std::size_t>(rows));
  order_.resize(store_.size());
  for (std::size_t i = 0; i < order_.size(); ++i) order_[i] = i;
}

int ScreenRows::used() const noexcept {
  int used = rows();
  while (used > 0 && row(used - 1).cells.empty()) --used;
  return used;
}

// Half a wide character cannot stay.
void ScreenRows::blank(Row& row, std::size_t c) {
  if (c >= row.cells.size()) return;
  if (row.cells[c].width == 0 && c > 0) row.cells[c - 1] = Cell{};
  if (row.cells[c].width == 2 && c + 1 < row.cells.size()) row.cells[c + 1] = Cell{};
  row.cells[c] = Cell{};
}

void ScreenRows::put(int r, int c, const char32_t* chars, int width, bool reverse, const Moment& now) {
  if (!has(r) || c < 0 || c >= cols_ || width < 0 || chars[0] == 0) return;
  Row& line = row(r);
  auto at = static_cast<std::size_t>(c);
  if (width == 0) {  // a mark with nothing to stand on: over the character before, if there is one
    if (at == 0 || at > line.cells.size()) return;
    --at;
    if (line.cells[at].width == 0 && at > 0) --at;
    for (char32_t& mark : line.cells[at].marks)
      if (mark == 0) {
        mark = chars[0];
        return;
      }
    return;
  }
  const bool wide = width == 2 && c + 1 < cols_;
  const std::size_t end = at + (wide ? 2 : 1);
  if (line.cells.size() < end) line.cells.resize(end);
  if (line.cells[at].width != 1) blank(line, at);
  if (wide) blank(line, at + 1);
  Cell& cell = line.cells[at];
  cell.point = chars[0];
  cell.marks = {};
  for (std::size_t i = 0; i < kCombining && chars[i + 1] != 0; ++i) cell.marks[i] = chars[i + 1];
  cell.width = wide ? 2 : 1;
  cell.reverse = reverse;
  if (wide) line.cells[at + 1].width = 0;
  written(line, now);
}

void ScreenRows::put_one(int r, int c, char32_t point, int width, bool reverse, const Moment& now) {
  Row& line = row(r);
  const bool wide = width == 2 && c + 1 < cols_;
  if (static_cast<std::size_t>(c) != line.cells.size()) {  // over what is there, or behind a gap
    const std::array<char32_t, 2> chars{point, 0};
    return put(r, c, chars.data(), width, reverse, now);
  }
  line.cells.push_back({point, {}, static_cast<std::uint8_t>(wide ? 2 : 1), reverse});
  if (wide) line.cells.push_back({0, {}, 0, false});
  written(line, now);
}

void ScreenRows::put_ascii(int r, int c, std::string_view text, bool reverse, const Moment& now) {
  if (!has(r) || c < 0 || text.empty() || text.size() > static_cast<std::size_t>(std::max(cols_ - c, 0)))
    return;
  Row& line = row(r);
  const auto at = static_cast<std::size_t>(c);
  const std::size_t end = at + text.size(), overwritten = std::min(end, line.cells.size());
  if (line.cells.size() < end) line.cells.resize(end);
  for (std::size_t i = at; i < overwritten; ++i)
    if (line.cells[i].width != 1) blank(line, i);
  Cell* cell = line.cells.data() + at;
  for (const char character : text) {
    cell->point = static_cast<unsigned char>(character);
    cell->marks = {};
    cell->width = 1;
    cell->reverse = reverse;
    ++cell;
  }
  written(line, now);
  line.last_offset += text.size() - 1;
}

void ScreenRows::erase(int r, int from, int to) {
  if (!has(r)) return;
  Row& line = row(r);
  const int size = static_cast<int>(line.cells.size());
  from = std::max(from, 0);
  if (to >= cols_) {
    to = std::max(to, size);
    line.wrapped = false;
  }
  if (from == 0 && to >= size) {
    line.cells.clear();
    line.first_us = line.last_us = -1;
    return;
  }
  for (int c = from; c < std::min(to, size); ++c) blank(line, static_cast<std::size_t>(c));
  trim_unwritten(line);
}

void ScreenRows::scroll(int top, int bottom, int by) {
  top = std::max(top, 0);
  bottom = std::min(bottom, rows());
  const int height = bottom - top;
  if (height <= 0 || by == 0) return;
  const int n = std::min(by > 0 ? by : -by, height);
  const auto begin = order_.begin() + top, end = order_.begin() + bottom;
  std::rotate(begin, by > 0 ? begin + n : end - n, end);
  for (int i = 0; i < n; ++i) {
    Row& empty = row(by > 0 ? bottom - 1 - i : top + i);
    std::vector<Cell> cells = std::move(empty.cells);
    cells.clear();  // keeps its memory: the next line is as long
    empty = Row{};
    empty.cells = std::move(cells);
  }
}

void ScreenRows::shift(int r, int from, int to, int by) {
  if (!has(r)) return;
  Row& line = row(r);
  from = std::max(from, 0);
  to = std::min(to, cols_);
  const int width = to - from;
  if (width <= 0 || by == 0 || static_cast<int>(line.cells.size()) <= from) return;
  const int n = std::min(by > 0 ? by : -by, width);
  if (static_cast<int>(line.cells.size()) < to) line.cells.resize(static_cast<std::size_t>(to));
  const auto begin = line.cells.begin() + from, end = line.cells.begin() + to;
  if (by > 0) {
    std::move(begin + n, end, begin);
    std::fill(end - n, end, Cell{});
  } else {
    std::move_backward(begin, end - n, end);
    std::fill(begin, begin + n, Cell{});
  }
  // A wide character may have been cut at the borders.
  for (int c = std::max(from - 1, 0); c < static_cast<int>(line.cells.size()); ++c) {
    Cell& cell = line.cells[static_cast<std::size_t>(c)];
    const bool paired =
        c + 1 < static_cast<int>(line.cells.size()) && line.cells[static_cast<std::size_t>(c) + 1].width == 0;
    if (cell.width == 2 && !paired) cell = Cell{};
    if (cell.width == 0 && (c == 0 || line.cells[static_cast<std::size_t>(c) - 1].width != 2)) cell = Cell{};
  }
  trim_unwritten(line);
}

void ScreenRows::resize(int rows, int cols) {
  cols_ = cols;
  std::vector<Row> store(static_cast<std::size_t>(rows));
  for (int r = 0; r < std::min(rows, this->rows()); ++r)
    store[static_cast<std::size_t>(r)] = std::move(row(r));
  store_ = std::move(store);
  order_.resize(store_.size());
  for (std::size_t i = 0; i < order_.size(); ++i) order_[i] = i;
}

}  // namespace opelog::replay
