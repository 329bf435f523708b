#include "core/clock_io.h"

#include <ctime>

namespace opelog {
namespace {
std::int64_t read_clock(clockid_t id) noexcept {
  timespec ts{};
  ::clock_gettime(id, &ts);
  return static_cast<std::int64_t>(ts.tv_sec) * kUsPerS + ts.tv_nsec / 1000;
}
}  // namespace

MonoUs mono_now() noexcept {
  return read_clock(CLOCK_MONOTONIC);
}
MonoUs boot_now() noexcept {
  return read_clock(CLOCK_BOOTTIME);
}
WallUs wall_now() noexcept {
  return read_clock(CLOCK_REALTIME);
}

std::string format_local(WallUs when, const char* pattern) {
  const std::time_t t = static_cast<std::time_t>(when / kUsPerS);
  std::tm tm{};
  if (localtime_r(&t, &tm) == nullptr) return "invalid-time";
  char buffer[128];
  return std::string(buffer, std::strftime(buffer, sizeof buffer, pattern, &tm));
}

}  // namespace opelog
