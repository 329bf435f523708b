#include "cli/progress_io.h"

#include <unistd.h>

#include <algorithm>
#include <string>

#include "core/clock_io.h"
#include "core/fd_io.h"

namespace opelog::cli {
namespace {

// Told when work takes longer than the first, and then not more often than the second.
constexpr MonoUs kQuietUs = kUsPerS, kProgressUs = 200 * kUsPerMs;

}  // namespace

Progress::Progress(bool on, std::uint64_t whole, const char* doing)
    : on_(on && whole > 0), whole_(whole), doing_(doing), next_(mono_now() + kQuietUs) {}

Progress::~Progress() {
  if (told_) (void)write_all(STDERR_FILENO, "\r\x1B[K").ok();
}

void Progress::at(std::uint64_t done) {
  if (!on_ || mono_now() < next_) return;
  next_ = mono_now() + kProgressUs;
  told_ = true;
  const auto percent = static_cast<unsigned>(100.0 * static_cast<double>(std::min(done, whole_)) /
                                             static_cast<double>(whole_));
  (void)write_all(STDERR_FILENO,
                  "\ropelog: " + std::string(doing_) + ", " + std::to_string(percent) + " %\x1B[K")
      .ok();
}

}  // namespace opelog::cli
