// Any bytes in any pieces, with resizes between: screen, transcript and typed lines stay inside their bounds,
// what comes out is plain text, and the transcript does not depend on the pieces, nor on who drew it.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "replay/command_words.h"
#include "replay/screen.h"
#include "replay/transcript.h"
#include "replay/typed_lines.h"

namespace {

using opelog::replay::DrawnBy;
using opelog::replay::Screen;
using opelog::replay::Transcript;
using opelog::replay::TranscriptEntry;
using opelog::replay::TypedLine;
using opelog::replay::TypedLines;

void fail(const char* what) {
  std::fprintf(stderr, "screen: %s\n", what);
  std::abort();
}

void check_text(const std::string& text, bool line_feeds) {
  for (std::size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x20 && !(line_feeds && c == '\n')) fail("a control comes out");
    if (c == 0x7F) fail("DEL comes out");
    if (c == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0)
      fail("a C1 control comes out");
    const std::size_t n = c < 0x80 ? 1 : c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : c >= 0xC2 ? 2 : 0;
    if (n == 0 || i + n > text.size()) fail("invalid UTF-8 comes out");
    i += n;
  }
}

// A byte 0xFE in the input resizes to what the next two say.
struct Piece {
  std::string_view bytes;
  int rows = 0, cols = 0;
};

std::vector<std::string> run(const std::vector<Piece>& pieces, int rows, int cols, std::size_t step,
                             DrawnBy by = DrawnBy::kScreen) {
  Screen screen(rows, cols, by);
  Transcript transcript(screen);
  TypedLines typed(screen);
  std::uint64_t offset = 0;
  for (const Piece& piece : pieces) {
    for (std::size_t at = 0; at < piece.bytes.size(); at += step) {
      const std::string_view part = piece.bytes.substr(at, step);
      screen.feed(part, static_cast<std::int64_t>(offset), offset);
      offset += part.size();
      const auto cursor = screen.cursor();
      if (cursor.row < 0 || cursor.row >= screen.rows() || cursor.col < 0 || cursor.col >= screen.cols())
        fail("the cursor left the screen");
    }
    if (piece.rows != 0 || piece.cols != 0) screen.resize(piece.rows, piece.cols);
  }
  typed.finish();
  screen.finish();
  transcript.finish();
  for (const TypedLine& line : typed.take()) {
    check_text(line.text, true);
    check_text(line.prompt, false);
    if (line.text.empty()) fail("an empty line is a command");
    (void)opelog::replay::command_words(line.text);
  }
  std::vector<std::string> texts;
  for (const TranscriptEntry& entry : transcript.take()) {
    check_text(entry.text, false);
    if (entry.end_us < entry.begin_us) fail("a line ends before it begins");
    for (const std::string& row : entry.screen) check_text(row, false);
    texts.push_back(entry.text);
  }
  return texts;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  const int rows = data[0] % 40, cols = data[1] % 100;
  const std::size_t step = 1 + data[2] % 50;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 3, size - 3);
  std::vector<Piece> pieces;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t end = std::min(bytes.find('\xFE', at), bytes.size());
    Piece piece{bytes.substr(at, end - at)};
    if (end + 2 < bytes.size()) {
      piece.rows = static_cast<unsigned char>(bytes[end + 1]) % 64;
      piece.cols = static_cast<unsigned char>(bytes[end + 2]);
    }
    pieces.push_back(piece);
    at = end + 3;
  }
  const std::vector<std::string> texts = run(pieces, rows, cols, bytes.size() + 1);
  if (texts != run(pieces, rows, cols, step)) fail("the transcript depends on the cut");
  if (texts != run(pieces, rows, cols, bytes.size() + 1, DrawnBy::kLibvterm))
    fail("libvterm draws something else");
  return 0;
}
