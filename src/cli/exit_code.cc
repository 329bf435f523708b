#include "cli/exit_code.h"

namespace opelog::cli {

ExitCode exit_code_of(Code code) noexcept {
  switch (code) {
    case Code::kInvalid:
      return kInvalid;
    case Code::kNotFound:
      return kNotFound;
    case Code::kExists:
      return kNo;
    case Code::kDenied:
      return kDenied;
    case Code::kGone:
      return kUnreachable;
    case Code::kUnsupported:
    case Code::kLimit:
    case Code::kIo:
      return kFailed;
  }
  return kFailed;
}

}  // namespace opelog::cli
