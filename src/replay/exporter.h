// Exporter: the events of a reader, in the order and the part that an export wants, to its writer.
//
// Exec events stand in a recording up to 0.1 s behind the output they belong to; they are put where they
// happened by holding events for kExportHoldUs. Invariant: what the writer gets never goes back in time.
// Memory: kExportHoldBytes and one event. Pure; whoever owns it reads and writes.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "format/recording_reader_io.h"
#include "replay/export_commands.h"
#include "replay/export_writer.h"

namespace opelog::replay {

/// Twice what the recorder promises.
constexpr std::int64_t kExportHoldUs = 200'000;
/// Held at most, however much comes within that time: what is late then stands where it came.
constexpr std::size_t kExportHoldBytes = 1 << 20;
constexpr std::size_t kExportHoldEvents = 4096;

struct ExportOptions {
  ExportFormat format = ExportFormat::kAsciicast2;
  std::int64_t from_us = 0;
  std::optional<std::int64_t> to_us;  ///< inclusive
  bool input = false;
};

class Exporter {
 public:
  Exporter(const ExportOptions& options, const format::SessionInfo& info);

  /// False: the part is over, nothing more is wanted.
  bool take(const format::Event& event, ExportBytes& out);
  /// What is still held, and the format's end.
  void finish(ExportBytes& out);
  [[nodiscard]] bool saw_input() const noexcept { return saw_input_; }

 private:
  void hold(ExportEvent event, ExportBytes& out);
  void give(const ExportEvent& event, ExportBytes& out);
  void begin(ExportBytes& out);

  ExportOptions options_;
  ExportHeader header_;
  std::unique_ptr<ExportWriter> writer_;
  ExportCommands commands_;
  std::deque<ExportEvent> held_;
  std::size_t held_bytes_ = 0;
  std::int64_t given_us_ = 0;  ///< time of the last event given
  bool begun_ = false, saw_input_ = false;
};

}  // namespace opelog::replay
