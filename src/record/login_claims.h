// LoginClaims: who must know that a login has met the shim.
#pragma once

#include <cstdint>

#include "record/begun_login.h"

namespace opelog::record {

class LoginClaims {
 public:
  LoginClaims() = default;
  virtual ~LoginClaims() = default;
  LoginClaims(const LoginClaims&) = delete;
  LoginClaims& operator=(const LoginClaims&) = delete;

  /// The shim that runs as `pid` for `uid` is about to have its verdict. Before its process joins a session.
  /// What its login did before, if that belongs into the session's recording.
  virtual HeldEvents claimed(int shim_pidfd, std::int64_t pid, std::uint32_t uid,
                             BegunLogin::Claim claim) = 0;
};

}  // namespace opelog::record
