// Unpacker: compressed bytes in, plain bytes out, a piece at a time. Pure: what reads files stands on it.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

namespace opelog::format {

class Unpacker {
 public:
  virtual ~Unpacker() = default;
  struct Step {
    std::size_t used = 0, made = 0;
    const char* problem = nullptr;  ///< damage: nothing comes after it
  };
  /// Unpacks from `packed` into `room` bytes at `out`. If neither is used up, call again. With no progress
  /// and no problem, more input is needed.
  virtual Step step(std::string_view packed, char* out, std::size_t room) = 0;
  /// The input may end here: nothing is unfinished, and there was something.
  [[nodiscard]] virtual bool whole() const noexcept = 0;
};

}  // namespace opelog::format
