// What the export formats share: characters cut out of bytes that arrive in any pieces, and text made
// harmless for JSON and HTML.
//
// Invariants: Utf8Cutter gives every byte exactly once and in order, whatever the pieces; it keeps at most
// three bytes. append_json() and append_html() take valid UTF-8 and give text that holds no control, no bidi
// or hidden character and nothing that ends the string or the element it stands in. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace opelog::replay {

constexpr std::string_view kNoCharacter = "\xEF\xBF\xBD";  // U+FFFD

/// Characters (valid UTF-8) and what is none, out of a stream.
class Utf8Cutter {
 public:
  /// Calls take(std::string_view, bool valid) for each character and each sequence that is none (1 to 3
  /// bytes). An unfinished character waits for the next call.
  template <typename Take>
  void feed(std::string_view bytes, Take&& take) {
    for (const char byte : bytes) {
      while (!add(byte, take)) {
      }
    }
  }
  /// The stream is over.
  template <typename Take>
  void finish(Take&& take) {
    if (have_ > 0) take(std::string_view(buffer_.data(), have_), false);
    have_ = 0;
  }

 private:
  // False if the byte did not belong to what was pending, which has been given out: to be added again.
  template <typename Take>
  bool add(char byte, Take& take) {
    const auto c = static_cast<unsigned char>(byte);
    if (have_ == 0) {
      if (c < 0x80 || !begins(c)) {
        take(std::string_view(&byte, 1), c < 0x80);
        return true;
      }
    } else if (c < low_ || c > high_) {
      finish(take);
      return false;
    } else {
      low_ = 0x80;
      high_ = 0xBF;
    }
    buffer_[have_++] = byte;
    if (have_ == wanted_) {
      take(std::string_view(buffer_.data(), have_), true);
      have_ = 0;
    }
    return true;
  }
  bool begins(unsigned char c);

  std::array<char, 4> buffer_{};
  std::size_t have_ = 0, wanted_ = 0;
  unsigned char low_ = 0x80, high_ = 0xBF;  ///< range of the next byte
};

/// Appends valid UTF-8 as the inside of a JSON string: controls, quotes, and what hides or reorders are
/// written \uXXXX, so the line is safe to look at; everything else stays.
void append_json(std::string& out, std::string_view text);
/// Any bytes as a JSON string with its quotes; what is no UTF-8 becomes U+FFFD.
std::string json_string(std::string_view bytes);

/// Appends valid UTF-8 as text of an element or of a quoted attribute. Controls become U+FFFD, bidi controls
/// visible (<U+202E>).
void append_html(std::string& out, std::string_view text);

/// "1.000005": seconds of a time that is not negative.
std::string seconds_text(std::int64_t us);
/// "0:00:07", "27:12:34".
std::string elapsed_text(std::int64_t us);

}  // namespace opelog::replay
