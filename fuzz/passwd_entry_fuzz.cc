// What getent says of a user, as opelog-shell reads it. A shell is an absolute path that stands in the text,
// or /bin/sh.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

extern "C" {
#include "shim/passwd_entry.h"
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static char shell[OPELOG_MAX_PATH + 1];
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  int owners = 0;
  for (const std::uint32_t uid : {0U, 1000U, 4294967294U}) {
    if (!opelog_shell_of_entry(text.data(), text.size(), uid, shell)) continue;
    const std::string_view found(shell);
    ++owners;
    if (found.empty() || found.size() > OPELOG_MAX_PATH || found[0] != '/') std::abort();
    if (found != "/bin/sh" && text.find(found) == std::string_view::npos) std::abort();
    if (text.find(std::to_string(uid)) == std::string_view::npos) std::abort();
  }
  if (owners > 1) std::abort();
  return 0;
}
