// One recording, read from its beginning: its screen, lines and commands, for tools that tell a whole
// session.
//
// Only what is asked for is made. A live recording is read as far as it has come. Memory: proportional to the
// lines typed and the programs executed; the transcript is handed on as it becomes final.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "format/recording_reader_io.h"
#include "replay/command_list.h"
#include "replay/transcript.h"

namespace opelog::replay {

struct SessionCommandList {
  std::vector<ExecEvent> events;
  std::vector<Command> commands;
  std::uint64_t missing = 0;     ///< events that gaps of the recording count; at least
  std::uint64_t unreadable = 0;  ///< notes of events that are none
  format::Outcome outcome = format::Outcome::kEnd;
  std::string problem;
};

SessionCommandList read_commands(format::RecordingReader& reader);

struct TranscriptEnd {
  format::Outcome outcome = format::Outcome::kEnd;
  std::string problem;
};

/// `give` returns false to stop.
TranscriptEnd read_transcript(format::RecordingReader& reader,
                              const std::function<bool(const TranscriptEntry&)>& give);

}  // namespace opelog::replay
