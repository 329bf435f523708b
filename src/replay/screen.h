// Screen: what a terminal showed, as rows of text, fed with the bytes of a recording.
//
// libvterm decides what the bytes mean (cursor, regions, tabs, modes); what is commonest and means the same
// everywhere is carried out without it, to be fast. The cells are ours (ScreenRows), because libvterm 0.1.4
// neither tells which lines wrapped nor survives every input. What libvterm gets has
// been parsed (TerminalParser) and is written anew from an allow-list, so its known faults cannot be reached
// (screen.cc lists them). Time per byte and memory are bounded for any input by the clamped size.
//
// Watchers are called in the middle of feed(), with the screen as it stood at that byte. Pure. Owned, with
// its watchers, by whoever reads the recording; neither is copied.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "replay/screen_rows.h"

namespace opelog::replay {

/// Sizes beyond what any display shows are cut to these; 0 (unknown) becomes 24 x 80.
constexpr int kMaxRows = 500, kMaxCols = 1000;

struct Position {
  int row = 0, col = 0;
};

enum class Mark {
  kPromptStart,  ///< OSC 133;A
  kPromptEnd,    ///< OSC 133;B
  kOutputStart,  ///< OSC 133;C
  kOutputEnd,    ///< OSC 133;D, with the exit status if it says one
  kEditBegin,    ///< ESC [ ? 2004 h, main screen only
  kEditEnd       ///< ESC [ ? 2004 l, main screen only
};

class ScreenWatcher {
 public:
  virtual ~ScreenWatcher() = default;
  /// Row `number` (counted from the recording's first) has left the main screen and changes no more.
  virtual void row_left(std::uint64_t number, const Row& row) { (void)number, (void)row; }
  /// A row is about to leave the alternate screen at its top, or with the screen when that is cleared.
  virtual void alternate_row_left(const Row& row) { (void)row; }
  virtual void marked(Mark mark, int status) { (void)mark, (void)status; }  ///< status: -1 unknown
  /// A line feed is about to be carried out on the main screen.
  virtual void line_feed() {}
  /// The alternate screen has been entered, or is about to be left.
  virtual void alternate(bool entered) { (void)entered; }
  /// The bytes of one feed() are done: whoever wrote them may have waited for the operator here.
  virtual void paused() {}
};

/// Who carries out text and the commonest controls: the screen itself where they mean the same on any
/// terminal, or always libvterm, which draws the same and is there to compare with.
enum class DrawnBy { kScreen, kLibvterm };

class Screen {
 public:
  Screen(int rows, int cols, DrawnBy drawn_by = DrawnBy::kScreen);
  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  void watch(ScreenWatcher& watcher);
  /// `bytes` were shown at `at_us` and begin at `offset` of the output.
  void feed(std::string_view bytes, std::int64_t at_us, std::uint64_t offset);
  void resize(int rows, int cols);
  /// Output is missing here: a sequence it cut off is none, and what the main screen shows up to the cursor's
  /// row is not drawn over by what comes; that begins on an empty row.
  void break_off();
  /// The recording is over: the rows still on the main screen leave.
  void finish();

  [[nodiscard]] int rows() const noexcept;
  [[nodiscard]] int cols() const noexcept;
  [[nodiscard]] Position cursor() const noexcept;
  [[nodiscard]] bool alternate() const noexcept;
  /// Where the main screen's cursor stands, also while the alternate screen is shown.
  [[nodiscard]] int main_row() const noexcept;
  /// Of the screen that is shown.
  [[nodiscard]] const Row& row(int r) const;
  /// Number of the main screen's row `r`, as in row_left().
  [[nodiscard]] std::uint64_t number(int r) const noexcept;
  /// Of the byte that is being handled; the end of what was fed between feeds.
  [[nodiscard]] Moment now() const noexcept;
  /// When the output ahead of it was shown: the last that did not hold that byte.
  [[nodiscard]] std::int64_t previous_us() const noexcept;
  /// Characters drawn, and line feeds of the main screen, so far: whether anything was shown in between.
  [[nodiscard]] std::uint64_t glyphs() const noexcept;
  [[nodiscard]] std::uint64_t line_feeds() const noexcept;
  /// The last control or sequence that was no colour: '\n', '\r', 'K' for ESC [ K; 0 after text.
  [[nodiscard]] char last_step() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace opelog::replay
