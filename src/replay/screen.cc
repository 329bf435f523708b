#include "replay/screen.h"

#include <vterm.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <vector>

#include "replay/terminal_parser.h"

namespace opelog::replay {
namespace {

// What libvterm 0.1.4 does not survive, and what keeps it away:
//   more than 16 numbers in a sequence overwrite its callbacks       TerminalParser: kMaxParams
//   a text callback with an array as long as the input on the stack  kMaxTextPiece
//   cut or invalid UTF-8 writes past that array; C1 has width -1      TerminalParser
//   combining characters without end: memory, quadratic time          break_combining()
//   REP (CSI b) with no width loops for ever, or writes off the row   done here, one row at most
//   the saved cursor is not clamped when the size changes             saved here
//   a scroll region's top is not clamped when the size changes        reset before a resize
//   double-width lines and margins make the width 0                   not passed on
//   a soft reset on the alternate screen mixes the two screens up     done here
//   numbers overflow int; DECALN writes every cell for 3 bytes        kMaxParam; not passed on
constexpr std::size_t kLongGlyph = 8;

int clamp_size(int value, int fallback, int most) {
  return value <= 0 ? fallback : std::min(value, most);
}

constexpr std::string_view kPassedOn = "@ABCDEFGHIJKLMPSTXZ`adefgr";

}  // namespace

struct Screen::State final : TerminalHandler {
  State(int rows, int cols) : main(rows, cols), other(rows, cols), vterm(vterm_new(rows, cols)) {
    vterm_set_utf8(vterm, 1);
    vterm_output_set_callback(
        vterm, [](const char*, std::size_t, void*) {}, nullptr);
    machine = vterm_obtain_state(vterm);
    static const VTermStateCallbacks kCallbacks = {
        [](VTermGlyphInfo* info, VTermPos pos, void* self) {
          return static_cast<State*>(self)->put(*info, pos);
        },
        nullptr,  // movecursor
        [](VTermRect rect, int down, int right, void* self) {
          return static_cast<State*>(self)->scroll(rect, down, right);
        },
        nullptr,  // moverect
        [](VTermRect rect, int, void* self) { return static_cast<State*>(self)->erase(rect); },
        nullptr,  // initpen
        nullptr,  // setpenattr
        [](VTermProp prop, VTermValue* value, void* self) {
          if (prop == VTERM_PROP_ALTSCREEN) static_cast<State*>(self)->is_other = value->boolean != 0;
          return 1;
        },
        nullptr,  // bell
        [](int, int, VTermPos* delta, void* self) {
          delta->row = -static_cast<State*>(self)->pushed_up;
          return 1;
        },
        nullptr,  // setlineinfo
    };
    vterm_state_set_callbacks(machine, &kCallbacks, this);
    vterm_state_reset(machine, 1);
  }
  ~State() override { vterm_free(vterm); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  ScreenRows& shown() { return is_other ? other : main; }
  [[nodiscard]] Position cursor() const {
    VTermPos pos{};
    vterm_state_get_cursorpos(machine, &pos);
    return {std::clamp(pos.row, 0, main.rows() - 1), std::clamp(pos.col, 0, main.cols() - 1)};
  }
  void pass(std::string_view bytes) { vterm_input_write(vterm, bytes.data(), bytes.size()); }
  void go(Position to) {
    if (origin) pass("\x1b[?6l");  // else the place would be counted from the scroll region
    origin = false;
    char text[32];
    const int n = std::snprintf(text, sizeof text, "\x1b[%d;%dH", to.row + 1, to.col + 1);
    pass({text, static_cast<std::size_t>(n)});
  }
  Moment moment() const { return {at_us, offset + (parser.position() - fed)}; }

  // Callbacks of libvterm.
  int put(const VTermGlyphInfo& info, VTermPos pos) {
    std::array<char32_t, kCombining + 2> chars{};
    std::size_t n = 0;
    for (; info.chars[n] != 0; ++n)
      if (n <= kCombining) chars[n] = info.chars[n];
    long_glyph = n >= kLongGlyph;
    if (muted || !shown().has(pos.row)) return 1;
    if (pos.col == 0 && wraps_from != kNone && wraps_from != shown().identity(pos.row))
      shown().by_identity(wraps_from).wrapped = true;
    Moment now = moment();
    if (ascii) now.offset += drawn;
    shown().put(pos.row, pos.col, chars.data(), info.width, reverse, now);
    if (info.width > 0) {
      ++glyphs;
      ++drawn;
    }
    // The next character begins the next row if there is no room for it: of two cells, if it is a wide one.
    wraps_from = pos.col + info.width >= shown().cols() - 1 ? shown().identity(pos.row) : kNone;
    return 1;
  }
  int erase(VTermRect rect) {
    if (muted) return 1;
    for (int r = std::max(rect.start_row, 0); r < std::min(rect.end_row, shown().rows()); ++r)
      shown().erase(r, rect.start_col, rect.end_col);
    return 1;
  }
  int scroll(VTermRect rect, int down, int right) {
    if (muted) return 1;
    if (right != 0) {
      for (int r = rect.start_row; r < rect.end_row; ++r)
        shown().shift(r, rect.start_col, rect.end_col, right);
      return 1;
    }
    if (in_text && wraps_from != kNone) shown().by_identity(wraps_from).wrapped = true;
    if (down > 0 && rect.start_row == 0 && !is_other) leave(std::min(down, rect.end_row));
    shown().scroll(rect.start_row, rect.end_row, down);
    if (in_text) wraps_from = kNone;
    return 1;
  }

  // The first n rows of the main screen are final.
  void leave(int n) {
    for (int r = 0; r < std::min(n, main.rows()); ++r) {
      for (ScreenWatcher* watcher : watchers) watcher->row_left(top, main.row(r));
      ++top;
    }
  }
  // The main screen is cleared as a whole: what it showed was seen and leaves as if scrolled off.
  void cleared() {
    int used = 0;
    for (int r = 0; r < main.rows(); ++r)
      if (!main.row(r).cells.empty()) used = r + 1;
    leave(used);
    top += static_cast<std::uint64_t>(main.rows() - used);
    main.scroll(0, main.rows(), main.rows());
  }

  // Tokens.
  void text(std::string_view utf8) override {
    if (long_glyph) break_combining();
    last_text.assign(utf8.substr(last_character(utf8)));
    in_text = true;
    ascii = utf8.size() > 1 && static_cast<unsigned char>(utf8.front()) < 0x80;
    drawn = 0;
    pass(utf8);
    in_text = false;
    last_step = 0;
  }
  // Only ASCII comes in runs; anything else is one character.
  static std::size_t last_character(std::string_view utf8) {
    return static_cast<unsigned char>(utf8.back()) < 0x80 ? utf8.size() - 1 : 0;
  }
  // libvterm appends every combining character to the last glyph. It is made to think of another one.
  void break_combining() {
    const Position at = cursor();
    muted = true;
    // Anywhere but in front of the cursor, where it would be combined with.
    pass(at.row == 0 && at.col == 1 ? "\x1b[4l\x1b[?6l\x1b[1;2H " : "\x1b[4l\x1b[?6l\x1b[1;1H ");
    origin = false;
    muted = false;
    go(at);
    long_glyph = false;
  }
  void control(char c) override {
    switch (c) {
      case '\n':
      case '\v':
      case '\f':
        if (!is_other) {
          for (ScreenWatcher* watcher : watchers) watcher->line_feed();
          ++line_feeds;
        }
        [[fallthrough]];
      case '\b':
      case '\t':
      case '\r':
        moved(c);
        break;
      case '\x0E':
      case '\x0F':
        break;
      default:
        return;
    }
    pass({&c, 1});
  }
  void moved(char step) {
    wraps_from = kNone;
    last_step = step;
  }

  void csi(const Csi& sequence) override {
    if (sequence.leader == '?' && sequence.intermediate == 0 &&
        (sequence.final == 'h' || sequence.final == 'l')) {
      for (std::size_t i = 0; i < sequence.count; ++i)
        private_mode(sequence.param(i, 0), sequence.final == 'h');
      return;
    }
    if (sequence.leader == '?' && (sequence.final == 'J' || sequence.final == 'K')) return plain(sequence);
    if (sequence.leader != 0) return;
    if (sequence.intermediate == '!' && sequence.final == 'p') return soft_reset();
    if (sequence.intermediate != 0) return;
    switch (sequence.final) {
      case 'm':
        return colours(sequence);
      case 's':
        if (sequence.count == 0) saved[is_other] = cursor();
        return;
      case 'u':
        if (sequence.count == 0) restore();
        return;
      case 'b':
        return repeat(sequence.param(0, 1));
      case 'h':
      case 'l':
        if (sequence.count == 1 && (sequence.param(0, 0) == 4 || sequence.param(0, 0) == 20)) plain(sequence);
        return;
      default:
        if (kPassedOn.find(sequence.final) != std::string_view::npos) plain(sequence);
    }
  }
  // The sequence written anew.
  void plain(const Csi& sequence) {
    if (sequence.final == 'J' && !is_other) {
      const Position at = cursor();
      const int what = sequence.param(0, 0);
      if (what == 3) return;  // the scrollback is not ours
      if (what == 2 || (what == 0 && at.row == 0 && at.col == 0)) cleared();
      if (what == 0 && at.col == 0 && at.row > 0) main.row(at.row - 1).wrapped = false;
    }
    const std::size_t before = wraps_from;
    moved(sequence.final);
    if (sequence.final == 'K')
      wraps_from = before;  // readline: a blank, erased, then the wide character that wraps
    std::string bytes = "\x1b[";
    if (sequence.leader != 0) bytes += sequence.leader;
    for (std::size_t i = 0; i < std::min<std::size_t>(sequence.count, 2); ++i) {
      if (i > 0) bytes += ';';
      if (sequence.params[i] >= 0) bytes += std::to_string(sequence.params[i]);
    }
    bytes += sequence.final;
    pass(bytes);
  }
  void private_mode(int mode, bool set) {
    switch (mode) {
      case 6:
      case 7:
        if (mode == 6) origin = set;
        moved('h');
        pass("\x1b[?" + std::to_string(mode) + (set ? "h" : "l"));
        return;
      case 47:
      case 1047:
        return alternate(set);
      case 1048:
        if (set) {
          saved[is_other] = cursor();
        } else {
          restore();
        }
        return;
      case 1049:
        if (set == is_other) return;
        if (set) saved[0] = cursor();
        alternate(set);
        if (!set) restore();
        return;
      case 2004:
        if (!is_other)
          for (ScreenWatcher* watcher : watchers)
            watcher->marked(set ? Mark::kEditBegin : Mark::kEditEnd, -1);
        return;
      default:
        return;
    }
  }
  void alternate(bool on) {
    if (on == is_other) return;
    if (!on)
      for (ScreenWatcher* watcher : watchers) watcher->alternate(false);
    moved('h');
    if (on) main_row = cursor().row;
    pass(on ? "\x1b[?1047h" : "\x1b[?1047l");
    if (on)
      for (ScreenWatcher* watcher : watchers) watcher->alternate(true);
  }
  void restore() {
    moved('u');
    go(saved[is_other]);
  }
  void soft_reset() {
    const Position at = cursor();
    moved('p');
    reverse = false;
    origin = false;
    pass("\x1b[4l\x1b[20l\x1b[?6l\x1b[?7h\x1b[r\x1b(B\x1b)B\x0f");
    go(at);
  }
  void hard_reset() {
    alternate(false);
    cleared();
    moved('c');
    reverse = false;
    saved = {};
    origin = false;
    pass("\x1b\x63");
  }
  void colours(const Csi& sequence) {
    if (sequence.count == 0) reverse = false;
    for (std::size_t i = 0; i < sequence.count; ++i) {
      const int n = sequence.param(i, 0);
      if (n == 0 || n == 27) reverse = false;
      if (n == 7) reverse = true;
      if (n == 38 || n == 48 || n == 58) i += sequence.param(i + 1, 0) == 5 ? 2 : 4;
    }
  }
  void repeat(int times) {
    const Position at = cursor();
    times = std::min(times, main.cols() - at.col);
    const std::string character = last_text;
    if (character.empty()) return;
    for (int i = 0; i < times; ++i) text(character);
  }
  void escape(char intermediate, char final) override {
    if (intermediate >= '(' && intermediate <= '+') {
      const char bytes[3] = {'\x1b', intermediate, final == '0' || final == 'A' ? final : 'B'};
      return pass({bytes, sizeof bytes});
    }
    if (intermediate != 0) return;
    switch (final) {
      case '7':
        saved[is_other] = cursor();
        return;
      case '8':
        return restore();
      case 'c':
        return hard_reset();
      case 'D':
      case 'E':
        if (!is_other) {
          for (ScreenWatcher* watcher : watchers) watcher->line_feed();
          ++line_feeds;
        }
        [[fallthrough]];
      case 'H':
      case 'M': {
        moved(final);
        const char bytes[2] = {'\x1b', final};
        return pass({bytes, sizeof bytes});
      }
      default:
        return;
    }
  }
  void osc(std::string_view bytes) override {
    if (is_other || bytes.substr(0, 4) != "133;" || bytes.size() < 5) return;
    if (bytes.size() > 5 && bytes[5] != ';') return;
    int status = -1;
    if (bytes[4] == 'D' && bytes.size() > 6 && bytes.size() <= 9) {
      status = 0;
      for (const char c : bytes.substr(6)) {
        if (c < '0' || c > '9') {
          status = -1;
          break;
        }
        status = status * 10 + (c - '0');
      }
    }
    switch (bytes[4]) {
      case 'A':
        return mark(Mark::kPromptStart, -1);
      case 'B':
        return mark(Mark::kPromptEnd, -1);
      case 'C':
        return mark(Mark::kOutputStart, -1);
      case 'D':
        return mark(Mark::kOutputEnd, status);
      default:
        return;
    }
  }
  void mark(Mark which, int status) {
    for (ScreenWatcher* watcher : watchers) watcher->marked(which, status);
  }

  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  ScreenRows main, other;
  VTerm* vterm;
  VTermState* machine = nullptr;
  TerminalParser parser;
  std::vector<ScreenWatcher*> watchers;
  std::array<Position, 2> saved{};
  std::string last_text;
  std::size_t wraps_from = kNone;  ///< identity of the row whose end the text has reached
  std::uint64_t top = 0;           ///< number of the main screen's first row
  std::uint64_t glyphs = 0, line_feeds = 0;
  std::uint64_t offset = 0, fed = 0;
  std::int64_t at_us = 0;
  int main_row = 0;  ///< of the main screen's cursor when it was left
  int pushed_up = 0;
  char last_step = 0;
  bool is_other = false, reverse = false, muted = false, in_text = false, long_glyph = false, origin = false;
  bool ascii = false;       ///< a run of it is being drawn, each byte a character
  std::uint64_t drawn = 0;  ///< of it
};

Screen::Screen(int rows, int cols)
    : state_(std::make_unique<State>(clamp_size(rows, 24, kMaxRows),
                                     std::max(2, clamp_size(cols, 80, kMaxCols)))) {}
Screen::~Screen() = default;

void Screen::watch(ScreenWatcher& watcher) {
  state_->watchers.push_back(&watcher);
}

void Screen::feed(std::string_view bytes, std::int64_t at_us, std::uint64_t offset) {
  state_->at_us = at_us;
  state_->offset = offset;
  state_->fed = state_->parser.position();
  state_->parser.feed(bytes, *state_);
  for (ScreenWatcher* watcher : state_->watchers) watcher->paused();
}

void Screen::resize(int rows, int cols) {
  State& s = *state_;
  rows = clamp_size(rows, s.main.rows(), kMaxRows);
  cols = std::max(2, clamp_size(cols, s.main.cols(), kMaxCols));
  if (rows == s.main.rows() && cols == s.main.cols()) return;
  const Position at = s.cursor();
  s.pass("\x1b[?6l\x1b[r");
  s.origin = false;
  s.go(at);
  // Fewer rows: those above go up and out, until the row of the main screen's cursor has a place.
  const int up = std::max(0, (s.is_other ? s.main_row : at.row) - (rows - 1));
  if (up > 0) {
    s.leave(up);
    s.main.scroll(0, s.main.rows(), up);
    s.saved[0].row = std::max(0, s.saved[0].row - up);
    s.main_row = std::max(0, s.main_row - up);
    if (!s.is_other) s.pushed_up = up;
  }
  s.main.resize(rows, cols);
  s.other.resize(rows, cols);
  s.wraps_from = State::kNone;
  vterm_set_size(s.vterm, rows, cols);
  s.pushed_up = 0;
  for (Position& saved : s.saved) saved = {std::min(saved.row, rows - 1), std::min(saved.col, cols - 1)};
}

void Screen::finish() {
  if (state_->is_other) state_->alternate(false);
  state_->cleared();
}

int Screen::rows() const noexcept {
  return state_->main.rows();
}
int Screen::cols() const noexcept {
  return state_->main.cols();
}
Position Screen::cursor() const noexcept {
  return state_->cursor();
}
bool Screen::alternate() const noexcept {
  return state_->is_other;
}
int Screen::main_row() const noexcept {
  return state_->is_other ? state_->main_row : state_->cursor().row;
}
const Row& Screen::row(int r) const {
  return state_->shown().row(std::clamp(r, 0, rows() - 1));
}
std::uint64_t Screen::number(int r) const noexcept {
  return state_->top + static_cast<std::uint64_t>(std::max(r, 0));
}
Moment Screen::now() const noexcept {
  return state_->moment();
}
std::uint64_t Screen::glyphs() const noexcept {
  return state_->glyphs;
}
std::uint64_t Screen::line_feeds() const noexcept {
  return state_->line_feeds;
}
char Screen::last_step() const noexcept {
  return state_->last_step;
}

}  // namespace opelog::replay
