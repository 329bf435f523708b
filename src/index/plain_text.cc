#include "index/plain_text.h"

#include "replay/points.h"
#include "replay/transcript.h"

namespace opelog::index {

void PlainText::feed(std::string_view bytes, std::int64_t at_us, std::uint64_t offset) {
  at_us_ = at_us;
  fed_ = parser_.position();
  base_ = offset;
  parser_.feed(bytes, *this);
}

void PlainText::gap() {
  base_ += parser_.position() - fed_;
  fed_ = parser_.position();
  parser_.feed("\x18", *this);  // CAN
  fed_ = parser_.position();
  end_line();
}

void PlainText::text(std::string_view utf8) {
  if (line_.empty()) begin_ = base_ + (parser_.position() - fed_);
  // Bidi controls become visible, as on the screen. Only three bytes and more can be one, or U+061C.
  for (std::size_t i = 0; i < utf8.size();) {
    const auto lead = static_cast<unsigned char>(utf8[i]);
    const std::size_t size = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    std::uint32_t point = size == 1 ? lead : lead & (0xFFU >> (size + 1));
    for (std::size_t k = 1; k < size && i + k < utf8.size(); ++k)
      point = point << 6U | (static_cast<unsigned char>(utf8[i + k]) & 0x3FU);
    replay::append_visible(point, line_);
    i += size;
  }
  if (line_.size() >= replay::kMaxLine) end_line();
}

void PlainText::control(char c) {
  if (c == '\n') end_line();
  if (c == '\t' && !line_.empty()) line_ += ' ';
}

void PlainText::end_line() {
  if (!line_.empty()) to_({at_us_, begin_, line_});
  line_.clear();
}

}  // namespace opelog::index
