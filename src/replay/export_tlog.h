// TlogWriter: the JSON messages of tlog (format 2.3), one a line, for `tlog-play -i FILE`.
//
// Nothing is lost: what is no UTF-8 stands as a U+FFFD in out_txt and as bytes in out_bin, so tlog-play shows
// exactly the recorded bytes. Times are rounded down to milliseconds, from the start and not from each other,
// so they do not drift. A message is closed at kTlogPayload: tlog-play holds 4 KiB of one at a time. Pure.
#pragma once

#include "replay/export_text.h"
#include "replay/export_writer.h"

namespace opelog::replay {

/// Encoded bytes of one message's texts and timing, tlog's own default.
constexpr std::size_t kTlogPayload = 2048;
/// Largest position in a recording that tlog reads.
constexpr std::int64_t kTlogMaxMs = INT64_C(2147483647999);

class TlogWriter final : public ExportWriter {
 public:
  void begin(const ExportHeader& header, ExportBytes& out) override;
  void event(const ExportEvent& event, ExportBytes& out) override;
  void finish(ExportBytes& out) override;

 private:
  struct Stream {
    char text_mark, binary_mark;
    Utf8Cutter cutter{};
    std::string text{}, binary{};
  };
  void write(Stream& stream, std::string_view bytes, bool valid, ExportBytes& out);
  void window(int rows, int cols);
  void advance(std::int64_t at_us);
  void end_run();
  void end_message(ExportBytes& out);
  [[nodiscard]] std::size_t payload() const;

  std::string same_;  ///< members that every message repeats
  std::int64_t from_us_ = 0, started_us_ = 0;
  std::uint64_t id_ = 1;
  std::int64_t begin_ms_ = 0;  ///< the message's position
  std::int64_t now_ms_ = 0;
  std::string timing_;
  Stream output_{'>', ']'}, input_{'<', '['};
  char mark_ = 0;  ///< of the run that is open; 0: none
  std::size_t characters_ = 0, bytes_ = 0;
};

}  // namespace opelog::replay
