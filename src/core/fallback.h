// /var/lib/opelog/fallback: what opelog-shell does for whom while the daemon cannot be reached.
//
// The shim knows only its real uid and groups then, not what the daemon would see, so the file errs on the
// side of refusing: whoever the policy may record or refuse is refused, and only who surely passes passes.
// Pure encoder; the shim (C) has the reader. docs/formats/fallback.md is the reference.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/policy.h"
#include "core/result.h"

namespace opelog {

/// 1 MiB, as much as the list of enrolled users may hold; the shim reads no more.
constexpr std::size_t kFallbackMaxBytes = 1 << 20;

struct EnrolledUid {
  std::uint32_t uid = 0;
  std::string shell;  ///< absolute path, checked by enrolled.h
};

/// `user_uids` maps the users named by rules to their uids; a user absent from it may be anybody.
/// Of several shells for one uid the first counts. Code::kLimit if it exceeds kFallbackMaxBytes.
Result<std::string> encode_fallback(const Policy& policy, const std::vector<EnrolledUid>& enrolled,
                                    std::optional<std::uint32_t> break_glass_gid,
                                    const std::map<std::string, std::uint32_t>& user_uids);

}  // namespace opelog
