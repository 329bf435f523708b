// Finds and opens the files of one recording, ours or plain script's, plain, compressed or rotated, and
// learns its header.
//
// Nothing that a file's content names is followed out of its directory; nothing is followed at all (symbolic
// links, FIFOs). Internal to format/: reader and directory stand on it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/result.h"
#include "format/recording_files_io.h"
#include "format/session_header.h"
#include "format/stored_file_io.h"

namespace opelog::format {

using StoredPointer = std::unique_ptr<StoredFile>;

struct RecordingFiles {
  std::string directory, name;      ///< "" or with a slash at its end; base name
  StoredPointer time, log, in;      ///< each may be absent, not all three
  FileFacts time_facts, log_facts;  ///< of what is stored: sizes on disk
};

/// `path` is any file of the recording, also a compressed or rotated one, or its base path. Code::kNotFound
/// if there is none.
Result<RecordingFiles> open_recording(const std::string& path, const RecordingList* list = nullptr);

/// Opens what OUTPUT_LOG and INPUT_LOG name, in the same directory, where the usual names do not exist.
Status open_named_logs(RecordingFiles& files, const HeaderDecoder& header,
                       const RecordingList* list = nullptr);

/// Reads header records from the beginning of `.time`. Returns why that is no timing file, "" otherwise.
Result<std::string> read_header(const RecordingFiles& files, std::size_t first_read, HeaderDecoder& header);

/// The account's name, or the number where there is none.
std::string user_name(std::uint32_t uid);

/// Fills what the header does not say from the name, the first line, the owner and the file times.
void fill_from_outside(const RecordingFiles& files, SessionInfo& info);

/// Sum of all delays, if `.time` is at most `limit` bytes and whole; -1 otherwise.
std::int64_t sum_delays(const RecordingFiles& files, std::uint64_t limit);

}  // namespace opelog::format
