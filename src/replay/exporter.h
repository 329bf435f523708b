// Exporter: the events of a reader, in the order and the part that an export wants, to its writer.
//
// The commands are those of `opelog commands`, read beforehand; each is given where it began. Invariant: what
// the writer gets never goes back in time, and nothing stands behind the end. Memory: one event, and the text
// of the commands. Pure; whoever owns it reads and writes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "format/recording_reader_io.h"
#include "replay/command_list.h"
#include "replay/export_writer.h"

namespace opelog::replay {

/// Bytes of a marker's text; of longer commands the rest is "...".
constexpr std::size_t kMaxMarker = 400;

/// GapInfo::what where output is missing at its place.
constexpr std::string_view kOutputGap = "output";
/// "not recorded: output, 12 bytes: why".
std::string gap_text(const format::GapInfo& gap);
inline bool is_output_gap(const format::Event& event) {
  return event.gap && event.gap->what == kOutputGap;
}

struct ExportOptions {
  ExportFormat format = ExportFormat::kAsciicast2;
  std::int64_t from_us = 0;
  std::optional<std::int64_t> to_us;  ///< inclusive
  bool input = false;
};

class Exporter {
 public:
  /// `commands`, in order of time, are marked where the format has a place for them; helpers are not.
  Exporter(const ExportOptions& options, const format::SessionInfo& info,
           const std::vector<Command>& commands);

  /// False: the part is over, nothing more is wanted.
  bool take(const format::Event& event, ExportBytes& out);
  /// What is still held, and the format's end.
  void finish(ExportBytes& out);
  [[nodiscard]] bool saw_input() const noexcept { return saw_input_; }

 private:
  struct Marker {
    std::int64_t at_us = 0;
    std::string text;
  };

  void give_markers(std::int64_t before_us, ExportBytes& out);
  void give(ExportEvent event, ExportBytes& out);
  void begin(ExportBytes& out);

  ExportOptions options_;
  ExportHeader header_;
  std::unique_ptr<ExportWriter> writer_;
  std::vector<Marker> markers_;
  std::size_t next_marker_ = 0;
  std::int64_t given_us_ = 0;  ///< time of the last event given
  bool begun_ = false, saw_input_ = false;
};

}  // namespace opelog::replay
