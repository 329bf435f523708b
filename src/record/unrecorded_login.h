// A login that a rule wanted to be recorded, and that is in no recording: what is entered of it. Pure.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace opelog::record {

struct UnrecordedLogin {
  /// "login": it passed its shim, as the policy says. "connection": an ssh connection without a session.
  /// "programs": a login that never met a shim, and of which not even the programs could be recorded.
  /// "left": the same of what a session left behind.
  std::string what;
  std::uint32_t uid = 0;
  std::string user, client, rule;
  std::string why;
};
using UnrecordedSink = std::function<void(const UnrecordedLogin&)>;

}  // namespace opelog::record
