// What recordings a directory holds, and a summary of each without reading it whole.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "format/recording_list_io.h"
#include "format/session_info.h"

namespace opelog::format {

enum class RecordingState {
  kLive,
  kEnded,
  kTorn,
  kForeign /**< plain script: no end is ever written */,
  kCorrupt
};

/// live, ended, torn, foreign, corrupt
const char* state_word(RecordingState state) noexcept;

struct RecordingSummary {
  std::string name;  ///< base name
  std::string path;  ///< base path
  SessionInfo info;
  std::optional<EndInfo> end;
  RecordingState state = RecordingState::kTorn;
  std::int64_t duration_us = 0;  ///< to the last record; live: so far
  std::uint64_t log_bytes = 0;
  std::uint32_t files_uid = 0;  ///< owner of .time and .log; 0 only if both are root's, as the recorder's are
  std::string files_user;       ///< the name to it
  std::string problem;          ///< why kTorn or kCorrupt
  std::string
      stored;  ///< "" if its files lie there as written; else how: "zstd", "rotated, gzip", "plain and zstd"
};

/// Reads the head and the tail of `.time`, some KiB whatever the recording's size; a compressed `.time`
/// whole.
Result<RecordingSummary> summarise(const std::string& directory, const std::string& name,
                                   const RecordingList* list = nullptr);

/// The base path (`directory`/NAME, fit for RecordingReader::open) of the one recording whose name or session
/// id begins with `prefix`; an exact name wins. A `prefix` with a slash is a path and is returned as it is.
/// Code::kNotFound, or Code::kInvalid with the candidates when several do.
Result<std::string> find_recording(const std::string& directory, const std::string& prefix);

}  // namespace opelog::format
