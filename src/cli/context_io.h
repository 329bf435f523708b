// What every subcommand shares: where things are, and how it speaks.
//
// Paths come from the command line only, never from the environment: an environment reaches further than the
// one who set it. print() and complain() are the only ways to descriptors 1 and 2; what came from outside
// goes through printable() before.
#pragma once

#include <string>
#include <string_view>

#include "cli/exit_code.h"
#include "core/policy.h"
#include "core/result.h"

namespace opelog::cli {

constexpr const char* kConfigFile = "/etc/opelog/opelog.yaml";
constexpr const char* kControlSocket = "/run/opelog/control.sock";
constexpr const char* kEnrolledFile = "/etc/opelog/enrolled";
constexpr const char* kShim = "/usr/bin/opelog-shell";

struct Context {
  std::string config = kConfigFile;
  bool config_given = false;  ///< by --config: it must be readable then
  std::string directory;      ///< "" unless given: then the policy's
  std::string control = kControlSocket;

  /// --directory, or the policy's, or the default where the installed policy cannot be read by us.
  [[nodiscard]] Result<std::string> recordings() const;
  /// The ledger's directory, by the policy or by default.
  [[nodiscard]] Result<std::string> ledger() const;

 private:
  [[nodiscard]] Result<Policy> policy(const std::string& what) const;
};

/// Writes to descriptor 1. The error has been complained about; end with its code.
[[nodiscard]] ExitCode print(std::string_view text);

/// "opelog: message" on descriptor 2, as one safe line. Returns the exit code for it.
ExitCode complain(const Error& error);
void remark(std::string_view message);  ///< the same for what is no failure

/// Columns of the terminal on descriptor 1; 0 if it is none.
int terminal_width();
/// Whether to colour: a terminal that is not "dumb", and no NO_COLOR.
bool use_colour();

}  // namespace opelog::cli
