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

/// Whether only files of another owner say whose session it was: whoever may write to the directory can put
/// another's name on a file of his own.
bool user_claimed(const format::RecordingSummary& summary) noexcept;

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

/// LENGTH of `ls`: microseconds; of a session that goes on until `now`, not to its last record.
std::int64_t length_of(const format::RecordingSummary& summary, WallUs now);

/// The columns of `ls --csv`, and one recording; lines with CR LF. `started` as it is to stand there, ""
/// where it is not known.
std::string summary_csv_titles();
std::string summary_csv_line(const format::RecordingSummary& summary, const std::string& started, WallUs now);

/// One JSON object on one line, without LF; pure ASCII. `gaps`, if they were read, are in it.
std::string summary_json(const format::RecordingSummary& summary, const format::GapSums* gaps = nullptr);

}  // namespace opelog::cli
