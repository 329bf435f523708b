// The names of the recordings in a directory, by the names of its files alone.
#pragma once

#include <string>
#include <vector>

#include "core/result.h"

namespace opelog::format {

/// Base names, sorted, of all recordings in `directory`: a `.time` or `.log` file makes one, plain,
/// compressed or rotated. Any directory size.
Result<std::vector<std::string>> list_names(const std::string& directory);

}  // namespace opelog::format
