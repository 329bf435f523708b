// Which recording a SESSION argument means.
#pragma once

#include <string>

#include "cli/context_io.h"
#include "format/recording_directory_io.h"
#include "format/recording_reader_io.h"

namespace opelog::cli {

struct Found {
  std::string directory;
  std::string name;  ///< base name
  std::string path;  ///< base path
};

/// A path (with a slash, or of a file that exists) or the unique beginning of a name or id.
Result<Found> find_session(const Context& context, const std::string& session);

}  // namespace opelog::cli
