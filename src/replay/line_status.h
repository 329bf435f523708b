// LineStatus: which of the processes that a command line started its exit status comes from.
//
// Exec events tell how programs ended, not how the shell went on; this reads the line as a shell does (lists,
// pipelines, conditions, loops, groups) and says what follows from the programs. What does not follow is
// unknown: builtins, functions and what depends on them. Never a guess, with one exception: of a line that
// is one command and started one process, that is the process, whatever its name (an alias). Shell options
// (pipefail, errexit) are not known. Time and memory proportional to the text and kMaxShellNodes. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace opelog::replay {

/// Commands and groups of one line that are read; of a longer one nothing is known.
constexpr std::size_t kMaxShellNodes = 2000;

/// A process that the line's shell started itself.
struct StartedProcess {
  std::string argv;           ///< words joined by blanks, as command_line() gives them
  std::int64_t pid = 0;       ///< what executes several programs in turn is one process
  std::optional<int> status;  ///< 128 + signal; nullopt: not known
  bool interrupted = false;   ///< SIGINT ended it
};

struct LineStatus {
  std::optional<std::size_t> process;  ///< the status comes from it; index of `started`
  std::optional<int> status;
};

/// `started` in order of time. `functions`: names the session has defined; those that `text` defines are
/// added.
LineStatus line_status(std::string_view text, const std::vector<StartedProcess>& started,
                       std::set<std::string>& functions);

/// Whether the shell waits not for all of it: a part ends in "&".
bool has_background_job(std::string_view text);

}  // namespace opelog::replay
