// Which sessions `ls`, `search` and their kin look at: by user, client address and time. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/client_filter.h"
#include "cli/time_text.h"

namespace opelog::cli {

/// As the options say it; "" for none.
struct FilterWords {
  std::vector<std::string> users;
  std::string since, until, client;
};

struct SessionFilter {
  std::vector<std::string> users;
  std::optional<WallUs> since, until;
  std::optional<AddressRange> client;
};

/// Fills `filter`, or says what is wrong.
std::optional<std::string> read_filter(const FilterWords& words, WallUs now, const Calendar& calendar,
                                       SessionFilter& filter);

/// Whether user and client are wanted.
bool meets_who(const SessionFilter& filter, const std::string& user, const std::string& client);

/// false: the name alone rules the recording out by its user or the time it began, so that most files of a
/// big directory are never opened.
bool name_may_meet(const SessionFilter& filter, const std::string& name, const Calendar& calendar);

}  // namespace opelog::cli
