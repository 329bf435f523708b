// AsciicastWriter: asciicast version 2 or 3, the files of asciinema: a JSON header, then one event a line.
//
// Lossy: bytes that are no UTF-8 become U+FFFD, one for each sequence. A character that two records share
// comes with the second. Every line is whole when it comes out, and valid JSON whatever the bytes were.
// Version 2 has times since the start, version 3 times since the line before, both exact to the microsecond,
// so the sum never drifts. Commands and gaps become markers. Pure.
#pragma once

#include "replay/export_text.h"
#include "replay/export_writer.h"

namespace opelog::replay {

/// What a header says of a session whose size is not known.
constexpr int kUnknownRows = 24, kUnknownCols = 80;

class AsciicastWriter final : public ExportWriter {
 public:
  explicit AsciicastWriter(int version) : version_(version) {}

  void begin(const ExportHeader& header, ExportBytes& out) override;
  void event(const ExportEvent& event, ExportBytes& out) override;
  void finish(ExportBytes& out) override;

 private:
  void text(Utf8Cutter& cutter, char code, const ExportEvent& event, ExportBytes& out);
  void line(char code, std::int64_t at_us, std::string_view json, ExportBytes& out);

  int version_;
  std::int64_t from_us_ = 0;
  std::int64_t last_us_ = 0;  ///< of the line before, since from_us_
  Utf8Cutter output_, input_;
};

}  // namespace opelog::replay
