#include "replay/transcript.h"

#include <algorithm>
#include <utility>

namespace opelog::replay {
namespace {

// zsh marks output without a final line feed by a % (root: #) in reverse, and blanks to the row's end.
std::size_t without_end_mark(const Row& row) {
  std::size_t end = row.cells.size();
  while (end > 0 && row.cells[end - 1].point == ' ') --end;
  if (end == 0 || end == row.cells.size()) return row.cells.size();
  const Cell& last = row.cells[end - 1];
  return last.reverse && (last.point == '%' || last.point == '#') ? end - 1 : row.cells.size();
}

}  // namespace

Transcript::Transcript(Screen& screen) : screen_(screen) {
  screen.watch(*this);
}

void Transcript::row_left(std::uint64_t number, const Row& row) {
  std::size_t due = 0;
  while (due < waiting_.size() && waiting_[due].before <= number && (!open_ || waiting_[due].ends_line))
    ++due;
  if (due > 0) {
    end_line();
    give_waiting(waiting_.size() - due);
  }
  const std::size_t end = without_end_mark(row);
  const bool wrapped = row.wrapped && end == row.cells.size();
  append_cells(row, 0, end, wrapped, line_.text);
  open_ = true;
  if (row.first_us >= 0) {
    if (line_.begin_us < 0) {
      line_.begin_us = row.first_us;
      line_.begin_offset = row.first_offset;
    }
    line_.end_us = std::max(line_.end_us, row.last_us);
    line_.end_offset = std::max(line_.end_offset, row.last_offset);
  }
  if (!wrapped) {
    end_line();
  } else if (line_.text.size() >= kMaxLine) {
    end_line();
    line_.continues = true;
  }
}

void Transcript::end_line() {
  if (!open_) return;
  ready_.push_back(std::exchange(line_, TranscriptEntry{}));
  open_ = false;
}

void Transcript::give_waiting(std::size_t keep) {
  const auto end = waiting_.end() - static_cast<std::ptrdiff_t>(keep);
  for (auto it = waiting_.begin(); it != end; ++it) ready_.push_back(std::move(it->entry));
  waiting_.erase(waiting_.begin(), end);
}

// Before it leaves, vim sends a line feed on the bottom row, and tmux clears the screen: what leaves then is
// of the last screen. What left before other text was drawn (a pager scrolls) is not.
void Transcript::alternate_row_left(const Row& row) {
  if (std::exchange(left_glyphs_, screen_.glyphs()) != left_glyphs_) left_.clear();
  // Behind as many rows as the screen has come only empty ones.
  if (left_.size() < static_cast<std::size_t>(screen_.rows())) left_.push_back(row_text(row));
}

void Transcript::alternate(bool entered) {
  if (entered) {
    left_.clear();
    entered_row_ = screen_.number(screen_.main_row());
    entered_ = screen_.now();
    return;
  }
  Waiting waiting{entered_row_, {}, true};
  TranscriptEntry& entry = waiting.entry;
  entry.kind = TranscriptEntry::Kind::kFullScreen;
  const Moment now = screen_.now();
  entry.begin_us = entered_.at_us;
  entry.begin_offset = entered_.offset;
  entry.end_us = now.at_us;
  entry.end_offset = now.offset;
  std::size_t size = 0;
  const auto add = [&entry, &size](std::string row) {
    if (size >= kMaxLine) return;
    size += row.size();
    entry.screen.push_back(std::move(row));
  };
  if (screen_.glyphs() == left_glyphs_)
    for (std::string& row : left_) add(std::move(row));
  left_.clear();
  for (int r = 0; r < screen_.rows(); ++r) add(row_text(screen_.row(r)));
  while (!entry.screen.empty() && entry.screen.back().empty()) entry.screen.pop_back();
  waiting_.push_back(std::move(waiting));
  if (waiting_.size() > kMaxWaiting) give_waiting(kMaxWaiting);
}

void Transcript::gap(std::string text, std::int64_t at_us, bool output) {
  if (output) screen_.break_off();
  const int row = screen_.main_row();
  const bool behind = !screen_.alternate() && !screen_.row(row).cells.empty();
  Waiting waiting{screen_.number(row) + (behind ? 1 : 0), {}, output};
  TranscriptEntry& entry = waiting.entry;
  entry.kind = TranscriptEntry::Kind::kGap;
  entry.text = std::move(text);
  entry.begin_us = entry.end_us = at_us;
  entry.begin_offset = entry.end_offset = screen_.now().offset;
  waiting_.push_back(std::move(waiting));
  if (waiting_.size() > kMaxWaiting) give_waiting(kMaxWaiting);
}

std::vector<TranscriptEntry> Transcript::take() {
  return std::exchange(ready_, {});
}

void Transcript::finish() {
  end_line();
  give_waiting(0);
}

}  // namespace opelog::replay
