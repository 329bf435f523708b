// SHA-256 as lower-case hex, for naming small things (the policy in force). Pure; OpenSSL does the work.
#pragma once

#include <string>
#include <string_view>

namespace opelog {

/// 64 hex digits; "" if the library refuses (a FIPS build without the digest), which callers show as unknown.
std::string sha256_hex(std::string_view bytes);

}  // namespace opelog
