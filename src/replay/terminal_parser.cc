#include "replay/terminal_parser.h"

#include <algorithm>

#include "replay/points.h"

namespace opelog::replay {
namespace {

constexpr unsigned char kEscByte = 0x1B, kCan = 0x18, kSub = 0x1A;
constexpr std::string_view kInvalid = "\xEF\xBF\xBD";  // U+FFFD

// The size of the character beyond U+009F that `bytes` begin with; 0 if it is cut, invalid or none.
std::size_t whole_character(std::string_view bytes) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const Utf8Lead lead = utf8_lead(at(0));
  if (lead.size == 0 || bytes.size() < lead.size || at(1) < lead.low || at(1) > lead.high) return 0;
  if (at(0) == 0xC2 && at(1) < 0xA0) return 0;
  for (std::size_t i = 2; i < lead.size; ++i)
    if ((at(i) & 0xC0) != 0x80) return 0;
  return lead.size;
}

}  // namespace

void TerminalParser::feed(std::string_view bytes, TerminalHandler& to) {
  std::size_t i = 0;
  while (i < bytes.size()) {
    if (state_ == State::kGround) {  // a run of plain ASCII, the usual case, is given at once
      const std::size_t end = std::min(bytes.size(), i + kMaxTextPiece);
      const std::size_t from = i;
      while (i < end && bytes[i] >= 0x20 && bytes[i] < 0x7F) ++i;
      if (i > from) {
        to.text(bytes.substr(from, i - from));
        position_ += i - from;
        continue;
      }
      if (const std::size_t size = whole_character(bytes.substr(i)); size > 0) {
        position_ += size - 1;
        to.text(bytes.substr(i, size));
        ++position_;
        i += size;
        continue;
      }
    }
    byte(static_cast<unsigned char>(bytes[i]), to);
    ++i;
    ++position_;
  }
}

void TerminalParser::begin(State state) {
  state_ = state;
  broken_ = false;
  intermediate_ = 0;
  if (state == State::kCsi) csi_ = Csi{};
  if (state == State::kString) {
    osc_.clear();
    string_left_ = kMaxVanishing;
  }
}

void TerminalParser::byte(unsigned char c, TerminalHandler& to) {
  if (state_ == State::kUtf8) return utf8(c, to);
  if (state_ == State::kString) return string(c, to);
  if (c == kEscByte) return begin(State::kEscape);
  if (c == kCan || c == kSub) return begin(State::kGround);
  if (c < 0x20) {  // executed even inside a sequence
    if (c != 0) to.control(static_cast<char>(c));
    return;
  }
  if (c == 0x7F) return;
  switch (state_) {
    case State::kEscape:
      return escape(c, to);
    case State::kCsi:
      return csi(c, to);
    default:
      return ground(c, to);
  }
}

void TerminalParser::ground(unsigned char c, TerminalHandler& to) {
  point_.assign(1, static_cast<char>(c));
  if (c < 0x80) return to.text(point_);
  const Utf8Lead lead = utf8_lead(c);
  if (lead.size == 0) return to.text(kInvalid);
  wanted_ = lead.size;
  low_ = lead.low;
  high_ = lead.high;
  state_ = State::kUtf8;
}

void TerminalParser::utf8(unsigned char c, TerminalHandler& to) {
  if (c < low_ || c > high_) {
    state_ = State::kGround;
    to.text(kInvalid);
    return byte(c, to);
  }
  low_ = 0x80;
  high_ = 0xBF;
  point_ += static_cast<char>(c);
  if (point_.size() < wanted_) return;
  state_ = State::kGround;
  // U+0080…U+009F would be controls.
  if (point_.size() == 2 && point_[0] == '\xC2' && static_cast<unsigned char>(point_[1]) < 0xA0) return;
  to.text(point_);
}

void TerminalParser::escape(unsigned char c, TerminalHandler& to) {
  if (c >= 0x20 && c <= 0x2F) {
    if (intermediate_ != 0) broken_ = true;
    intermediate_ = static_cast<char>(c);
    return;
  }
  if (c >= 0x80) return begin(State::kGround);
  if (intermediate_ == 0) {
    if (c == '[') return begin(State::kCsi);
    if (c == ']' || c == 'P' || c == 'X' || c == '^' || c == '_') {
      is_osc_ = c == ']';
      return begin(State::kString);
    }
  }
  const char intermediate = intermediate_;
  const bool broken = broken_;
  begin(State::kGround);
  if (!broken) to.escape(intermediate, static_cast<char>(c));
}

void TerminalParser::csi(unsigned char c, TerminalHandler& to) {
  if (c >= 0x80) return begin(State::kGround);
  if (c >= 0x40) {
    const Csi done = csi_;
    const bool broken = broken_;
    begin(State::kGround);
    if (broken) return;
    Csi whole = done;
    whole.final = static_cast<char>(c);
    return to.csi(whole);
  }
  if (c >= 0x3C) {  // < = > ?
    if (csi_.leader != 0 || csi_.count != 0 || csi_.intermediate != 0) broken_ = true;
    csi_.leader = static_cast<char>(c);
  } else if (c >= 0x30) {
    if (csi_.intermediate != 0) broken_ = true;
    if (csi_.count == 0) csi_.params[csi_.count++] = -1;
    if (c == ';' || c == ':') {
      if (csi_.count == kMaxParams) {
        broken_ = true;
      } else {
        csi_.params[csi_.count++] = -1;
      }
    } else {
      int& number = csi_.params[csi_.count - 1];
      number = std::min(kMaxParam, std::max(number, 0) * 10 + (c - '0'));
    }
  } else {
    if (csi_.intermediate != 0) broken_ = true;
    csi_.intermediate = static_cast<char>(c);
  }
}

void TerminalParser::string(unsigned char c, TerminalHandler& to) {
  const bool bell = c == 0x07 && is_osc_;
  if (c == kEscByte || bell) {  // ESC \ ends it; any other sequence breaks it off, and the terminals run it
    const bool whole = is_osc_;
    begin(bell ? State::kGround : State::kEscape);
    if (whole) to.osc(osc_);
    return;
  }
  if (c == kCan || c == kSub || --string_left_ == 0) return begin(State::kGround);
  if (is_osc_ && osc_.size() < kMaxOsc) osc_ += static_cast<char>(c);
}

}  // namespace opelog::replay
