#include "replay/sanitize.h"

#include <array>
#include <cstdio>

#include "replay/points.h"

namespace opelog::replay {
namespace {

constexpr unsigned char kEsc = 0x1B;
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// Modes that only draw. `back` is the value a fresh terminal has.
struct Mode {
  int number;
  bool is_private;
  bool back;
};
constexpr std::size_t kAlternateScreens = 3;  // the first ones
constexpr std::array<Mode, 10> kModes{{
    {1049, true, false},  // alternate screen with cursor saved
    {1047, true, false},  // alternate screen
    {47, true, false},    // alternate screen, the oldest form
    {6, true, false},     // origin
    {5, true, false},     // reverse video
    {45, true, false},    // reverse wrap
    {12, true, false},    // blinking cursor
    {25, true, true},     // cursor visible
    {7, true, true},      // auto-wrap
    {4, false, false},    // insert
}};
// Bits of touched_: one for each mode, then these.
constexpr unsigned kColours = 16, kRegion = 17, kCharset = 18, kShift = 19, kCursorStyle = 20;

constexpr std::uint32_t bit(unsigned n) {
  return std::uint32_t{1} << n;
}

// Digits and semicolons, no number above 9999: a screen is smaller, and some terminals loop over the number.
bool are_small_numbers(std::string_view params, bool colons) {
  std::size_t digits = 0;
  for (const char c : params) {
    if (c >= '0' && c <= '9') {
      if (++digits > 4) return false;
    } else if (c == ';' || (colons && c == ':')) {
      digits = 0;
    } else {
      return false;
    }
  }
  return true;
}

// Whether one of the numbers is `wanted`, however many zeros stand before it.
bool has_parameter(std::string_view params, int wanted) {
  int value = 0;
  for (const char c : params) {
    if (c != ';') {
      value = value * 10 + (c - '0');
      continue;
    }
    if (value == wanted) return true;
    value = 0;
  }
  return value == wanted;
}

}  // namespace

void Sanitizer::feed(std::string_view bytes, std::string& out) {
  std::size_t i = 0;
  while (i < bytes.size()) {
    if (state_ == State::kGround) {  // a run of plain ASCII, the usual case, is copied at once
      const std::size_t from = i;
      while (i < bytes.size() && bytes[i] >= 0x20 && bytes[i] < 0x7F) ++i;
      out.append(bytes.substr(from, i - from));
      if (i == bytes.size()) return;
    }
    byte(static_cast<unsigned char>(bytes[i]), out);
    ++i;
  }
}

void Sanitizer::finish(std::string& out) {
  if (state_ == State::kUtf8) out += kReplacement;
  if (state_ != State::kGround && state_ != State::kUtf8) ++left_out_;
  abandon();
}

void Sanitizer::reset() {
  *this = Sanitizer(options_);
}

void Sanitizer::abandon() {
  state_ = State::kGround;
  pending_.clear();
  too_long_ = false;
}

void Sanitizer::byte(unsigned char c, std::string& out) {
  switch (state_) {
    case State::kGround:
      ground(c, out);
      return;
    case State::kUtf8:
      utf8(c, out);
      return;
    case State::kEscape:
    case State::kCsi:
      sequence(c, out);
      return;
    case State::kString:
      if (c == kEsc) {  // ESC \ ends the string, any other sequence breaks it off
        ++left_out_;
        abandon();
        state_ = State::kEscape;
      } else if ((c == 0x07 && string_is_osc_) || c == 0x18 || c == 0x1A || --string_left_ == 0) {
        ++left_out_;
        abandon();
      }
      return;
  }
}

void Sanitizer::ground(unsigned char c, std::string& out) {
  if (c == kEsc) {
    state_ = State::kEscape;
  } else if (c < 0x20 || c == 0x7F) {
    control(c, out);
  } else if (c < 0x80) {
    out += static_cast<char>(c);
  } else {
    begin_utf8(c, out);
  }
}

void Sanitizer::control(unsigned char c, std::string& out) {
  switch (c) {
    case '\r':
    case '\n':
    case '\b':
    case '\t':
      out += static_cast<char>(c);
      return;
    case '\v':
    case '\f':
      out += '\n';
      return;  // terminals treat both as LF
    case 0x07:
      if (options_.bell) out += '\a';
      return;
    case 0x0E:
      touched_ |= bit(kShift);
      out += '\x0E';
      return;
    case 0x0F:
      out += '\x0F';
      return;
    default:
      return;  // NUL, ENQ (answers), XON, XOFF, CAN, SUB, DEL …
  }
}

void Sanitizer::begin_utf8(unsigned char c, std::string& out) {
  const Utf8Lead lead = utf8_lead(c);
  if (lead.size == 0) {
    out += kReplacement;  // also 0x80-0x9F, the 8-bit controls
    return;
  }
  wanted_ = lead.size;
  low_ = lead.low;
  high_ = lead.high;
  pending_.assign(1, static_cast<char>(c));
  state_ = State::kUtf8;
}

void Sanitizer::utf8(unsigned char c, std::string& out) {
  if (c < low_ || c > high_) {
    out += kReplacement;
    abandon();
    ground(c, out);
    return;
  }
  low_ = 0x80;
  high_ = 0xBF;
  pending_ += static_cast<char>(c);
  if (pending_.size() < wanted_) return;
  std::uint32_t p = static_cast<unsigned char>(pending_[0]) & (0xFFU >> (wanted_ + 1));
  for (std::size_t i = 1; i < wanted_; ++i) p = (p << 6) | (static_cast<unsigned char>(pending_[i]) & 0x3FU);
  point(p, out);
  abandon();
}

void Sanitizer::point(std::uint32_t p, std::string& out) {
  if (p >= 0x80 && p <= 0x9F) {  // xterm obeys C1 controls in UTF-8 form too
    out += kReplacement;
  } else if (is_bidi_or_hidden(p)) {
    char text[16];
    std::snprintf(text, sizeof text, "<U+%04X>", static_cast<unsigned>(p));
    out += text;
  } else {
    out += pending_;
  }
}

// One byte after ESC (kEscape) or CSI (kCsi).
void Sanitizer::sequence(unsigned char c, std::string& out) {
  if (c == kEsc || c == 0x18 || c == 0x1A || c >= 0x80) {  // broken off
    ++left_out_;
    abandon();
    if (c == kEsc) state_ = State::kEscape;
    if (c >= 0x80) ground(c, out);
    return;
  }
  if (c < 0x20) {  // terminals obey a control in the middle of a sequence at once
    control(c, out);
    return;
  }
  if (c == 0x7F) return;
  if (state_ == State::kEscape && pending_.empty()) {
    if (c == '[') {
      state_ = State::kCsi;
      return;
    }
    if (c == ']' || c == 'P' || c == 'X' || c == '^' || c == '_') {
      state_ = State::kString;
      string_is_osc_ = c == ']';
      string_left_ = kMaxString;
      return;
    }
  }
  if (pending_.size() < kMaxSequence) {
    pending_ += static_cast<char>(c);
  } else {
    too_long_ = true;
  }
  const unsigned char first_final = state_ == State::kCsi ? 0x40 : 0x30;
  if (c < first_final) return;
  if (too_long_) {
    ++left_out_;
  } else if (state_ == State::kCsi) {
    csi(out);
  } else {
    escape(out);
  }
  abandon();
}

void Sanitizer::escape(std::string& out) {
  if (pending_.size() == 1) {
    switch (pending_[0]) {
      case '7':
      case '8':
      case 'D':
      case 'E':
      case 'M':
        out += '\x1B';
        out += pending_;
        return;
      case 'c':  // full reset: only its drawing
        out += restore_sequence() + "\x1B[H\x1B[2J";
        touched_ = 0;
        return;
      case '\\':
        return;  // the end of a string
      default:
        ++left_out_;
        return;
    }
  }
  if (pending_.size() == 2) {
    const char kind = pending_[0];
    const char final = pending_[1];
    const bool charset =
        kind >= '(' && kind <= '+' && std::string_view("0AB12U").find(final) != std::string_view::npos;
    const bool line = kind == '#' && std::string_view("34568").find(final) != std::string_view::npos;
    if (charset || line) {
      if (charset) touched_ |= bit(kCharset);
      out += '\x1B';
      out += pending_;
      return;
    }
  }
  ++left_out_;
}

void Sanitizer::csi(std::string& out) {
  const char final = pending_.back();
  std::string_view params(pending_.data(), pending_.size() - 1);
  const std::size_t middle = params.find_first_of(" !\"#$%&'()*+,-./");
  const std::string_view between =
      middle == std::string_view::npos ? std::string_view() : params.substr(middle);
  params = params.substr(0, middle);
  const bool question = !params.empty() && params[0] == '?';
  if (question) params.remove_prefix(1);

  bool good = are_small_numbers(params, final == 'm');
  if (good && !between.empty()) {
    if (between == " " && final == 'q' && !question) {
      touched_ |= bit(kCursorStyle);
    } else {
      good = between == "!" && final == 'p' && !question && params.empty();  // soft reset
    }
  } else if (good && (final == 'h' || final == 'l')) {
    if (!modes(params, question, final == 'h', out)) ++left_out_;
    return;
  } else if (good && question) {
    good = final == 'J' || final == 'K';
  } else if (good) {
    switch (final) {
      case 'm':
        touched_ |= bit(kColours);
        break;
      case 'r':
        touched_ |= bit(kRegion);
        break;
      case 'T':
        good = params.find(';') == std::string_view::npos;
        break;  // with five: mouse highlighting
      case 's':
      case 'u':
        good = params.empty();
        break;
      default:
        good = std::string_view("@ABCDEFGHIJKLMPSXZ`abdef").find(final) != std::string_view::npos;
    }
  }
  if (good && final == 'J' && has_parameter(params, 3)) good = false;  // would erase the auditor's scrollback
  if (!good) {
    ++left_out_;
    return;
  }
  out += "\x1B[";
  out += pending_;
}

// Writes the allowed ones of a list of modes; false if none was.
bool Sanitizer::modes(std::string_view params, bool private_modes, bool set, std::string& out) {
  std::string kept;
  for (;;) {
    const std::size_t end = params.find(';');
    const std::string number(params.substr(0, end));
    for (std::size_t i = 0; i < kModes.size(); ++i) {
      if (kModes[i].is_private != private_modes || number != std::to_string(kModes[i].number)) continue;
      kept += (kept.empty() ? "" : ";") + number;
      const auto flag = bit(static_cast<unsigned>(i));
      touched_ |= flag;
      // Leaving the alternate screen twice would move the cursor; the others stay touched, because ESC 8 may
      // bring back what was set before.
      if (!set && i < kAlternateScreens) touched_ &= ~flag;
    }
    if (private_modes && number == "1048")
      kept += (kept.empty() ? "" : ";") + number;  // save or restore the cursor
    if (end == std::string_view::npos) break;
    params.remove_prefix(end + 1);
  }
  if (kept.empty()) return false;
  out += private_modes ? "\x1B[?" : "\x1B[";
  out += kept;
  out += set ? 'h' : 'l';
  return true;
}

std::string Sanitizer::restore_sequence() const {
  std::string out;
  for (std::size_t i = 0; i < kModes.size(); ++i) {
    if ((touched_ & bit(static_cast<unsigned>(i))) == 0) continue;
    out += kModes[i].is_private ? "\x1B[?" : "\x1B[";
    out += std::to_string(kModes[i].number) + (kModes[i].back ? 'h' : 'l');
  }
  if ((touched_ & bit(kRegion)) != 0)
    out +=
        "\x1B"
        "7\x1B[r\x1B"
        "8";  // DECSTBM moves the cursor
  if ((touched_ & bit(kCursorStyle)) != 0) out += "\x1B[0 q";
  if ((touched_ & bit(kCharset)) != 0) out += "\x1B(B\x1B)B\x1B*B\x1B+B";
  if ((touched_ & bit(kShift)) != 0) out += '\x0F';
  if ((touched_ & bit(kColours)) != 0) out += "\x1B[0m";
  return out;
}

std::string full_restore_sequence(const Sanitizer& tracked) {
  // ST first: raw bytes may have left a string open. Then mouse, focus, paste and keyboard modes.
  return "\x1B\\\x1B[?1000l\x1B[?1002l\x1B[?1003l\x1B[?1004l\x1B[?1005l\x1B[?1006l\x1B[?1015l\x1B[?2004l"
         "\x1B[?2026l\x1B[>4m\x1B[<u\x1B[?1l\x1B>\x1B[20l\x1B[?69l" +
         tracked.restore_sequence() +
         "\x1B[?25h\x1B"
         "7\x1B[r\x1B"
         "8\x1B[!p\x1B[0 q\x1B(B\x1B)B\x0F\x1B[0m";
}

}  // namespace opelog::replay
