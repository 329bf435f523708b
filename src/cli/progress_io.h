// Progress: one line on a terminal's descriptor 2 that is written anew, and gone at the end. Nothing where
// the work is soon done.
#pragma once

#include <cstdint>

#include "core/clock.h"

namespace opelog::cli {

class Progress {
 public:
  /// Says nothing unless `on`, or where there is nothing to count up to.
  Progress(bool on, std::uint64_t whole, const char* doing);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void at(std::uint64_t done);

 private:
  bool on_;
  std::uint64_t whole_;
  const char* doing_;
  MonoUs next_;
  bool told_ = false;
};

}  // namespace opelog::cli
