// play(): shows a recording on descriptor 1, with keys and pauses on a terminal, straight through to anything
// else.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "format/recording_reader_io.h"
#include "replay/command_panel_io.h"
#include "replay/player.h"

namespace opelog::replay {

struct PlayReport {
  format::Outcome outcome = format::Outcome::kEvent;  ///< kEvent: left before the end
  int signal = 0;                                     ///< that ended us, 0 if none
  bool quit = false;                                  ///< by key
  bool hung_up = false;                               ///< the terminal or the reader of our output went away
  std::vector<format::GapInfo> gaps;                  ///< the first kGapsKept of gap_count
  std::uint64_t gap_count = 0;
  std::optional<format::EndInfo> end;  ///< if its record was reached
};

/// Whether descriptor 1 is a terminal.
bool output_is_terminal();

/// Plays to the end, to a key or to a signal. The terminal is given back on every way out. `commands` is
/// asked when a key about commands is pressed.
Result<PlayReport> play(format::RecordingReader& reader, const PlayOptions& options,
                        const CommandSource& commands);

}  // namespace opelog::replay
