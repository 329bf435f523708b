// Transcript: what an operator saw, as logical lines of plain text.
//
// A watcher of the Screen. A line comes out when it changes no more (scrolled off, cleared, or the recording
// ended), as it finally stood: redrawn progress bars once, Backspace carried out, wrapped rows joined. What a
// full-screen program showed is one entry with its last screen. Invariants: the text is valid UTF-8 without
// controls, bidi controls are visible (<U+202E>); entries come in the order of the screen; memory is bounded
// by kMaxLine, kMaxWaiting and one screen. The text does not depend on how the bytes were cut. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "replay/screen.h"

namespace opelog::replay {

/// Bytes of one logical line; what is longer continues in the next entry.
constexpr std::size_t kMaxLine = 64 * 1024;
/// Full-screen programs whose place among the lines is not final yet; when there are more, the oldest go out.
constexpr std::size_t kMaxWaiting = 64;

struct TranscriptEntry {
  enum class Kind { kLine, kFullScreen, kGap };
  Kind kind = Kind::kLine;
  std::int64_t begin_us = -1, end_us = -1;         ///< first and last written; -1: an empty line
  std::uint64_t begin_offset = 0, end_offset = 0;  ///< of the output, first and last byte that wrote
  std::string text;                                ///< the line; kGap: what is missing, as it was given
  bool continues = false;                          ///< the line before was cut at kMaxLine
  std::vector<std::string> screen;                 ///< kFullScreen: as it stood when it was last drawn on
};

class Transcript final : public ScreenWatcher {
 public:
  /// Registers itself with `screen`, which must live as long.
  explicit Transcript(Screen& screen);
  Transcript(const Transcript&) = delete;
  Transcript& operator=(const Transcript&) = delete;

  /// What has become final since the last call. After Screen::finish() and finish() all of it.
  std::vector<TranscriptEntry> take();
  void finish();

  /// Something is missing here, as `text` says: an entry behind what has been shown. If it is `output`, the
  /// line that was being written ends, and is not drawn over; in a full-screen program, it stands before
  /// that.
  void gap(std::string text, std::int64_t at_us, bool output);

  void row_left(std::uint64_t number, const Row& row) override;
  void alternate_row_left(const Row& row) override;
  void alternate(bool entered) override;

 private:
  struct Waiting {
    std::uint64_t before;  ///< the row in front of which it stands
    TranscriptEntry entry;
    bool ends_line = true;  ///< one that wrapped is cut there
  };
  void end_line();
  void give_waiting(std::size_t keep);

  Screen& screen_;
  std::vector<TranscriptEntry> ready_;
  TranscriptEntry line_;
  bool open_ = false;  ///< line_ goes on with the next row
  std::vector<Waiting> waiting_;
  std::uint64_t entered_row_ = 0;
  Moment entered_;
  /// What left the alternate screen since a character was last drawn on it; no more rows than it has.
  std::vector<std::string> left_;
  std::uint64_t left_glyphs_ = 0;  ///< Screen::glyphs() of then
};

}  // namespace opelog::replay
