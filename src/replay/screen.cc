#include "replay/screen.h"

#include <vterm.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "replay/character_widths.h"
#include "replay/points.h"
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

// Text, CR, LF, BS, HT, erasing in a line and moving the cursor are most of any output, and libvterm takes
// longer for them than all that is done here. While its modes are the usual ones (Modes::plain), they are
// carried out here; libvterm is told only before it must do something itself (tell_libvterm): where the
// cursor is, and by drawing the last character again, what it would combine with and whether it owes a wrap.
// So it is always as if it had done all of it; DrawnBy::kLibvterm has it do so, and a test compares.

// The modes of libvterm that decide what text and line feeds do.
struct Modes {
  bool insert = false, new_line = false, wraps = true, origin = false;
  bool region = false;            ///< what scrolls may be a part of the screen
  bool own_tabs = false;          ///< tabs may stand elsewhere than in every eighth column
  std::array<bool, 4> drawing{};  ///< character sets that are not ASCII
  std::size_t set = 0;            ///< the one in use

  [[nodiscard]] bool plain() const { return !insert && wraps && !origin && !drawing[set]; }
};

struct Glyph {
  char32_t point = 0;  ///< 0: none
  int width = 1;
  Position at;
};

int clamp_size(int value, int fallback, int most) {
  return value <= 0 ? fallback : std::min(value, most);
}

constexpr std::string_view kPassedOn = "@ABCDEFGHIJKLMPSTXZ`adefgr";

}  // namespace

struct Screen::State final : TerminalHandler {
  State(int rows, int cols, DrawnBy by)
      : main(rows, cols), other(rows, cols), vterm(vterm_new(rows, cols)), drawn_by(by) {
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
    if (ahead) return ahead_at;
    VTermPos pos{};
    vterm_state_get_cursorpos(machine, &pos);
    return {std::clamp(pos.row, 0, main.rows() - 1), std::clamp(pos.col, 0, main.cols() - 1)};
  }
  void pass(std::string_view bytes) {
    if (ahead) tell_libvterm();
    vterm_input_write(vterm, bytes.data(), bytes.size());
  }
  void go(Position to) {
    if (modes.origin) pass("\x1b[?6l");  // else the place would be counted from the scroll region
    modes.origin = false;
    pass("\x1b[" + std::to_string(to.row + 1) + ';' + std::to_string(to.col + 1) + 'H');
  }

