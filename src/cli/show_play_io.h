// What `play` and `tail` share: playing, and saying afterwards what the auditor must know.
#pragma once

#include "cli/context_io.h"
#include "replay/player_io.h"

namespace opelog::cli {

/// Plays, then states gaps and a missing or damaged end on descriptor 2. 128 + signal if a signal ended it.
ExitCode show_play(format::RecordingReader& reader, const replay::PlayOptions& options);

/// States on descriptor 2 that the terminal is smaller than the recorded one.
void remark_size(const format::RecordingReader& reader, const replay::PlayOptions& options);

}  // namespace opelog::cli
