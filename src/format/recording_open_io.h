// Finds and opens the files of one recording, ours or plain script's, and learns its header.
//
// Nothing that a file's content names is followed out of its directory; nothing is followed at all (symbolic
// links, FIFOs). Internal to format/: reader and directory stand on it.
#pragma once

#include <cstdint>
#include <string>

#include "core/fd_io.h"
#include "core/result.h"
#include "format/recording_files_io.h"
#include "format/session_header.h"

namespace opelog::format {

/// A first line longer than this is none (plain script writes whole command lines there).
constexpr std::uint64_t kMaxFirstLineBytes = 1 << 20;
/// Header records are looked for in this many bytes of `.time`; ours need at most about 1 MB.
constexpr std::uint64_t kMaxHeaderBytes = 2 << 20;

struct RecordingFiles {
  std::string directory, name;  ///< "" or with a slash at its end; base name
  Fd time, log, in;             ///< each may be absent, not all three
  FileFacts time_facts, log_facts;
};

/// `path` is any file of the recording or its base path. Code::kNotFound if there is none; Code::kUnsupported
/// if it is only there compressed.
Result<RecordingFiles> open_recording(const std::string& path);

/// Opens what OUTPUT_LOG and INPUT_LOG name, in the same directory, where the usual names do not exist.
Status open_named_logs(RecordingFiles& files, const HeaderDecoder& header);

/// Reads header records from the beginning of `.time`. Returns why that is no timing file, "" otherwise.
Result<std::string> read_header(const RecordingFiles& files, std::size_t first_read, HeaderDecoder& header);

/// Where the data of a log file begins: behind its first line; its size if it has no LF. If `only_ours`, only
/// a line that begins "Script started on " counts.
Result<std::uint64_t> data_begin(int fd, bool only_ours);

/// The account's name, or the number where there is none.
std::string user_name(std::uint32_t uid);

/// Fills what the header does not say from the name, the first line, the owner and the file times.
void fill_from_outside(const RecordingFiles& files, SessionInfo& info);

/// Sum of all delays, if `.time` is at most `limit` bytes and whole; -1 otherwise.
std::int64_t sum_delays(const RecordingFiles& files, std::uint64_t limit);

}  // namespace opelog::format
