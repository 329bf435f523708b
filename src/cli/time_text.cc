#include "cli/time_text.h"

#include <array>
#include <cctype>
#include <cstdio>

namespace opelog::cli {
namespace {

constexpr std::int64_t kDay = 86400;
/// 100 years: more is a typing error, and nothing below overflows.
constexpr std::int64_t kLongestS = 100 * 366 * kDay;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::string_view trim(std::string_view s) {
  while (!s.empty() && s.front() == ' ') s.remove_prefix(1);
  while (!s.empty() && s.back() == ' ') s.remove_suffix(1);
  return s;
}

// Takes up to `most` digits off the front (at least `least`).
std::optional<std::int64_t> take_number(std::string_view& s, std::size_t least, std::size_t most) {
  std::int64_t value = 0;
  std::size_t n = 0;
  while (n < s.size() && n < most && is_digit(s[n])) value = value * 10 + (s[n++] - '0');
  if (n < least) return std::nullopt;
  s.remove_prefix(n);
  return value;
}

bool take(std::string_view& s, char c) {
  if (s.empty() || s.front() != c) return false;
  s.remove_prefix(1);
  return true;
}

std::optional<std::int64_t> unit_seconds(std::string_view unit) {
  struct Unit {
    std::string_view name;
    std::int64_t seconds;
  };
  static constexpr std::array<Unit, 20> kUnits{
      {{"s", 1},        {"sec", 1},         {"second", 1},       {"seconds", 1}, {"m", 60},
       {"min", 60},     {"minute", 60},     {"minutes", 60},     {"h", 3600},    {"hour", 3600},
       {"hours", 3600}, {"hrs", 3600},      {"d", kDay},         {"day", kDay},  {"days", kDay},
       {"w", 7 * kDay}, {"week", 7 * kDay}, {"weeks", 7 * kDay}, {"mins", 60},   {"secs", 1}}};
  for (const auto& u : kUnits) {
    if (u.name == unit) return u.seconds;
  }
  return std::nullopt;
}

// "2h", "2 h ago", "3 days ago"
std::optional<WallUs> parse_ago(std::string_view s, WallUs now) {
  const auto count = take_number(s, 1, 9);
  if (!count) return std::nullopt;
  s = trim(s);
  if (s.size() > 4 && s.substr(s.size() - 4) == " ago") s = trim(s.substr(0, s.size() - 4));
  const auto seconds = unit_seconds(s);
  if (!seconds || *count > kLongestS / *seconds) return std::nullopt;
  return now - *count * *seconds * kUsPerS;
}

// "14:05[:09]" into the fields
bool take_clock(std::string_view& s, std::tm& tm) {
  const auto hour = take_number(s, 1, 2);
  if (!hour || !take(s, ':')) return false;
  const auto minute = take_number(s, 2, 2);
  if (!minute) return false;
  std::int64_t second = 0;
  if (take(s, ':')) {
    const auto given = take_number(s, 2, 2);
    if (!given) return false;
    second = *given;
  }
  if (*hour > 23 || *minute > 59 || second > 60) return false;
  tm.tm_hour = static_cast<int>(*hour);
  tm.tm_min = static_cast<int>(*minute);
  tm.tm_sec = static_cast<int>(second);
  return true;
}

// "Z", "+01:00", "-0530": seconds east of UTC
std::optional<std::int64_t> parse_zone(std::string_view s) {
  if (s == "Z" || s == "z") return 0;
  const bool west = !s.empty() && s.front() == '-';
  if (!west && (s.empty() || s.front() != '+')) return std::nullopt;
  s.remove_prefix(1);
  const auto hours = take_number(s, 2, 2);
  if (!hours) return std::nullopt;
  take(s, ':');
  const auto minutes = take_number(s, 2, 2);
  if (!minutes || !s.empty() || *hours > 18 || *minutes > 59) return std::nullopt;
  const std::int64_t seconds = *hours * 3600 + *minutes * 60;
  return west ? -seconds : seconds;
}

bool is_date(int year, int month, int day) {
  static constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (year < 1970 || year > 2200 || month < 1 || month > 12 || day < 1) return false;
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return day <= kDays[month - 1] + (month == 2 && leap ? 1 : 0);
}

// Days since 1970-01-01 of a date of the Gregorian calendar, by counting leap days.
std::int64_t days_since_epoch(int year, int month, int day) {
  static constexpr int kBefore[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
  const std::int64_t y = year - 1;
  const std::int64_t leaps = (y / 4 - y / 100 + y / 400) - (1969 / 4 - 1969 / 100 + 1969 / 400);
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return (std::int64_t{year} - 1970) * 365 + leaps + kBefore[month - 1] + (leap && month > 2 ? 1 : 0) + day -
         1;
}

std::optional<WallUs> parse_date(std::string_view s, const Calendar& calendar) {
  const auto year = take_number(s, 4, 4);
  if (!year || !take(s, '-')) return std::nullopt;
  const auto month = take_number(s, 1, 2);
  if (!month || !take(s, '-')) return std::nullopt;
  const auto day = take_number(s, 1, 2);
  if (!day || !is_date(static_cast<int>(*year), static_cast<int>(*month), static_cast<int>(*day)))
    return std::nullopt;
  std::tm tm{};
  tm.tm_year = static_cast<int>(*year) - 1900;
  tm.tm_mon = static_cast<int>(*month) - 1;
  tm.tm_mday = static_cast<int>(*day);
  tm.tm_isdst = -1;
  if (s.empty()) return calendar.moment(tm);
  if (!take(s, 'T') && !take(s, ' ')) return std::nullopt;
  if (!take_clock(s, tm)) return std::nullopt;
  s = trim(s);
  if (s.empty()) return calendar.moment(tm);
  const auto east = parse_zone(s);
  if (!east) return std::nullopt;
  const std::int64_t days =
      days_since_epoch(static_cast<int>(*year), static_cast<int>(*month), static_cast<int>(*day));
  return (days * kDay + tm.tm_hour * 3600 + tm.tm_min * 60 + tm.tm_sec - *east) * kUsPerS;
}

}  // namespace

std::optional<WallUs> parse_when(std::string_view text, WallUs now, const Calendar& calendar) {
  std::string_view s = trim(text);
  if (s == "now") return now;
  if (s == "today" || s == "yesterday") {
    std::tm tm = calendar.fields(now);
    tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
    if (s == "yesterday") --tm.tm_mday;
    tm.tm_isdst = -1;
    return calendar.moment(tm);
  }
  if (!s.empty() && s.front() == '@') {
    s.remove_prefix(1);
    const auto seconds = take_number(s, 1, 11);
    if (!seconds || !s.empty()) return std::nullopt;
    return *seconds * kUsPerS;
  }
  if (const auto date = parse_date(s, calendar)) return date;
  std::tm tm = calendar.fields(now);
  std::string_view rest = s;
  if (take_clock(rest, tm) && rest.empty()) {
    tm.tm_isdst = -1;
    return calendar.moment(tm);
  }
  return parse_ago(s, now);
}

std::optional<std::int64_t> parse_length(std::string_view text) {
  std::string_view s = trim(text);
  if (s.empty()) return std::nullopt;
  if (s.find(':') != std::string_view::npos) {  // [H:]MM:SS
    std::int64_t seconds = 0;
    for (int part = 0;; ++part) {
      const auto n = take_number(s, 1, part == 0 ? 6 : 2);
      if (!n || (part > 0 && *n > 59) || part > 2) return std::nullopt;
      seconds = seconds * 60 + *n;
      if (s.empty())
        return part > 0 && seconds <= kLongestS ? std::optional(seconds * kUsPerS) : std::nullopt;
      if (!take(s, ':')) return std::nullopt;
    }
  }
  std::int64_t total = 0;
  for (bool first = true; !s.empty();
       first = false) {  // a number without a unit stands alone: 1h30 is ambiguous
    const auto n = take_number(s, 1, 9);
    if (!n) return std::nullopt;
    std::int64_t micro = 0;
    if (take(s, '.')) {
      std::int64_t scale = kUsPerS / 10;
      if (s.empty() || !is_digit(s.front())) return std::nullopt;
      for (; !s.empty() && is_digit(s.front()); s.remove_prefix(1), scale /= 10)
        micro += (s.front() - '0') * scale;
    }
    std::size_t end = 0;
    while (end < s.size() && std::isalpha(static_cast<unsigned char>(s[end])) != 0) ++end;
    const std::string_view unit = s.substr(0, end);
    s.remove_prefix(end);
    if (unit == "ms") {
      total += *n * kUsPerMs + micro / 1000;
      continue;
    }
    const auto seconds = unit.empty() ? std::optional<std::int64_t>(1) : unit_seconds(unit);
    if (!seconds || (unit.empty() && (!s.empty() || !first)) || *n > kLongestS / *seconds)
      return std::nullopt;
    total += (*n * kUsPerS + micro) * *seconds;
    if (total > kLongestS * kUsPerS) return std::nullopt;
  }
  return total;
}

std::string format_length(std::int64_t us) {
  const std::int64_t s = us < 0 ? 0 : us / kUsPerS;
  const long long day = s / kDay, hour = s / 3600 % 24, minute = s / 60 % 60, second = s % 60;
  char text[64];
  if (day > 0)
    std::snprintf(text, sizeof text, "%lldd %02lld:%02lld:%02lld", day, hour, minute, second);
  else if (hour > 0)
    std::snprintf(text, sizeof text, "%lld:%02lld:%02lld", hour, minute, second);
  else
    std::snprintf(text, sizeof text, "%lld:%02lld", minute, second);
  return text;
}

std::string counted(std::uint64_t count, std::string_view one) {
  return std::to_string(count) + ' ' + std::string(one) + (count == 1 ? "" : "s");
}

std::string format_size(std::uint64_t bytes) {
  if (bytes < 1024) return std::to_string(bytes);
  static constexpr char kUnits[] = "KMGTPE";
  double value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  while (value >= 1023.5 && unit < 5) {
    value /= 1024;
    ++unit;
  }
  char text[32];
  std::snprintf(text, sizeof text, value < 9.95 ? "%.1f%c" : "%.0f%c", value, kUnits[unit]);
  return text;
}

}  // namespace opelog::cli
