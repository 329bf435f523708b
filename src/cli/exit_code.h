// The exit codes of `opelog`, one list for every subcommand; docs/exit-codes.md explains them to users.
#pragma once

#include <optional>

#include "core/result.h"

namespace opelog::cli {

enum ExitCode : int {
  kOk = 0,
  kNo = 1,           ///< done, and the answer is no, or something was found (a torn recording, a warning)
  kUsage = 2,        ///< wrong arguments; for `doctor`: something is broken
  kNotFound = 3,     ///< no such session, user or file
  kDenied = 4,       ///< permission, or the daemon refused
  kInvalid = 5,      ///< a file is not what it should be: corrupt recording, wrong policy
  kUnreachable = 6,  ///< the daemon does not answer
  kFailed = 7,       ///< the kernel or another program refused: input/output, limits, missing features
  kUnproven = 8,     ///< `verify`: not sealed, not pinned, no ledger
  kAltered = 9,      ///< `verify`: something was changed or taken away
  kSignalled = 128,  ///< + number: ended by a signal, terminal restored
};

/// The exit code for a failure.
ExitCode exit_code_of(Code code) noexcept;

}  // namespace opelog::cli
