// PlainText: the text of a terminal's output without any screen: what is left when sequences are dropped.
//
// For the rest of a recording that draws far more than it writes (session_text_io.h): time linear in the
// bytes, lines of at most replay::kMaxLine. Pure.
#pragma once

#include <functional>

#include "index/line_block.h"
#include "replay/terminal_parser.h"

namespace opelog::index {

class PlainText final : private replay::TerminalHandler {
 public:
  explicit PlainText(std::function<void(const TextLine&)> to) : to_(std::move(to)) {}
  void feed(std::string_view bytes, std::int64_t at_us, std::uint64_t offset);
  /// Output is missing here: the line ends, and a sequence that was cut off is none.
  void gap();
  void finish() { end_line(); }

 private:
  void text(std::string_view utf8) override;
  void control(char c) override;
  void csi(const replay::Csi& /*csi*/) override {}
  void escape(char /*intermediate*/, char /*final*/) override {}
  void osc(std::string_view /*bytes*/) override {}
  void end_line();

  std::function<void(const TextLine&)> to_;
  replay::TerminalParser parser_;
  std::string line_;
  std::int64_t at_us_ = 0;
  std::uint64_t fed_ = 0, base_ = 0;  ///< bytes fed before, and the offset of those that are fed now
  std::uint64_t begin_ = 0;           ///< offset of line_
};

}  // namespace opelog::index
