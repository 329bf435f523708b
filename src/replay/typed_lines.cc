#include "replay/typed_lines.h"

#include <algorithm>
#include <utility>

namespace opelog::replay {
namespace {

// The column where `prompt` ends if the row's cells from `from` on begin with it, else -1.
int column_behind(const Row& row, std::size_t from, std::string_view prompt) {
  std::string text;
  for (std::size_t c = from; c <= row.cells.size(); ++c) {
    if (text.size() >= prompt.size()) return text == prompt ? static_cast<int>(c) : -1;
    append_cells(row, c, c + 1, true, text);
  }
  return -1;
}

std::string whole_row(const Row& row, std::size_t from) {
  std::string text;
  append_cells(row, from, row.cells.size(), true, text);
  return text;
}

void trim_end(std::string& text) {
  while (!text.empty() && (text.back() == ' ' || text.back() == '\n')) text.pop_back();
}

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

}  // namespace

TypedLines::TypedLines(Screen& screen) : screen_(screen) {
  screen.watch(*this);
}

std::uint64_t TypedLines::cursor_row() const {
  return screen_.number(screen_.cursor().row);
}

const Row* TypedLines::find(std::uint64_t number) const {
  const std::uint64_t top = screen_.number(0);
  if (number >= top)
    return number - top < static_cast<std::uint64_t>(screen_.rows())
               ? &screen_.row(static_cast<int>(number - top))
               : nullptr;
  const auto at = std::lower_bound(kept_.begin(), kept_.end(), number,
                                   [](const auto& kept, std::uint64_t n) { return kept.first < n; });
  return at != kept_.end() && at->first == number ? &at->second : nullptr;
}

std::string TypedLines::before_cursor(int from) const {
  const Position at = screen_.cursor();
  const Row& row = screen_.row(at.row);
  std::string text;
  append_cells(row, static_cast<std::size_t>(from), static_cast<std::size_t>(std::max(from, at.col)), true,
               text);
  return text;
}

void TypedLines::row_left(std::uint64_t number, const Row& row) {
  if (!edit_ || number < edit_->begin.row) return;
  kept_.emplace_back(number, row);
  kept_cells_ += row.cells.size() + 1;
  while (kept_cells_ > kMaxEditCells) {
    kept_cells_ -= kept_.front().second.cells.size() + 1;
    kept_.pop_front();
    edit_->dropped_rows = true;
  }
}

void TypedLines::forget_edit() {
  edit_.reset();
  kept_.clear();
  kept_cells_ = 0;
}

void TypedLines::begin_edit(TypedBy by) {
  forget_edit();
  edit_ = Edit{};
  edit_->by = by;
  edit_->begin = edit_->text = {cursor_row(), screen_.cursor().col};
  edit_->glyphs = screen_.glyphs();
  edit_->ready = screen_.now();
}

void TypedLines::saw_prompt() {
  last_prompt_us_ = edit_->ready.at_us;
}

void TypedLines::marked(Mark mark, int status) {
  switch (mark) {
    case Mark::kPromptStart:
      return;
    case Mark::kPromptEnd:
      settle_pending(false);
      if (!edit_ || edit_->by == TypedBy::kLearnedPrompt) begin_edit(TypedBy::kMarks);
      saw_prompt();
      edit_->by = TypedBy::kMarks;
      edit_->exact = true;
      edit_->text = {cursor_row(), screen_.cursor().col};
      edit_->prompt =
          before_cursor(edit_->begin.row == edit_->text.row && edit_->bracketed ? edit_->begin.col : 0);
      return;
    case Mark::kOutputStart:
      if (edit_ && !edit_->bracketed && edit_->by == TypedBy::kMarks && screen_.cursor().col > 0)
        entered(cursor_row());
      settle_pending(false);
      forget_edit();
      return;
    case Mark::kOutputEnd:
      settle_pending(false);
      if (open_ && open_->status < 0 && !behind_gap_) open_->status = status;
      return;
    case Mark::kEditBegin: {
      settle_pending(false);
      bracketed_seen_ = true;
      const char step = screen_.last_step();
      const int col = screen_.cursor().col;
      const bool behind = col > 0 && (step == 'K' || step == 'C' || step == 'D');
      if (!edit_ || edit_->by != TypedBy::kMarks || edit_->bracketed) begin_edit(TypedBy::kBracketedPaste);
      saw_prompt();
      edit_->bracketed = true;
      edit_->prompt_before = behind;
      if (behind) {
        edit_->exact = true;
        edit_->text = {cursor_row(), col};
        edit_->prompt = before_cursor(0);
        const Row& row = screen_.row(screen_.cursor().row);
        std::size_t at = static_cast<std::size_t>(col);
        while (at < row.cells.size() && row.cells[at].point == 0) ++at;
        edit_->right_col = static_cast<int>(at);
        edit_->right_prompt = whole_row(row, at);
      }
      return;
    }
    case Mark::kEditEnd:
      if (edit_ && edit_->bracketed) end_bracketed();
      return;
  }
}

void TypedLines::end_bracketed() {
  const std::uint64_t row = cursor_row();
  learn_from_ = row + 1;
  if (edit_->prompt_before) {
    entered(row);
  } else if (screen_.glyphs() == edit_->glyphs) {
    forget_edit();
  } else if (screen_.last_step() == '\n' && row > edit_->begin.row) {
    learn_from_ = row;
    entered(row - 1);
  } else {
    // Ctrl-C leaves a mark and all that was typed before it; Ctrl-D ends a here-document.
    // At a prompt of its own it leaves nothing but that: the line before has run.
    const std::string text = before_cursor(0);
    const bool continues = is_continuation_prompt(std::string_view(text).substr(0, text.find("> ") + 2)) &&
                           (prompts_.first().empty() || text.rfind(prompts_.first(), 0) != 0);
    if (open_ && continues && !behind_gap_ && ends_with(text, "^C") && edit_->begin.row == open_row_ + 1)
      open_.reset();
    forget_edit();
  }
}

// Finds the last place where the prompt was drawn: completion lists and Ctrl-L draw it again further down.
void TypedLines::place_text(std::uint64_t last) {
  if (edit_->exact) {
    const bool learned = edit_->by == TypedBy::kLearnedPrompt;
    if (!(edit_->prompt_before || learned) || edit_->prompt.empty()) return;
    for (std::uint64_t n = last; n > edit_->text.row; --n) {
      const Row* row = find(n);
      const Row* above = find(n - 1);
      if (row == nullptr) return;
      if (above != nullptr && (above->wrapped || above->full(screen_.cols()))) continue;
      const int col = column_behind(*row, 0, edit_->prompt);
      if (col < 0 || (!learned && col != edit_->text.col)) continue;
      edit_->text = {n, col};
      return;
    }
    return;
  }
  // A prompt of several rows counts by its last one; but the terminal may only have waited in a wrapped line.
  std::uint64_t first = edit_->begin.row;
  const Row* row = find(first);
  if (edit_->waited && edit_->text.row > first) {
    const bool wraps = row != nullptr && (row->wrapped || row->full(screen_.cols()));
    const bool known = row != nullptr &&
                       !prompts_.longest(whole_row(*row, static_cast<std::size_t>(edit_->begin.col))).empty();
    if (wraps || known) {
      edit_->waited = false;
      edit_->prompt.clear();
    } else {
      first = edit_->text.row;
      row = find(first);
    }
  }
  const std::size_t from = first == edit_->begin.row ? static_cast<std::size_t>(edit_->begin.col) : 0;
  const std::string prompt = prompts_.best(row != nullptr ? whole_row(*row, from) : "", edit_->prompt);
  if ((edit_->waited && prompt == edit_->prompt) || ends_like_prompt(prompt, true)) prompts_.confirm(prompt);
  edit_->prompt = prompt;
  if (prompt.empty()) return;
  for (std::uint64_t n = last + 1; n-- > first;) {
    row = find(n);
    if (row == nullptr) break;
    const Row* above = n > first ? find(n - 1) : nullptr;
    if (above != nullptr && (above->wrapped || above->full(screen_.cols()))) continue;
    int col =
        n == edit_->begin.row ? column_behind(*row, static_cast<std::size_t>(edit_->begin.col), prompt) : -1;
    if (col < 0) col = column_behind(*row, 0, prompt);
    if (col >= 0) {
      edit_->text = {n, col};
      return;
    }
  }
}

std::string TypedLines::text_between(Place first, std::uint64_t last, bool& cut) const {
  std::string text;
  for (std::uint64_t n = first.row; n <= last; ++n) {
    if (text.size() >= kMaxTyped) {
      cut = true;
      break;
    }
    const Row* row = find(n);
    if (row == nullptr) continue;
    const std::size_t from = n == first.row ? static_cast<std::size_t>(first.col) : 0;
    std::size_t to = row->cells.size();
    const bool joined = n < last && (row->wrapped || row->full(screen_.cols()));
    if (n == edit_->text.row && !joined && !edit_->right_prompt.empty()) {
      const auto right = static_cast<std::size_t>(edit_->right_col);
      if (right < to && whole_row(*row, right) == edit_->right_prompt) to = right;
    }
    // zsh fills the last column with a blank where a wide character does not fit.
    const Row* next = joined && edit_->prompt_before && row->wrapped ? find(n + 1) : nullptr;
    if (next != nullptr && !next->cells.empty() && next->cells[0].width == 2 && to >= 2 &&
        !row->full(screen_.cols()) && row->cells[to - 1].point == ' ' && row->cells[to - 2].width == 0)
      --to;
    append_cells(*row, from, to, joined, text);
    if (!joined && n < last) text += '\n';
  }
  trim_end(text);
  return text;
}

// zsh shows of a text that is larger than the screen what fits; then ">...." stands behind the prompt.
bool TypedLines::is_scrolled(std::uint64_t last) const {
  const Row* row = edit_->prompt_before && last > edit_->text.row ? find(edit_->text.row) : nullptr;
  if (row == nullptr) return false;
  std::string text = whole_row(*row, static_cast<std::size_t>(edit_->text.col));
  trim_end(text);
  return text == ">....";
}

// Joins what is in view with what was in view before: its first row has been seen then, or a part is missing.
void TypedLines::view_text(std::uint64_t last) {
  Edit& edit = *edit_;
  edit.viewed = true;
  edit.viewed_glyphs = screen_.glyphs();
  bool cut = false;
  if (!is_scrolled(last)) {
    edit.whole = text_between(edit.text, last, cut);
    edit.whole_cut = cut;
    return;
  }
  const Place top{edit.text.row + 1, 0};
  std::string view = text_between(top, last, cut);
  const std::string first = text_between(top, top.row, cut);
  const std::size_t at = first.empty() ? std::string::npos : edit.whole.rfind(first);
  if (at == std::string::npos || at + view.size() > kMaxTyped) {
    edit.whole = std::move(view);
    edit.whole_cut = true;
    return;
  }
  const bool more_below = ends_with(view, "<....>");
  edit.whole_cut = edit.whole_cut || cut || more_below || edit.whole.find(first) != at;
  edit.whole.replace(at, std::string::npos, view);
}

// What the edit is, if it ends in row `last`.
TypedLine TypedLines::line_up_to(std::uint64_t last) {
  place_text(last);
  TypedLine line;
  line.cut = edit_->dropped_rows;
  if (is_scrolled(last)) {
    view_text(last);
    line.text = std::move(edit_->whole);
    line.cut = edit_->whole_cut;
  } else {
    line.text = text_between(edit_->text, last, line.cut);
  }
  line.prompt = edit_->prompt;
  line.by = edit_->by;
  line.ready_us = edit_->ready.at_us;
  line.prompt_offset = edit_->ready.offset;
  const Moment now = screen_.now();
  line.entered_us = now.at_us;
  line.edited_us = screen_.previous_us();
  line.offset = now.offset + 1;
  return line;
}

// The edit has ended by Enter, in row `last`.
void TypedLines::entered(std::uint64_t last) {
  TypedLine line = line_up_to(last);
  const std::uint64_t row = edit_->text.row;
  const bool zsh = edit_->prompt_before;
  if (zsh || edit_->by == TypedBy::kMarks) prompts_.confirm(line.prompt);
  const bool learned = !edit_->bracketed;
  forget_edit();
  if (learned) {
    pending_ = Pending{std::move(line), row, last};
    return;
  }
  accept(std::move(line), row, last);
  open_is_zsh_ = zsh;
}

// What was typed before the gap is told as a part, for Enter and the rest may be missing. What continues a
// line behind one is a line of its own, without its beginning.
void TypedLines::gap() {
  settle_pending(false);
  bool known = edit_ && !screen_.alternate();
  if (known && edit_->by == TypedBy::kLearnedPrompt)
    known = learned_stands() && (ends_like_prompt(edit_->prompt, true) || learned_.knows(edit_->prompt));
  else if (known)
    known = edit_->exact || (edit_->waited && before_cursor(0) != edit_->prompt);
  const std::uint64_t last = cursor_row();
  if (known && last >= edit_->text.row) {
    TypedLine line = line_up_to(last);
    const std::uint64_t row = edit_->text.row;
    --line.offset;  // no byte of its own ends it
    line.cut = line.maybe_abandoned = true;
    if (!line.text.empty()) accept(std::move(line), row, last);
  }
  forget_edit();
  behind_gap_ = true;
  last_prompt_us_ = kNoPrompt;  // a line may have been entered that nobody sees
}

void TypedLines::accept(TypedLine line, std::uint64_t row, std::uint64_t last) {
  const bool directly = open_ && row == open_row_ + 1;
  if (!line.text.empty()) last_prompt_us_ = kNoPrompt;
  const bool continues = is_continuation_prompt(line.prompt) && line.prompt != prompts_.first();
  const bool behind_gap = std::exchange(behind_gap_, false);
  if (continues && behind_gap) {
    line.cut = true;
    if (open_) open_->cut = true;
  }
  if (directly && continues && !behind_gap) {
    if (open_->text.size() < kMaxTyped) open_->text += '\n' + line.text;
    open_->entered_us = line.entered_us;
    open_->edited_us = line.edited_us;
    open_->offset = line.offset;
    open_->cut = open_->cut || line.cut;
    open_->maybe_abandoned = open_->maybe_abandoned || line.maybe_abandoned;
    open_row_ = last;
    return;
  }
  // An odd prompt is one that recurs with no shell's prompt in between; the beginning of an error message is
  // not.
  if (ends_like_prompt(line.prompt, false)) recurring_.clear();
  if (directly && open_is_zsh_) open_->maybe_abandoned = true;
  commit();
  if (line.text.empty()) return;
  open_ = std::move(line);
  open_row_ = last;
  open_is_zsh_ = false;
}

void TypedLines::commit() {
  if (!open_) return;
  trim_end(open_->text);
  ready_.push_back(std::move(*open_));
  open_.reset();
}

// Without the switches of readline a line feed may also begin a list of completions: then the same line is
// drawn again under it.
void TypedLines::settle_pending(bool redrawn) {
  if (!pending_) return;
  Pending pending = std::move(*pending_);
  pending_.reset();
  if (redrawn) return;
  if (ends_with(pending.line.text, "^C")) {
    if (open_ && !behind_gap_ && pending.row == open_row_ + 1 &&
        is_continuation_prompt(pending.line.prompt) && pending.line.prompt != prompts_.first())
      open_.reset();
    return;
  }
  if (pending.line.by == TypedBy::kLearnedPrompt && !ends_like_prompt(pending.line.prompt, true) &&
      !learned_.knows(pending.line.prompt))
    return recur(std::move(pending.line));
  accept(std::move(pending.line), pending.row, pending.last);
}

void TypedLines::recur(TypedLine line) {
  if (line.text.empty() || bracketed_seen_) return;
  const std::string prompt = line.prompt;
  if (recurring_.count(prompt) == 0 && recurring_.size() == kMaxRecurring) recurring_.clear();
  std::vector<TypedLine>& lines = recurring_[prompt];
  lines.push_back(std::move(line));
  const bool differ = std::any_of(lines.begin(), lines.end(),
                                  [&](const TypedLine& other) { return other.text != lines.front().text; });
  if (lines.size() > kRecurrences) lines.erase(lines.begin() + 1);
  if (lines.size() < kRecurrences || !differ) return;
  learn(prompt);
  commit();
  for (TypedLine& each : lines) ready_.push_back(std::move(each));
  recurring_.erase(prompt);
  std::stable_sort(ready_.begin(), ready_.end(),
                   [](const TypedLine& a, const TypedLine& b) { return a.offset < b.offset; });
}

void TypedLines::learn(const std::string& prompt) {
  prompts_.confirm(prompt);
  learned_.confirm(prompt);
}

void TypedLines::line_feed() {
  if (!edit_ || edit_->bracketed) return;
  if (cursor_row() < edit_->text.row || !learned_stands()) return forget_edit();
  entered(cursor_row());
}

bool TypedLines::learned_stands() const {
  if (edit_->by == TypedBy::kMarks) return true;
  const Row* row = find(edit_->text.row);
  return row != nullptr &&
         column_behind(*row, static_cast<std::size_t>(edit_->begin.col), edit_->prompt) == edit_->text.col;
}

void TypedLines::alternate(bool entered_it) {
  if (!entered_it) return;
  settle_pending(false);
  forget_edit();
}

void TypedLines::paused() {
  if (screen_.alternate()) return;
  if (edit_ && (edit_->bracketed || edit_->by == TypedBy::kMarks)) {
    // Often enough that the next view has rows in common with this one; at every key it would be costly.
    const auto rows = static_cast<std::uint64_t>(screen_.rows());
    const auto step = rows * static_cast<std::uint64_t>(screen_.cols()) / 8;
    const bool large = edit_->prompt_before && cursor_row() >= edit_->text.row + rows / 2;
    if (large && (!edit_->viewed || screen_.glyphs() - edit_->viewed_glyphs >= step)) {
      place_text(cursor_row());
      view_text(screen_.number(screen_.rows() - 1));
    }
    if (edit_->exact || edit_->waited || screen_.glyphs() == edit_->glyphs) return;
    const std::uint64_t row = cursor_row();
    if (row < edit_->begin.row || screen_.cursor().col == 0) return;
    edit_->waited = true;
    edit_->text = {row, screen_.cursor().col};
    edit_->prompt = before_cursor(row == edit_->begin.row ? edit_->begin.col : 0);
    return;
  }
  if (edit_ && learned_stands()) {
    // What was taken for a prompt may have been the end of some output, and here comes the prompt.
    const bool sure = ends_like_prompt(edit_->prompt, true) || learned_.knows(edit_->prompt);
    if (sure || !ends_like_prompt(before_cursor(0), true)) return;
  }
  begin_learned();
}

void TypedLines::begin_learned() {
  const Position at = screen_.cursor();
  const Row& row = screen_.row(at.row);
  if (at.col == 0 || static_cast<int>(row.cells.size()) > at.col || cursor_row() < learn_from_) return;
  // zsh's mark for output without a line feed looks like a prompt: "# " in reverse.
  if (std::any_of(row.cells.begin(), row.cells.end(), [](const Cell& cell) { return cell.reverse; })) return;
  const std::string text = before_cursor(0);
  if (text.size() > kMaxPrompt) return;
  std::string prompt(learned_.longest(text));
  const bool redrawn = pending_ && !pending_->line.text.empty() && pending_->line.prompt == prompt &&
                       text.compare(prompt.size(), pending_->line.text.size(), pending_->line.text) == 0;
  settle_pending(redrawn);
  int from = 0;
  if (prompt.empty()) {  // perhaps behind output that did not end its line
    prompt = learned_.longest_at_end(text);
    if (!prompt.empty())
      while (from < at.col && column_behind(row, static_cast<std::size_t>(from), prompt) != at.col) ++from;
  }
  const bool known = !prompt.empty();
  if (!known) {
    const bool wide = !bracketed_seen_ || (open_ && open_->by == TypedBy::kLearnedPrompt);
    if (!ends_like_prompt(text, wide) && bracketed_seen_) return;
    prompt = text;
    if (ends_like_prompt(text, wide)) learn(prompt);
  }
  begin_edit(TypedBy::kLearnedPrompt);
  if (known) saw_prompt();  // else it may be a line's output that waits
  edit_->prompt = prompt;
  edit_->exact = true;
  edit_->begin.col = from;
  edit_->text.col = column_behind(row, static_cast<std::size_t>(from), prompt);
}

std::vector<TypedLine> TypedLines::take() {
  return std::exchange(ready_, {});
}

void TypedLines::finish() {
  settle_pending(false);
  commit();
  forget_edit();
}

}  // namespace opelog::replay
