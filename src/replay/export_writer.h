// ExportWriter: turns the events of a session into the bytes of one export format.
//
// Bytes come out while events go in: memory is bounded by one event and, for what is rendered, one screen.
// Times are microseconds since the session's start and never go back; an export of a part begins at
// ExportHeader::from_us, which becomes its time 0. Whatever an operator put into output, titles or arguments
// stays data of the format. Pure. Owned by the Exporter.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "format/session_info.h"

namespace opelog::replay {

enum class ExportFormat { kAsciicast2, kAsciicast3, kTypescript, kTlog, kText, kHtml };

/// What is known when the first byte is written.
struct ExportHeader {
  format::SessionInfo info;  ///< rows and cols: where the export begins; outside bytes
  std::int64_t from_us = 0;  ///< begin of the part
  bool whole = true;         ///< not a part
};

struct ExportEvent {
  enum class Kind { kOutput, kInput, kResize, kCommand, kGap, kEnd };
  Kind kind = Kind::kOutput;
  std::int64_t at_us = 0;
  std::string bytes;  ///< kOutput, kInput: as recorded; kCommand, kGap, kEnd: text for people, outside bytes
  int rows = 0, cols = 0;          ///< kResize
  bool of_output = false;          ///< kGap: output is missing
  std::optional<int> exit_status;  ///< kEnd: as a shell would tell it, 128 + signal
};

struct ExportBytes {
  std::string main;
  std::string timing;  ///< the second file of a typescript
};

class ExportWriter {
 public:
  virtual ~ExportWriter() = default;
  virtual void begin(const ExportHeader& header, ExportBytes& out) = 0;
  virtual void event(const ExportEvent& event, ExportBytes& out) = 0;
  /// The session, or the part, is over.
  virtual void finish(ExportBytes& out) = 0;
  /// Output and sizes before ExportHeader::from_us are wanted too, to draw the screen: they have times before
  /// it.
  [[nodiscard]] virtual bool draws() const { return false; }
};

/// Whether the format has a place for commands.
[[nodiscard]] bool marks_commands(ExportFormat format) noexcept;

std::unique_ptr<ExportWriter> make_export_writer(ExportFormat format);

/// "alice@web1 from 192.0.2.7, 2026-11-22 14:05:09 UTC", on one printable line.
std::string export_title(const ExportHeader& header);

}  // namespace opelog::replay
