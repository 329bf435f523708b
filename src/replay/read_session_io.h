// One recording, read from its beginning: its screen, lines and commands, for tools that tell a whole
// session.
//
// Only what is asked for is made. A live recording is read as far as it has come. Memory: proportional to the
// lines typed and the programs executed, and bounded: behind kMaxJoinedBytes of them the rest is counted and
// left out; the transcript is handed on as it becomes final.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "format/recording_reader_io.h"
#include "replay/command_list.h"
#include "replay/exec_events.h"
#include "replay/screen.h"
#include "replay/transcript.h"
#include "replay/typed_lines.h"

namespace opelog::replay {

struct SessionCommandList {
  std::vector<ExecEvent> events;
  std::vector<Command> commands;
  std::uint64_t missing = 0;     ///< events that gaps of the recording count; at least
  std::uint64_t unreadable = 0;  ///< notes of events that are none
  std::uint64_t gaps = 0;      ///< of output, of a session with a terminal: what was typed there is not known
  std::int64_t length_us = 0;  ///< until the last event
  std::uint64_t left_out = 0;  ///< lines and events behind the bound
  format::Outcome outcome = format::Outcome::kEnd;
  std::string problem;
};

/// Reads the commands of a recording from its beginning, a piece at a time, for callers that must not wait.
class CommandReading {
 public:
  /// `reader` stands at its beginning and must live as long; it leaves out holes from now on.
  explicit CommandReading(format::RecordingReader& reader, std::size_t max_bytes = kMaxJoinedBytes);
  /// Reads at most `events` further events, 64 KiB each; false: there are no more, take() has the list.
  bool step(std::size_t events);
  [[nodiscard]] std::uint64_t output_bytes() const noexcept { return output_bytes_; }
  SessionCommandList take();

 private:
  void keep_lines();
  void kept(std::size_t bytes);

  format::RecordingReader& reader_;
  Screen screen_;
  TypedLines typed_;
  ExecEvents executed_;
  std::vector<TypedLine> lines_;
  SessionCommandList list_;
  std::uint64_t output_bytes_ = 0;          ///< read
  std::uint64_t gap_at_ = UINT64_MAX;       ///< of the output, the last gap
  std::size_t max_bytes_, kept_bytes_ = 0;  ///< of lines and events
  bool terminal_;
};

SessionCommandList read_commands(format::RecordingReader& reader, std::size_t max_bytes = kMaxJoinedBytes);

struct TranscriptEnd {
  format::Outcome outcome = format::Outcome::kEnd;
  std::string problem;
};

/// `give` returns false to stop.
TranscriptEnd read_transcript(format::RecordingReader& reader,
                              const std::function<bool(const TranscriptEntry&)>& give);

}  // namespace opelog::replay
