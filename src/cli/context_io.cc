#include "cli/context_io.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "core/fact.h"
#include "core/fd_io.h"
#include "core/policy_file_io.h"

namespace opelog::cli {

// `what` of the default policy is told where the file's cannot be had.
Result<Policy> Context::policy(const std::string& what) const {
  auto loaded = load_policy(config, Trust::kAny);
  if (loaded) return std::move(loaded->policy);
  if (config_given) {
    Error error = loaded.error();
    error.message = "--config " + error.message;
    return error;
  }
  // An auditor may be unable to read the policy, and a rescue system has none: the default is then the best
  // guess.
  const Code code = loaded.error().code;
  if (code != Code::kNotFound && code != Code::kDenied)
    remark(loaded.error().message + "; looking in " + what);
  return Policy{};
}

Result<std::string> Context::recordings() const {
  if (!directory.empty()) return directory;
  auto found = policy(Policy{}.directory + ", --directory names another");
  if (!found) return std::move(found).error();
  return found->directory;
}

Result<std::string> Context::ledger() const {
  auto found = policy(Policy{}.seal_ledger);
  if (!found) return std::move(found).error();
  return found->seal_ledger;
}

ExitCode print(std::string_view text) {
  const auto written = write_all(STDOUT_FILENO, text);
  if (written) return kOk;
  return complain(Error{Code::kIo, "standard output: " + written.error().message, written.error().err});
}

void remark(std::string_view message) {
  // Descriptor 2 may be closed; there is nobody left to tell.
  (void)write_all(STDERR_FILENO, "opelog: " + printable(message) + "\n").ok();
}

ExitCode complain(const Error& error) {
  remark(error.message);
  return exit_code_of(error.code);
}

int terminal_width() {
  winsize size{};
  if (::isatty(STDOUT_FILENO) != 1) return 0;
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

bool use_colour() {
  const char* no = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  return ::isatty(STDOUT_FILENO) == 1 && (no == nullptr || *no == '\0') && term != nullptr &&
         std::strcmp(term, "dumb") != 0;
}

}  // namespace opelog::cli
