#include "cli/session_filter.h"

#include <algorithm>

#include "format/recording_name.h"

namespace opelog::cli {
namespace {

/// A name's time is the recording host's local time: a day's slack before the header is asked, in any zone.
constexpr std::int64_t kZoneSlackUs = 26 * 3600 * kUsPerS;

// "20261122140509"
std::optional<WallUs> name_time(const std::string& digits, const Calendar& calendar) {
  if (digits.size() != 14 || digits.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
  return parse_when(digits.substr(0, 4) + '-' + digits.substr(4, 2) + '-' + digits.substr(6, 2) + ' ' +
                        digits.substr(8, 2) + ':' + digits.substr(10, 2) + ':' + digits.substr(12, 2),
                    0, calendar);
}

bool has_user(const SessionFilter& filter, const std::string& user) {
  return filter.users.empty() ||
         std::find(filter.users.begin(), filter.users.end(), user) != filter.users.end();
}

}  // namespace

std::optional<std::string> read_filter(const FilterWords& words, WallUs now, const Calendar& calendar,
                                       SessionFilter& filter) {
  filter.users = words.users;
  const auto when = [&](const std::string& text, std::optional<WallUs>& target) {
    if (text.empty()) return true;
    target = parse_when(text, now, calendar);
    return target.has_value();
  };
  static constexpr const char* kForms =
      ": not a time; write 2026-11-22, '2026-11-22 14:05', 14:05, today, yesterday or '2h ago'";
  if (!when(words.since, filter.since)) return "--since " + words.since + kForms;
  if (!when(words.until, filter.until)) return "--until " + words.until + kForms;
  if (!words.client.empty()) {
    filter.client = parse_client_filter(words.client);
    if (!filter.client)
      return "--client " + words.client + ": neither an address nor a range like 192.0.2.0/24";
  }
  return std::nullopt;
}

bool meets_who(const SessionFilter& filter, const std::string& user, const std::string& client) {
  return has_user(filter, user) && (!filter.client || client_matches(*filter.client, client));
}

bool name_may_meet(const SessionFilter& filter, const std::string& name, const Calendar& calendar) {
  const auto parts = format::parse_name(name);
  if (!parts) return true;
  if (!has_user(filter, parts->user)) return false;
  if (!filter.since && !filter.until) return true;
  const auto when = name_time(parts->time, calendar);
  if (when && filter.since && *when + kZoneSlackUs < *filter.since) return false;
  return !(when && filter.until && *when - kZoneSlackUs > *filter.until);
}

}  // namespace opelog::cli
