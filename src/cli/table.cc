#include "cli/table.h"

#include <algorithm>

#include "core/fact.h"

namespace opelog::cli {
namespace {

/// A cell is never wider: the longest file name. Columns are padded to their widest cell, so a single one of
/// 64 KiB, as a hostile recording may hold, would cost that in every row.
constexpr std::size_t kWidestCell = 255;

bool continues(char c) {
  return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
}

std::size_t characters(const std::string& text) {
  return text.size() - static_cast<std::size_t>(std::count_if(text.begin(), text.end(), continues));
}

std::string cut(const std::string& text, std::size_t width) {
  if (characters(text) <= width) return text;
  std::size_t end = 0;
  for (std::size_t n = 0; n + 1 < width; ++n) {
    ++end;
    while (end < text.size() && continues(text[end])) ++end;
  }
  return text.substr(0, end) + "~";
}

}  // namespace

void Table::add(std::vector<Cell> row) {
  row.resize(columns_.size());
  for (auto& cell : row) cell.text = cut(printable(cell.text), kWidestCell);
  rows_.push_back(std::move(row));
}

std::string Table::text(std::size_t width, bool colour) const {
  if (rows_.empty()) return {};
  std::vector<std::size_t> widths;
  std::size_t total = 0;
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    std::size_t widest = characters(columns_[c].title);
    for (const auto& row : rows_) widest = std::max(widest, characters(row[c].text));
    widths.push_back(widest);
    total += widest + (c == 0 ? 0 : 1);
  }
  while (width > 0 && total > width) {
    std::size_t widest = columns_.size();
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      if (columns_[c].least == 0 || widths[c] <= columns_[c].least) continue;
      if (widest == columns_.size() || widths[c] > widths[widest]) widest = c;
    }
    if (widest == columns_.size()) break;
    --widths[widest];
    --total;
  }
  std::string out;
  const auto line = [&](const auto& cell_of) {
    std::string pending;  // blanks before the next cell: none at the end of a line
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      const Cell cell = cell_of(c);
      const std::string shown = cut(cell.text, widths[c]);
      const std::string pad(widths[c] - std::min(widths[c], characters(shown)), ' ');
      if (columns_[c].right) pending += pad;
      if (!shown.empty()) {
        out += pending;
        pending.clear();
        if (colour && *cell.colour != '\0')
          out += std::string("\x1B[") + cell.colour + "m" + shown + "\x1B[0m";
        else
          out += shown;
      }
      if (!columns_[c].right) pending += pad;
      pending += ' ';
    }
    out += '\n';
  };
  line([&](std::size_t c) { return Cell{columns_[c].title, "1"}; });
  for (const auto& row : rows_) line([&](std::size_t c) { return row[c]; });
  return out;
}

}  // namespace opelog::cli
