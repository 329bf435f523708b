// The journal's MESSAGE_ID of an event: 128 bits that never change, so that `journalctl MESSAGE_ID=…` and its
// catalog (units/opelog.catalog) find every entry of a kind, whatever its words become. Pure.
#pragma once

#include <string_view>
#include <utility>
#include <vector>

namespace opelog {

/// 32 hexadecimal digits; "" for events that have none (docs/operating.md names those that do).
std::string_view message_id(std::string_view event) noexcept;

/// All there are: event, id.
const std::vector<std::pair<std::string_view, std::string_view>>& message_ids();

}  // namespace opelog
