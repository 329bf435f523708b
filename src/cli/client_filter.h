// `--client`: an address or a range of addresses. Pure.
#pragma once

#include <optional>
#include <string>

#include "core/policy_decide.h"

namespace opelog::cli {

/// "192.0.2.7", "192.0.2.0/24", "2001:db8::/32"; nullopt if it is neither.
std::optional<AddressRange> parse_client_filter(const std::string& text);

/// Whether the recorded client is in the range; a client that is not an address never is.
bool client_matches(const AddressRange& range, const std::string& client);

}  // namespace opelog::cli
