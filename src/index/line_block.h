// LineBlock: some KiB of a session's rendered lines with their times and places, packed for the index.
//
// The index knows which trigrams stand in a block, not in which line: entries for blocks are a fifth of the
// size of entries for lines (docs/search.md), and a block is searched faster than it is read. Unpacking takes
// any bytes: a damaged block is nullopt, its memory bounded by kMaxBlockBytes. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "format/zstd_bytes.h"

namespace opelog::index {

/// Bytes of text after which a block is full.
constexpr std::size_t kBlockBytes = 16 * 1024;
/// Lines after which it is: short ones have times too.
constexpr std::size_t kBlockLines = 4096;
/// No block is larger: one line (replay::kMaxLine) may come on top, with room for what a line adds.
constexpr std::size_t kMaxBlockBytes = 1 << 20;

/// Beside which ends of a line output is missing from the record; bits.
enum Gaps : unsigned { kNoGap = 0, kGapBefore = 1, kGapBehind = 2 };

/// A line of the screen.
struct TextLine {
  std::int64_t at_us = 0;    ///< since the session's start, when it was written last
  std::uint64_t offset = 0;  ///< of the output, its first byte
  std::string_view text;
  unsigned gaps = kNoGap;
};

class LineBlock {
 public:
  /// Line feeds in `text` become blanks; times are kept in milliseconds.
  void add(const TextLine& line);
  [[nodiscard]] bool full() const noexcept {
    return text_.size() >= kBlockBytes || places_.size() >= kBlockLines;
  }
  [[nodiscard]] bool empty() const noexcept { return places_.empty(); }
  [[nodiscard]] std::size_t lines() const noexcept { return places_.size(); }
  /// All lines, each with a line feed behind it.
  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  [[nodiscard]] TextLine line(std::size_t i) const;
  void clear();

  [[nodiscard]] std::string pack() const;
  static std::optional<LineBlock> unpack(std::string_view packed);

 private:
  friend class BlockReader;
  static std::optional<LineBlock> parse(std::string_view plain);
  struct Place {
    std::int64_t at_ms = 0;
    std::uint64_t offset = 0;
    std::size_t begin = 0, size = 0;  ///< in text_
    unsigned gaps = kNoGap;
  };
  std::string text_;
  std::vector<Place> places_;
};

/// Unpacks many blocks, in memory that it keeps; most are only looked at as a whole.
class BlockReader {
 public:
  /// What LineBlock::text() would be, until the next call; nullopt: damaged.
  std::optional<std::string_view> text(std::string_view packed);
  /// The block that text() was asked for last, with its lines; nullopt: damaged.
  [[nodiscard]] std::optional<LineBlock> block() const;

 private:
  format::ZstdFrames frames_;
  std::string plain_;
  std::size_t size_ = 0;  ///< of it, in use
};

}  // namespace opelog::index
