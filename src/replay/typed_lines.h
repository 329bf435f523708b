// TypedLines: the command lines of a session as they stood on the screen when Enter was pressed.
//
// A watcher of the Screen. Recordings contain no keys; but the terminal has carried out Backspace, arrows,
// history, completion and redraws, so what stands between the prompt and the end of the edited text is what
// was run. Where that is, is known in this order:
//   1. OSC 133 marks, where the shell sends them;
//   2. ESC [ ? 2004 h and l, which bash (5.1 and later) and zsh send when they begin and end editing. zsh
//   sends
//      the first behind its prompt, readline in front of it: there the prompt is what stands before the
//      cursor when the terminal waits, and what other prompts looked like (KnownPrompts);
//   3. a learned prompt (dash; bash with the switches off): a row that ends like a prompt, or one that
//   recurs,
//      where the terminal waited, and the line feed after it.
// Where output is missing (gap()) nothing is read across: a line that was being typed ends there, as a part.
// Not commands: an empty Enter, a line left by Ctrl-C or Ctrl-D. docs/transcript.md names the limits.
// Memory: the rows of one edit, at most kMaxEditCells. Pure.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "replay/prompts.h"
#include "replay/screen.h"

namespace opelog::replay {

/// Cells of a command line's rows that have left the screen, 6 MB; what is longer loses its beginning.
constexpr std::size_t kMaxEditCells = 256 * 1024;
/// Bytes of one command with its continuation lines: what Linux takes as one argument.
constexpr std::size_t kMaxTyped = 128 * 1024;
/// A row that does not end like a prompt is taken for one after so many lines typed behind it.
constexpr std::size_t kRecurrences = 3;
/// Such rows that are watched at a time.
constexpr std::size_t kMaxRecurring = 64;

/// Of TypedLines::last_prompt_us().
constexpr std::int64_t kNoPrompt = INT64_MAX;

enum class TypedBy { kMarks, kBracketedPaste, kLearnedPrompt };

struct TypedLine {
  std::string text;    ///< continuation lines and here-documents joined by line feeds
  std::string prompt;  ///< its last row
  TypedBy by = TypedBy::kBracketedPaste;
  std::int64_t ready_us = 0;        ///< the prompt was shown
  std::int64_t entered_us = 0;      ///< Enter, when the relay had its echo
  std::int64_t edited_us = 0;       ///< the last output without that echo: Enter came later
  std::uint64_t prompt_offset = 0;  ///< of the output, where the prompt was shown: its beginning or its end
  std::uint64_t offset = 0;         ///< of the output, where the command's own begins
  int status = -1;                  ///< exit status, if OSC 133;D said it
  bool cut = false;  ///< a part is missing: longer than kMaxTyped or kMaxEditCells, or output is missing
  /// Nothing was shown between Enter and the next prompt of a zsh: it may have been left by Ctrl-C, which
  /// looks the same there. Or its end is not in the record.
  bool maybe_abandoned = false;
};

class TypedLines final : public ScreenWatcher {
 public:
  /// Registers itself with `screen`, which must live as long.
  explicit TypedLines(Screen& screen);
  TypedLines(const TypedLines&) = delete;
  TypedLines& operator=(const TypedLines&) = delete;

  /// Lines that are complete, in order of time. A line is when the next one, which might continue it, has
  /// come.
  std::vector<TypedLine> take();
  /// Output is missing here: call it before Screen::break_off().
  void gap();
  /// The recording is over: call it before Screen::finish().
  void finish();
  /// When the last prompt was shown, at which nothing was entered; kNoPrompt: no line stands before it.
  [[nodiscard]] std::int64_t last_prompt_us() const noexcept { return last_prompt_us_; }

  void row_left(std::uint64_t number, const Row& row) override;
  void marked(Mark mark, int status) override;
  void line_feed() override;
  void alternate(bool entered) override;
  void paused() override;

 private:
  struct Place {
    std::uint64_t row = 0;
    int col = 0;
  };
  struct Edit {
    TypedBy by = TypedBy::kBracketedPaste;
    bool bracketed = false;
    bool prompt_before = false;  ///< it began behind the prompt
    bool exact = false;          ///< `text` is known, not guessed
    Place begin;                 ///< where the prompt begins, or where `text` does
    Place text;                  ///< where the typed text begins
    bool waited = false;         ///< `prompt` is what stood before the cursor when the terminal waited
    std::string prompt;
    int right_col = 0;  ///< zsh's right prompt on the row of `text`
    std::string right_prompt;
    std::uint64_t glyphs = 0;
    Moment ready;
    bool dropped_rows = false;
    std::string whole;  ///< of zsh, whose text fills the screen: all of it, as far as it has been seen
    bool viewed = false;
    bool whole_cut = false;
    std::uint64_t viewed_glyphs = 0;
  };

  void begin_edit(TypedBy by);
  void saw_prompt();
  void end_bracketed();
  void begin_learned();
  [[nodiscard]] bool learned_stands() const;
  [[nodiscard]] const Row* find(std::uint64_t number) const;
  [[nodiscard]] std::uint64_t cursor_row() const;
  [[nodiscard]] std::string before_cursor(int from) const;
  void place_text(std::uint64_t last);
  [[nodiscard]] std::string text_between(Place first, std::uint64_t last, bool& cut) const;
  [[nodiscard]] bool is_scrolled(std::uint64_t last) const;
  void view_text(std::uint64_t last);
  [[nodiscard]] TypedLine line_up_to(std::uint64_t last);
  void entered(std::uint64_t last);
  void accept(TypedLine line, std::uint64_t row, std::uint64_t last);
  void settle_pending(bool redrawn);
  void commit();
  void recur(TypedLine line);
  void learn(const std::string& prompt);
  void forget_edit();

  Screen& screen_;
  KnownPrompts prompts_;  ///< all
  /// Those of 3. alone: output that looks like another shell's prompt begins no line.
  KnownPrompts learned_;
  std::optional<Edit> edit_;
  std::deque<std::pair<std::uint64_t, Row>> kept_;  ///< rows of the edit that have left
  std::size_t kept_cells_ = 0;
  std::optional<TypedLine> open_;  ///< entered; the next prompt may continue it
  std::uint64_t open_row_ = 0;     ///< where it was entered
  bool open_is_zsh_ = false;
  bool behind_gap_ = false;  ///< output is missing since the last line
  struct Pending {
    TypedLine line;
    std::uint64_t row, last;
  };
  std::optional<Pending> pending_;  ///< learned: a line feed came, perhaps only of a completion list
  std::map<std::string, std::vector<TypedLine>> recurring_;
  bool bracketed_seen_ = false;
  std::int64_t last_prompt_us_ = kNoPrompt;
  std::uint64_t learn_from_ = 0;  ///< rows above hold a line that is known already
  std::vector<TypedLine> ready_;
};

}  // namespace opelog::replay
