#include "core/result.h"

#include <cerrno>
#include <cstring>

namespace opelog {

const char* code_name(Code code) noexcept {
  switch (code) {
    case Code::kInvalid:
      return "invalid";
    case Code::kNotFound:
      return "not-found";
    case Code::kExists:
      return "exists";
    case Code::kDenied:
      return "denied";
    case Code::kUnsupported:
      return "unsupported";
    case Code::kLimit:
      return "limit";
    case Code::kIo:
      return "io";
    case Code::kGone:
      return "gone";
  }
  return "io";
}

Error error_from_errno(int err, std::string what) {
  Code code = Code::kIo;
  switch (err) {
    case ENOENT:
    case ENOTDIR:
      code = Code::kNotFound;
      break;
    case EEXIST:
      code = Code::kExists;
      break;
    case EPERM:
    case EACCES:
      code = Code::kDenied;
      break;
    case EOPNOTSUPP:
    case ENOTTY:
    case ENOSYS:
      code = Code::kUnsupported;
      break;
    case ESRCH:
    case EPIPE:
    case ECONNRESET:
      code = Code::kGone;
      break;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      code = Code::kLimit;
      break;
    default:
      break;
  }
  what += ": ";
  char text[128];
  what += ::strerror_r(err, text, sizeof text);  // the GNU one: returns the text
  return Error{code, std::move(what), err};
}

}  // namespace opelog
