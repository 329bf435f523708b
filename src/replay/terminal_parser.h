// TerminalParser: cuts a terminal's output into text, controls and whole sequences, so that what comes behind
// it never sees an unfinished, oversized or malformed one.
//
// Invariants, on which screen.cc rests (libvterm 0.1.4 trusts its input too much): text is whole, valid UTF-8
// without C0, DEL and C1, in pieces of at most kMaxTextPiece; a sequence has at most kMaxParams numbers of at
// most kMaxParam; strings are kept up to kMaxOsc. The tokens depend on the bytes alone, not on how they were
// cut (only where one run of text ends does). Memory is bounded by these. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace opelog::replay {

/// Bytes of text given at once; libvterm keeps an array of four times this on its stack.
constexpr std::size_t kMaxTextPiece = 256;
/// Numbers of a sequence; real ones (SGR with true colours) stay below 12. A longer one vanishes as a whole.
constexpr std::size_t kMaxParams = 15;
/// A screen is smaller; larger numbers are cut down to it.
constexpr int kMaxParam = 9999;
/// Bytes of an OSC that are kept: marks are short, titles nobody needs.
constexpr std::size_t kMaxOsc = 256;
/// Bytes of one control string that vanish, 1 MiB; what follows is text again (as in the sanitizer).
constexpr std::uint64_t kMaxVanishing = 1U << 20;

/// A control sequence, ESC [ leader numbers intermediate final.
struct Csi {
  char leader = 0;        ///< one of <=>? or 0
  char intermediate = 0;  ///< one of " !"#$%&'()*+,-./" or 0
  char final = 0;
  std::size_t count = 0;
  std::array<int, kMaxParams> params{};  ///< -1: left out

  [[nodiscard]] int param(std::size_t i, int fallback) const {
    return i < count && params[i] >= 0 ? params[i] : fallback;
  }
};

class TerminalHandler {
 public:
  virtual ~TerminalHandler() = default;
  virtual void text(std::string_view utf8) = 0;
  virtual void control(char c) = 0;  ///< C0 but NUL, ESC, CAN, SUB
  virtual void csi(const Csi& csi) = 0;
  virtual void escape(char intermediate, char final) = 0;
  virtual void osc(std::string_view bytes) = 0;  ///< the first kMaxOsc bytes
};

class TerminalParser {
 public:
  void feed(std::string_view bytes, TerminalHandler& to);
  /// Bytes fed before the one that is being handled.
  [[nodiscard]] std::uint64_t position() const noexcept { return position_; }

 private:
  enum class State { kGround, kUtf8, kEscape, kCsi, kString };
  void byte(unsigned char c, TerminalHandler& to);
  void ground(unsigned char c, TerminalHandler& to);
  void utf8(unsigned char c, TerminalHandler& to);
  void escape(unsigned char c, TerminalHandler& to);
  void csi(unsigned char c, TerminalHandler& to);
  void string(unsigned char c, TerminalHandler& to);
  void begin(State state);

  State state_ = State::kGround;
  std::uint64_t position_ = 0;
  std::string point_;  ///< bytes of the character in kUtf8
  std::size_t wanted_ = 0;
  unsigned char low_ = 0x80, high_ = 0xBF;
  Csi csi_;
  bool broken_ = false;  ///< the sequence will vanish
  char intermediate_ = 0;
  bool is_osc_ = false;
  std::string osc_;
  std::uint64_t string_left_ = 0;
};

}  // namespace opelog::replay
