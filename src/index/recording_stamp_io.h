// What the file system says about a recording's files, without opening them.
#pragma once

#include <string>

#include "format/recording_directory_io.h"
#include "index/index_store_io.h"

namespace opelog::index {

/// All zero of a file that is not there.
FilesStamp stamp_of(const std::string& directory, const std::string& name);

/// What `ls` knows of a recording, as the index keeps it; without lines and commands.
IndexedSession session_of(const format::RecordingSummary& summary);

/// Base names by the time they carry, names in another form first.
Result<std::vector<std::string>> names_by_time(const std::string& directory);

}  // namespace opelog::index
