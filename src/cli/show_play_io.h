// What `play` and `tail` share: playing, and saying afterwards what the auditor must know.
#pragma once

#include "cli/context_io.h"
#include "replay/player_io.h"

namespace opelog::cli {

/// The commands of the recording at `path`, told as `opelog commands` does, for the keys that ask for them.
replay::CommandSource command_source(const std::string& path);

/// Plays, then states gaps and a missing or damaged end on descriptor 2. 128 + signal if a signal ended it.
ExitCode show_play(format::RecordingReader& reader, const replay::PlayOptions& options,
                   const replay::CommandSource& commands);

/// States on descriptor 2 that the terminal is smaller than the recorded one.
void remark_size(const format::RecordingReader& reader, const replay::PlayOptions& options);

}  // namespace opelog::cli
