// Names of recordings: USER_YYYYmmddHHMMSS_CLIENT, made from a template, safe for any user and any client.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"

namespace opelog::format {

/// Percent-encodes everything but letters, digits and `.:@+-` (so `_` in a user name becomes %5F and the
/// three parts can be told apart); a leading `.` or `-` is encoded too; "" becomes "UNKNOWN". At most 100
/// bytes come out: a longer part is cut and ends in `%~` and 8 hex digits of its hash.
std::string encode_name_part(std::string_view part);
std::string decode_name_part(std::string_view part);

/// Fills `{user}`, `{time}`, `{client}`, `{host}`, `{uid}`, `{id}`. Code::kInvalid for an unknown or unclosed
/// placeholder, a slash, a control character or a template without {user} and {time}.
Result<std::string> make_name(std::string_view name_template, std::string_view user, std::string_view time,
                              std::string_view client, std::string_view host, std::uint32_t uid,
                              std::string_view id);
/// Only whether the template is good (for the policy).
Status check_name_template(std::string_view name_template);

/// Whether it can be a recording's base name: of at most 250 bytes, no slash, no control character, no dot
/// first. What comes from outside is asked this before a path is made of it.
bool is_recording_name(std::string_view name);

struct NameParts {
  std::string user, time, client;
  int serial = 1;  ///< -2, -3 … behind the name
};
/// Takes a name in the default form apart; nullopt if it has another form.
std::optional<NameParts> parse_name(std::string_view base);

}  // namespace opelog::format
