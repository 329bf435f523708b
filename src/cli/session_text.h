// How a recording is told to people and to programs: `ls`, `show`. Pure.
#pragma once

#include <string>

#include "format/recording_directory_io.h"
#include "format/recording_gaps_io.h"

namespace opelog::cli {

/// SGR parameters for a recording's state, "" for the ordinary ones.
const char* state_colour(format::RecordingState state) noexcept;

/// "0", "137", "SIGKILL"; the reason where neither is known; "-" while there is no end.
std::string exit_text(const std::optional<format::EndInfo>& end);

/// The same for a session that ended by itself, else why it ended: "killed", "hangup", …
std::string ending_text(const std::optional<format::EndInfo>& end);

/// SIZE of `ls`: what `.log` holds; of a session without a terminal the bytes that passed both ways, "-"
/// while they are not known.
std::string size_text(const format::RecordingSummary& summary);

/// What a session without a terminal was, where playing it shows nothing: one sentence; "" where there is
/// something to show. `end` as far as it is known.
std::string streams_text(const format::SessionInfo& info, const std::optional<format::EndInfo>& end);

/// "stdout (terminal), stderr (file)": what was left to the shell and is in no record; "" for nothing.
std::string kept_text(const format::SessionInfo& info);

/// "3 (output, 623051 bytes; exec, 12 events), the first at 0:03": what the recording says it lacks; "" for
/// nothing.
std::string gaps_text(const format::GapSums& gaps);

/// One JSON object on one line, without LF; pure ASCII. `gaps`, if they were read, are in it.
std::string summary_json(const format::RecordingSummary& summary, const format::GapSums* gaps = nullptr);

}  // namespace opelog::cli
