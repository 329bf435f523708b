// Sanitizer: lets through of a terminal's output only what draws, so that a recording cannot attack its
// auditor.
//
// An allowlist, not a blocklist: text, a few controls and whole sequences this file has parsed and written
// anew come out; everything else vanishes (strings such as titles, clipboard and hyperlinks, queries that
// make a terminal answer, keyboard and mouse modes, window operations) or becomes visible (invalid UTF-8 as
// U+FFFD, bidi controls as <U+202E>). docs/reading.md has the list.
//
// Invariants: the output depends on the bytes alone, never on how they were cut into chunks; memory is
// bounded by kMaxSequence. Pure. Owned by whoever shows the bytes (Player, tail).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace opelog::replay {

/// Bytes of one CSI or ESC sequence; real ones stay below 100. A longer one vanishes as a whole.
constexpr std::size_t kMaxSequence = 256;

/// Bytes of one control string (OSC, DCS, …) that vanish, 1 MiB: more than any clipboard or title. What
/// follows is shown, so that an unterminated introducer cannot hide the rest of a recording.
constexpr std::uint64_t kMaxString = 1U << 20;

class Sanitizer {
 public:
  struct Options {
    bool bell = false;  ///< let BEL through
  };

  Sanitizer() = default;
  explicit Sanitizer(Options options) : options_(options) {}

  /// Appends to `out` what is safe of `bytes`. Unfinished characters and sequences wait for the next call.
  void feed(std::string_view bytes, std::string& out);

  /// The stream is over: an unfinished character becomes U+FFFD, an unfinished sequence vanishes.
  void finish(std::string& out);

  /// Undoes on the terminal whatever the output so far has set and not undone: modes, alternate screen,
  /// scroll region, character sets, colours. "" if nothing was set.
  [[nodiscard]] std::string restore_sequence() const;

  /// Back to the beginning of a stream.
  void reset();

  /// Sequences and strings that were left out.
  [[nodiscard]] std::uint64_t left_out() const noexcept { return left_out_; }

 private:
  enum class State { kGround, kUtf8, kEscape, kCsi, kString };

  void byte(unsigned char c, std::string& out);
  void ground(unsigned char c, std::string& out);
  void utf8(unsigned char c, std::string& out);
  void sequence(unsigned char c, std::string& out);
  void control(unsigned char c, std::string& out);
  void begin_utf8(unsigned char c, std::string& out);
  void point(std::uint32_t p, std::string& out);
  void escape(std::string& out);
  void csi(std::string& out);
  bool modes(std::string_view params, bool private_modes, bool set, std::string& out);
  void abandon();

  Options options_;
  State state_ = State::kGround;
  std::string pending_;    ///< of the sequence after ESC or CSI; of the character in kUtf8
  bool too_long_ = false;  ///< pending_ would exceed kMaxSequence
  std::uint64_t string_left_ = 0;
  bool string_is_osc_ = false;              ///< BEL ends it
  unsigned char low_ = 0x80, high_ = 0xBF;  ///< range of the next UTF-8 byte
  std::size_t wanted_ = 0;                  ///< bytes of the character

  std::uint32_t touched_ = 0;  ///< bits of what restore_sequence() must undo
  std::uint64_t left_out_ = 0;
};

/// Undoes what raw bytes can have set; `tracked` was fed the same bytes.
std::string full_restore_sequence(const Sanitizer& tracked);

}  // namespace opelog::replay
