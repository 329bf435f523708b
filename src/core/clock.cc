#include "core/clock.h"

#include <cstdio>
#include <ctime>

namespace opelog {

std::string format_utc(WallUs when, int digits) {
  std::int64_t seconds = when / kUsPerS;
  std::int64_t fraction = when % kUsPerS;
  if (fraction < 0) {
    fraction += kUsPerS;
    --seconds;
  }
  const std::time_t t = static_cast<std::time_t>(seconds);
  std::tm tm{};
  if (gmtime_r(&t, &tm) == nullptr) return "invalid-time";
  char buffer[64];
  std::size_t n = std::strftime(buffer, sizeof buffer, "%Y-%m-%dT%H:%M:%S", &tm);
  std::string text(buffer, n);
  if (digits > 0) {
    char digits_text[16];
    std::snprintf(digits_text, sizeof digits_text, ".%06d", static_cast<int>(fraction));
    text.append(digits_text, 1 + static_cast<std::size_t>(digits > 6 ? 6 : digits));
  }
  return text + "+00:00";
}

}  // namespace opelog
