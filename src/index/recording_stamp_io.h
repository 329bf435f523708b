// What the file system says about a recording's files, without reading them.
#pragma once

#include <string>

#include "format/recording_directory_io.h"
#include "index/index_store_io.h"

namespace opelog::index {

/// Of the files that would be read, compressed or rotated as they may be; all zero of one that is not there.
FilesStamp stamp_of(const std::string& directory, const std::string& name, const format::RecordingList* list);

/// What `ls` knows of a recording, as the index keeps it; without lines and commands.
IndexedSession session_of(const format::RecordingSummary& summary);

/// The recordings, base names by the time they carry, names in another form first.
Result<format::RecordingList> list_by_time(const std::string& directory);

}  // namespace opelog::index
