#include "cli/local_time_io.h"

namespace opelog::cli {

Calendar local_calendar() {
  Calendar calendar;
  calendar.fields = [](WallUs when) {
    const auto t = static_cast<std::time_t>(when / kUsPerS);
    std::tm tm{};
    localtime_r(&t, &tm);
    return tm;
  };
  calendar.moment = [](std::tm tm) { return static_cast<WallUs>(std::mktime(&tm)) * kUsPerS; };
  return calendar;
}

}  // namespace opelog::cli
