// SessionCommands: what was run in a session, as rows for the index, from typed lines and exec events.
//
// Not joined: a line that was typed and the program it started are two rows, each saying how it is known.
// Memory: kMaxRunning processes whose end has not come; the oldest go out without one. Pure.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "format/exec_record.h"
#include "format/session_info.h"
#include "replay/typed_lines.h"

namespace opelog::index {

constexpr std::size_t kMaxRunning = 4096;
/// Bytes of a command that are kept: more than execve's usual, and than anybody reads.
constexpr std::size_t kMaxCommandBytes = 64 * 1024;

enum class Known { kScreen = 0, kExec = 1 };
const char* known_word(Known known) noexcept;

struct SessionCommand {
  std::string text;
  std::int64_t at_us = 0;     ///< since the session's start
  std::int64_t end_us = -1;   ///< -1: not known
  std::optional<int> status;  ///< exit code; 128 + signal
  std::string cwd, user;      ///< "": not known
  Known known = Known::kExec;
  std::uint64_t offset = 0;         ///< of the output, where its own begins
  std::uint64_t prompt_offset = 0;  ///< kScreen: where its prompt was shown; otherwise as `offset`
};

class SessionCommands {
 public:
  explicit SessionCommands(const format::SessionInfo& info) : user_(info.user), uid_(info.uid) {}
  void typed(const replay::TypedLine& line);
  void note(const std::string& name, const std::string& value);
  /// What is complete since the last call.
  std::vector<SessionCommand> take();
  /// The recording is over, or goes no further now: those that still run, too.
  void finish();

 private:
  void settle(std::int64_t pid);
  [[nodiscard]] std::string user_of(std::uint32_t uid) const;

  std::string user_;
  std::uint32_t uid_;
  std::unordered_map<std::int64_t, SessionCommand> running_;
  std::deque<std::int64_t> order_;  ///< pids of running_, maybe with some that have ended
  std::vector<SessionCommand> ready_;
};

/// Arguments as one would type them in a shell.
std::string command_text(const std::vector<std::string>& argv);

}  // namespace opelog::index