  // Whether what comes can be carried out without libvterm: then the cursor is `at`.
  bool get_ahead() {
    if (ahead) return true;
    if (drawn_by == DrawnBy::kLibvterm || !modes.plain()) return false;
    const Position cursor = this->cursor();
    if (cursor.col >= main.cols() - 2) return false;  // libvterm may owe a wrap and does not say so
    ahead = true;
    ahead_at = cursor;
    owes_wrap = false;
    last_glyph.point = 0;
    return true;
  }
  void tell_libvterm() {
    ahead = false;
    bool there = false;
    if (last_glyph.point != 0) {
      const bool was_muted = std::exchange(muted, true);
      go(last_glyph.at);
      std::string character;
      append_utf8(last_glyph.point, character);
      pass(character);
      muted = was_muted;
      there = owes_wrap ||
              (ahead_at.row == last_glyph.at.row && ahead_at.col == last_glyph.at.col + last_glyph.width);
    }
    if (!there) go(ahead_at);
  }
  // Nothing else cancels a wrap that is owed.
  void move_to(Position to) {
    if (to.row != ahead_at.row || to.col != ahead_at.col) owes_wrap = false;
    ahead_at = to;
  }
  // The region is the screen.
  void feed_line() {
    if (ahead_at.row == main.rows() - 1)
      scroll({0, main.rows(), 0, main.cols()}, 1, 0);
    else
      move_to({ahead_at.row + 1, ahead_at.col});
  }
  void wrap() {
    feed_line();
    ahead_at.col = 0;
    owes_wrap = false;
  }
  void step(int columns) {
    owes_wrap = ahead_at.col + columns >= main.cols();
    if (!owes_wrap) ahead_at.col += columns;
  }
  bool text_ahead(std::string_view utf8, char32_t point) {
    const bool is_ascii = point < 0x80;
    const int width = is_ascii ? 1 : widths.of(point);
    if (width == 0 || !get_ahead()) return false;
    const int columns = is_ascii ? static_cast<int>(utf8.size()) : width;
    if (modes.region && (owes_wrap || ahead_at.col + columns > main.cols())) return false;
    if (is_ascii)
      draw_ascii(utf8);
    else
      draw_character(point, width);
    long_glyph = false;
    return true;
  }
  // Only ASCII comes in runs; anything else is one character.
  static char32_t last_character(std::string_view utf8) {
    const auto first = static_cast<unsigned char>(utf8.front());
    if (first < 0x80) return static_cast<unsigned char>(utf8.back());
    char32_t point = first & (0xFFU >> (utf8.size() + 1));
    for (std::size_t i = 1; i < utf8.size(); ++i)
      point = (point << 6) | (static_cast<unsigned char>(utf8[i]) & 0x3F);
    return point;
  }
  // As put() without marks.
  void draw_character(char32_t point, int width) {
    if (owes_wrap || ahead_at.col + width > main.cols()) wrap();
    ScreenRows& rows = shown();
    if (!is_other) untouched = false;
    const std::size_t identity = rows.identity(ahead_at.row);
    if (ahead_at.col == 0 && wraps_from != kNone && wraps_from != identity)
      rows.by_identity(wraps_from).wrapped = true;
    rows.put_one(ahead_at.row, ahead_at.col, point, width, reverse, moment());
    ++glyphs;
    wraps_from = ahead_at.col + width >= rows.cols() - 1 ? identity : kNone;
    last_glyph = {point, width, ahead_at};
    step(width);
  }
  // As put() for each byte.
  void draw_ascii(std::string_view text) {
    Moment now = moment();
    while (!text.empty()) {
      if (owes_wrap) wrap();
      const auto n = std::min(text.size(), static_cast<std::size_t>(main.cols() - ahead_at.col));
      if (!is_other) untouched = false;
      const std::size_t identity = shown().identity(ahead_at.row);
      if (ahead_at.col == 0 && wraps_from != kNone && wraps_from != identity)
        shown().by_identity(wraps_from).wrapped = true;
      shown().put_ascii(ahead_at.row, ahead_at.col, text.substr(0, n), reverse, now);
      glyphs += n;
      now.offset += n;
      const int last = ahead_at.col + static_cast<int>(n) - 1;
      wraps_from = last + 1 >= main.cols() - 1 ? identity : kNone;
      last_glyph = {static_cast<unsigned char>(text[n - 1]), 1, {ahead_at.row, last}};
      ahead_at.col = last;
      step(1);
      text.remove_prefix(n);
    }
  }
  bool control_ahead(char c) {
    const bool feeds = c == '\n' || c == '\v' || c == '\f';
    if (feeds && (modes.region || modes.new_line)) return false;
    if (c == '\t' && modes.own_tabs) return false;
    if (c == '\x0E' || c == '\x0F' || !get_ahead()) return false;
    if (feeds)
      feed_line();
    else if (c == '\r')
      move_to({ahead_at.row, 0});
    else if (c == '\b')
      move_to({ahead_at.row, std::max(ahead_at.col - 1, 0)});
    else
      move_to({ahead_at.row, std::min((ahead_at.col / 8 + 1) * 8, main.cols() - 1)});
    return true;
  }
  bool csi_ahead(const Csi& sequence) {
    if (std::string_view("ABCDGHKdf").find(sequence.final) == std::string_view::npos || !get_ahead())
      return false;
    const int number = sequence.param(0, 1), count = number == 0 ? 1 : number;
    Position to = ahead_at;
    switch (sequence.final) {
      case 'K': {
        const int what = sequence.param(0, 0);
        if (what <= 2)
          erase({ahead_at.row, ahead_at.row + 1, what == 0 ? ahead_at.col : 0,
                 what == 1 ? ahead_at.col + 1 : main.cols()});
        return true;
      }
      case 'A':
        to.row -= count;
        break;
      case 'B':
        to.row += count;
        break;
      case 'C':
        to.col += count;
        break;
      case 'D':
        to.col -= count;
        break;
      case 'G':
        to.col = number - 1;
        break;
      case 'd':
        to.row = number - 1;
        break;
      default:
        to = {number - 1, sequence.param(1, 1) - 1};
    }
    ahead_at = {std::clamp(to.row, 0, main.rows() - 1), std::clamp(to.col, 0, main.cols() - 1)};
    owes_wrap = false;
    return true;
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
    if (!is_other) untouched = false;
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
    if (!is_other) untouched = false;
    if (in_text && wraps_from != kNone) shown().by_identity(wraps_from).wrapped = true;
    if (down > 0 && rect.start_row == 0) {
      const int n = std::min(down, rect.end_row);
      is_other ? leave_alternate(n) : leave(n);
    }
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
  // The first n rows of the alternate screen scroll off, or all are cleared.
  void leave_alternate(int n) {
    for (int r = 0; r < std::min(n, other.rows()); ++r)
      for (ScreenWatcher* watcher : watchers) watcher->alternate_row_left(other.row(r));
  }
  // The main screen is cleared as a whole: what it showed was seen and leaves as if scrolled off. Of its
  // empty rows no more than there were line feeds, or a few bytes would make a screenful of lines.
  void cleared() {
    const int used = main.used();
    std::uint64_t blanks = line_feeds - feeds_at_clear;
    feeds_at_clear = line_feeds;
    for (int r = 0; r < used; ++r) {
      const bool blank = main.row(r).cells.empty();
      if (!blank || blanks > 0)
        for (ScreenWatcher* watcher : watchers)
          watcher->row_left(top + static_cast<std::uint64_t>(r), main.row(r));
      if (blank && blanks > 0) --blanks;
    }
    top += static_cast<std::uint64_t>(main.rows());
    main.scroll(0, main.rows(), main.rows());
    untouched = true;
  }

  // Tokens.
  void text(std::string_view utf8) override {
    if (long_glyph) break_combining();
    last_point = last_character(utf8);
    in_text = true;
    ascii = utf8.size() > 1 && static_cast<unsigned char>(utf8.front()) < 0x80;
    drawn = 0;
    if (!text_ahead(utf8, last_point)) pass(utf8);
    in_text = false;
    last_step = 0;
  }
  // libvterm appends every combining character to the last glyph. It is made to think of another one.
  void break_combining() {
    const Position from = cursor();
    muted = true;
    // Anywhere but in front of the cursor, where it would be combined with.
    pass(from.row == 0 && from.col == 1 ? "\x1b[4l\x1b[?6l\x1b[1;2H " : "\x1b[4l\x1b[?6l\x1b[1;1H ");
    modes.origin = modes.insert = false;
    muted = false;
    go(from);
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
    if (!control_ahead(c)) pass({&c, 1});
    if (c == '\x0E' || c == '\x0F') modes.set = c == '\x0E' ? 1 : 0;
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
        return mode(sequence, sequence.final == 'h');
      default:
        if (kPassedOn.find(sequence.final) != std::string_view::npos) plain(sequence);
    }
  }
  void mode(const Csi& sequence, bool set) {
    const int number = sequence.param(0, 0);
    if (sequence.count != 1 || (number != 4 && number != 20)) return;
    plain(sequence);
    (number == 4 ? modes.insert : modes.new_line) = set;
  }
  // The sequence written anew.
  void plain(const Csi& sequence) {
    if (sequence.final == 'J' && is_other) {
      const Position at = cursor();
      const int what = sequence.param(0, 0);
      if (what == 2 || (what == 0 && at.row == 0 && at.col == 0)) leave_alternate(other.used());
    }
    if (sequence.final == 'J' && !is_other) {
      const Position at = cursor();
      const int what = sequence.param(0, 0);
      if (what == 3) return;  // the scrollback is not ours
      if (what == 2 || (what == 0 && at.row == 0 && at.col == 0)) {
        if (untouched) return;
        cleared();
      }
      if (what == 0 && at.col == 0 && at.row > 0) main.row(at.row - 1).wrapped = false;
    }
    const std::size_t before = wraps_from;
    moved(sequence.final);
    if (sequence.final == 'K')
      wraps_from = before;  // readline: a blank, erased, then the wide character that wraps
    if (csi_ahead(sequence)) return;
    std::string bytes = "\x1b[";
    if (sequence.leader != 0) bytes += sequence.leader;
    for (std::size_t i = 0; i < std::min<std::size_t>(sequence.count, 2); ++i) {
      if (i > 0) bytes += ';';
      if (sequence.params[i] >= 0) bytes += std::to_string(sequence.params[i]);
    }
    bytes += sequence.final;
    pass(bytes);
    if (sequence.final == 'g') modes.own_tabs = true;
    if (sequence.final == 'r') {
      const int bottom = sequence.param(1, main.rows());
      modes.region = sequence.param(0, 1) > 1 || bottom < main.rows();
    }
  }
  void private_mode(int mode, bool set) {
    switch (mode) {
      case 6:
      case 7:
        moved('h');
        pass("\x1b[?" + std::to_string(mode) + (set ? "h" : "l"));
        (mode == 6 ? modes.origin : modes.wraps) = set;
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
    pass("\x1b[4l\x1b[20l\x1b[?6l\x1b[?7h\x1b[r\x1b(B\x1b)B\x0f");
    const bool own_tabs = modes.own_tabs;
    const auto drawing = modes.drawing;
    modes = {};
    modes.own_tabs = own_tabs;
    modes.drawing = {false, false, drawing[2], drawing[3]};
    go(at);
  }
  void hard_reset() {
    alternate(false);
    cleared();
    moved('c');
    reverse = false;
    saved = {};
    pass("\x1b\x63");
    modes = {};
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
    if (last_point == 0) return;
    std::string character;
    append_utf8(last_point, character);
    const std::size_t at_once = character.size() == 1 ? kMaxTextPiece : 1;
    for (std::size_t left = static_cast<std::size_t>(std::max(times, 0)); left > 0;) {
      const std::size_t n = std::min(left, at_once);
      text(n == 1 ? character : std::string(n, character[0]));
      left -= n;
    }
  }
  void escape(char intermediate, char final) override {
    if (intermediate >= '(' && intermediate <= '+') {
      const bool drawing = final == '0' || final == 'A';
      const char bytes[3] = {'\x1b', intermediate, drawing ? final : 'B'};
      pass({bytes, sizeof bytes});
      modes.drawing[static_cast<std::size_t>(intermediate - '(')] = drawing;
      return;
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
        pass({bytes, sizeof bytes});
        if (final == 'H') modes.own_tabs = true;
        return;
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
  char32_t last_point = 0;         ///< the last character drawn; 0: none
  std::size_t wraps_from = kNone;  ///< identity of the row whose end the text has reached
  std::uint64_t top = 0;           ///< number of the main screen's first row
  std::uint64_t glyphs = 0, line_feeds = 0, feeds_at_clear = 0;
  bool untouched = true;  ///< nothing was drawn on the main screen since it was cleared
  std::uint64_t offset = 0, fed = 0;
  std::int64_t at_us = 0, previous_us = 0;
  int main_row = 0;  ///< of the main screen's cursor when it was left
  int pushed_up = 0;
  char last_step = 0;
  bool is_other = false, reverse = false, muted = false, in_text = false, long_glyph = false;
  bool ascii = false;       ///< a run of it is being drawn, each byte a character
  std::uint64_t drawn = 0;  ///< of it

  DrawnBy drawn_by;
  Modes modes;
  CharacterWidths widths;
  bool ahead = false;      ///< libvterm has not been told of all; these say what it would know:
  Position ahead_at;       ///< the cursor
  bool owes_wrap = false;  ///< the last column is drawn; the next character begins a row
  Glyph last_glyph;        ///< drawn since libvterm was told
};

Screen::Screen(int rows, int cols, DrawnBy drawn_by)
    : state_(std::make_unique<State>(clamp_size(rows, 24, kMaxRows),
                                     std::max(2, clamp_size(cols, 80, kMaxCols)), drawn_by)) {}
Screen::~Screen() = default;

void Screen::watch(ScreenWatcher& watcher) {
  state_->watchers.push_back(&watcher);
}

void Screen::feed(std::string_view bytes, std::int64_t at_us, std::uint64_t offset) {
  if (at_us != state_->at_us) state_->previous_us = std::exchange(state_->at_us, at_us);
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
  s.modes.origin = s.modes.region = false;
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

void Screen::break_off() {
  State& s = *state_;
  const std::uint64_t offset = now().offset;
  const auto pass = [&s, offset](std::string_view bytes) {
    s.offset = offset;
    s.fed = s.parser.position();
    s.parser.feed(bytes, s);
    s.fed = s.parser.position();
  };
  pass("\x18");  // CAN
  if (s.is_other) return;
  // At most so often: below a scroll region a line feed on the last row does nothing.
  for (int n = s.main.rows(); n > 0 && !s.main.row(s.cursor().row).cells.empty(); --n) pass("\r\n");
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
std::int64_t Screen::previous_us() const noexcept {
  return state_->previous_us;
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
