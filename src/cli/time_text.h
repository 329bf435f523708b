// Times, lengths of time and sizes, from and to what people write. Pure: the local calendar is handed in.
#pragma once

#include <cstdint>
#include <ctime>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "core/clock.h"

namespace opelog::cli {

/// The host's time zone, for pure code: clock time to calendar fields and back.
struct Calendar {
  std::function<std::tm(WallUs)> fields;
  std::function<WallUs(std::tm)> moment;
};

/// "2026-11-22", "2026-11-22 14:05[:09]" (also with T, and Z or +01:00 behind), "14:05", "today",
/// "yesterday", "now", "90m ago", "2h", "3 days ago", "@1795000000". nullopt if it is none of them.
std::optional<WallUs> parse_when(std::string_view text, WallUs now, const Calendar& calendar);

/// A length of time: "90", "1.5", "1:30", "1:02:03", "1h2m3s", "500ms". nullopt otherwise.
std::optional<std::int64_t> parse_length(std::string_view text);

/// "0:07", "12:34", "1:02:03", "3d 01:02:03".
std::string format_length(std::int64_t us);

/// "512", "1.2K", "34M": at most five characters below an exabyte.
std::string format_size(std::uint64_t bytes);
/// "1 seal", "2 seals": of a word whose plural has an s.
std::string counted(std::uint64_t count, std::string_view one);

}  // namespace opelog::cli
