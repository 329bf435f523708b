// ExportCommands: which exec events of a session are commands that somebody gave to an interactive shell.
//
// Those are programs that such a shell started itself, once something has stood on the screen: what scripts
// start, and start-up files before the first prompt, is none. Builtins make no exec event and are not seen
// here. One event at a time, memory bounded by kMaxShells. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include "format/exec_record.h"

namespace opelog::replay {

/// Interactive shells known at a time; when there are more, the lowest process number is forgotten.
constexpr std::size_t kMaxShells = 4096;
/// Bytes of a command's text; longer ones end in "...".
constexpr std::size_t kMaxCommandText = 400;

struct ExportCommand {
  std::int64_t at_us = 0;
  std::string text;  ///< the arguments joined by blanks: outside bytes
};

class ExportCommands {
 public:
  /// The command that this note tells of, if it does.
  std::optional<ExportCommand> take(const format::Note& note);

 private:
  bool first_ = true;
  std::set<std::int64_t> shells_;  ///< processes
};

}  // namespace opelog::replay
