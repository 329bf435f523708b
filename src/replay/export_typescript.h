// TypescriptWriter: what script(1) writes with classic timing: the output behind one line, and a second file
// of "delay bytes" lines for scriptreplay(1).
//
// The output is the recorded bytes. The delays are exact: their sum is the time of the last output. Never a
// line for no bytes. Sizes, input and commands have no place in it. Pure.
#pragma once

#include "replay/export_writer.h"

namespace opelog::replay {

class TypescriptWriter final : public ExportWriter {
 public:
  void begin(const ExportHeader& header, ExportBytes& out) override;
  void event(const ExportEvent& event, ExportBytes& out) override;
  void finish(ExportBytes& out) override { (void)out; }

 private:
  std::int64_t last_us_ = 0;
};

}  // namespace opelog::replay
