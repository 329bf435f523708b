// The names of the recordings in a directory, by the names of its files alone.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/result.h"

namespace opelog::format {

struct RecordingList {
  /// Base names, sorted: a `.time` or `.log` file makes one, plain, compressed or rotated.
  std::vector<std::string> names;
  /// What rotation left: the file that was written ("x.log") and the name it has now, sorted.
  std::vector<std::pair<std::string, std::string>> rotated;
};

/// Of any directory size. Whoever looks at many recordings gives it to the functions that open them: a
/// rotated file is then found without reading the directory once for each.
Result<RecordingList> list_recordings(const std::string& directory);

/// Its `names` alone.
Result<std::vector<std::string>> list_names(const std::string& directory);

}  // namespace opelog::format
