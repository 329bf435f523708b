// HtmlWriter: a session as one HTML file that needs nothing else: facts, transcript with times, commands.
//
// Invariant: no byte of the recording becomes markup. Every text passes append_html(); there is no script, no
// link but to the page itself, and the page's own policy (Content-Security-Policy) forbids to run or load
// anything, whatever a browser makes of the rest. Text is shown from left to right, as a terminal does. Pure.
#pragma once

#include <string>
#include <vector>

#include "replay/export_transcript.h"

namespace opelog::replay {

/// Bytes of commands listed at the end; further ones stand at their places only, and their number is stated.
constexpr std::size_t kMaxListedBytes = 1 << 20;

class HtmlWriter final : public ExportReadable {
 private:
  void head(const ExportHeader& header, ExportBytes& out) override;
  void entry(const TranscriptEntry& entry, ExportBytes& out) override;
  void between(const ExportEvent& event, ExportBytes& out) override;
  void foot(const ExportEvent* end, ExportBytes& out) override;
  [[nodiscard]] std::string time(std::int64_t at_us) const;

  struct Listed {
    std::int64_t at_us;
    std::string text;
  };
  std::vector<Listed> listed_;
  std::size_t listed_bytes_ = 0, commands_ = 0;
};

}  // namespace opelog::replay
