// What retention needs of the file system: the recordings of a directory with their sizes and ages, and
// compressing one. Of the reading tools' library (it knows zstd); the daemon never compresses.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/result.h"
#include "format/retention.h"

namespace opelog::format {

/// All recordings of `directory`: every file of each counts, plain, compressed or rotated. Reads no more than
/// their headers. `progress` is told how many are done.
Result<std::vector<RetainedRecording>> gather_recordings(
    const std::string& directory, const std::function<void(std::size_t done, std::size_t all)>& progress);

/// Bytes that root's programs may still use in the directory's file system, less what it keeps for root.
Result<std::uint64_t> free_bytes_of(const std::string& directory);

/// Puts NAME.log.zst, NAME.time.zst and NAME.in.zst beside the plain files of a closed recording, with their
/// group, mode and time: each appears whole, synced, and after it was unpacked again and compared. The plain
/// ones stay. A compressed file that is there already is compared and kept. Returns the bytes of the
/// compressed files.
Result<std::uint64_t> compress_recording(const std::string& directory, const std::string& name);

}  // namespace opelog::format
