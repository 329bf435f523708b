#include "index/line_block.h"

#include <algorithm>

#include "core/clock.h"

namespace opelog::index {
namespace {

// Text compresses to a quarter at either; this one at 300 MB/s.
constexpr int kCompression = 3;

void append_number(std::uint64_t value, std::string& out) {
  for (; value >= 128; value >>= 7U) out += static_cast<char>(value | 128U);
  out += static_cast<char>(value);
}

std::uint64_t zigzag(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1U) ^ static_cast<std::uint64_t>(value >> 63);
}
std::int64_t unzigzag(std::uint64_t value) {
  return static_cast<std::int64_t>((value >> 1U) ^ (0 - (value & 1U)));
}

bool take_number(std::string_view& from, std::uint64_t& value) {
  value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    if (from.empty()) return false;
    const auto byte = static_cast<unsigned char>(from.front());
    from.remove_prefix(1);
    value |= static_cast<std::uint64_t>(byte & 127U) << shift;
    if (byte < 128) return true;
  }
  return false;
}

}  // namespace

void LineBlock::add(const TextLine& line) {
  places_.push_back({line.at_us / kUsPerMs, line.offset, text_.size(), line.text.size(), line.gaps});
  text_ += line.text;
  std::replace(text_.end() - static_cast<std::ptrdiff_t>(line.text.size()), text_.end(), '\n', ' ');
  text_ += '\n';
}

TextLine LineBlock::line(std::size_t i) const {
  const Place& place = places_[i];
  return {place.at_ms * kUsPerMs, place.offset, std::string_view(text_).substr(place.begin, place.size),
          place.gaps};
}

void LineBlock::clear() {
  text_.clear();
  places_.clear();
}

// Number of lines, and of those beside a gap; then which of them are (four times their index, and the ends);
// then for each line the differences to what one expects after the line before; then the text.
std::string LineBlock::pack() const {
  std::string plain;
  append_number(places_.size(), plain);
  std::string beside;
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < places_.size(); ++i) {
    if (places_[i].gaps == kNoGap) continue;
    append_number(i * 4 + places_[i].gaps, beside);
    ++count;
  }
  append_number(count, plain);
  plain += beside;
  Place before;
  for (const Place& place : places_) {
    append_number(zigzag(place.at_ms - before.at_ms), plain);
    append_number(zigzag(static_cast<std::int64_t>(place.offset - before.offset - before.size)), plain);
    before = place;
  }
  plain += text_;
  return format::zstd_pack(plain, kCompression);
}

std::optional<LineBlock> LineBlock::unpack(std::string_view packed) {
  BlockReader reader;
  return reader.text(packed) ? reader.block() : std::nullopt;
}

std::optional<LineBlock> LineBlock::parse(std::string_view plain) {
  std::string_view left = plain;
  std::uint64_t lines = 0, beside = 0;
  if (!take_number(left, lines) || lines > plain.size()) return std::nullopt;
  if (!take_number(left, beside) || beside > lines) return std::nullopt;
  LineBlock block;
  block.places_.resize(lines);
  for (; beside > 0; --beside) {
    std::uint64_t one = 0;
    if (!take_number(left, one) || one / 4 >= lines) return std::nullopt;
    block.places_[one / 4].gaps = static_cast<unsigned>(one % 4);
  }
  for (Place& place : block.places_) {
    std::uint64_t at = 0, offset = 0;
    if (!take_number(left, at) || !take_number(left, offset)) return std::nullopt;
    place.at_ms = unzigzag(at);  // differences, until the sizes are known
    place.offset = static_cast<std::uint64_t>(unzigzag(offset));
  }
  block.text_ = left;
  Place before;
  std::size_t begin = 0;
  for (Place& place : block.places_) {
    const std::size_t end = block.text_.find('\n', begin);
    if (end == std::string::npos) return std::nullopt;
    place.begin = begin;
    place.size = end - begin;
    place.at_ms = static_cast<std::int64_t>(static_cast<std::uint64_t>(place.at_ms) +
                                            static_cast<std::uint64_t>(before.at_ms));
    if (place.at_ms > INT64_MAX / kUsPerMs || place.at_ms < INT64_MIN / kUsPerMs) return std::nullopt;
    place.offset += before.offset + before.size;
    before = place;
    begin = end + 1;
  }
  if (begin != block.text_.size()) return std::nullopt;
  return block;
}

std::optional<std::string_view> BlockReader::text(std::string_view packed) {
  size_ = 0;
  const auto size = frames_.unpack(packed, kMaxBlockBytes, plain_);
  if (!size) return std::nullopt;
  size_ = *size;
  std::string_view left = std::string_view(plain_).substr(0, size_);
  std::uint64_t lines = 0, beside = 0;
  if (!take_number(left, lines) || lines > size_) return std::nullopt;
  if (!take_number(left, beside) || beside > lines) return std::nullopt;
  std::size_t at = 0;  // behind one number for each line beside a gap, and two for each line
  for (std::uint64_t numbers = beside + 2 * lines; numbers > 0 && at < left.size(); ++at)
    if (static_cast<unsigned char>(left[at]) < 128) --numbers;
  return left.substr(at);
}

std::optional<LineBlock> BlockReader::block() const {
  return LineBlock::parse(std::string_view(plain_).substr(0, size_));
}

}  // namespace opelog::index
