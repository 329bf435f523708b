// SessionCommands: what was run in a session, as rows for the index, from typed lines and exec events.
//
// replay::join_commands() joins them; here each command is followed by what its processes executed besides
// (a script's own commands), so that all of it is found. Memory: lines and events are joined, and given,
// whenever kMaxJoinedBytes have come together; a session rarely has so many. The same input gives the same
// rows in the same order. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "format/session_info.h"
#include "replay/command_list.h"
#include "replay/exec_events.h"
#include "replay/typed_lines.h"

namespace opelog::index {

using replay::kMaxJoinedBytes;
/// Bytes of a command that are kept: more than anybody reads.
constexpr std::size_t kMaxCommandBytes = 64 * 1024;

struct SessionCommand {
  std::string text;
  std::int64_t at_us = 0;      ///< since the session's start; below 0: before it (ExecEvent::before_us)
  std::int64_t end_us = -1;    ///< -1: not known
  std::optional<int> status;   ///< exit code; 128 + signal
  std::string cwd, user, exe;  ///< "": not known
  std::string renamed;         ///< as replay::Command has it
  replay::KnownBy known = replay::KnownBy::kExec;
  std::uint64_t offset = 0;  ///< of the output, where its own begins
  std::int64_t number = 0;   ///< in the session, from 1
  std::int64_t owner = 0;    ///< number of the command whose process it is; 0: it is one itself
  bool uncertain = false;    ///< perhaps left by Ctrl-C, or its end is not in the record
  bool foreign_mounts = false;
  bool cut = false;  ///< a part of the text is missing
};

/// What a search looks through: the text, and what its processes really are.
std::string searched_text(const SessionCommand& command);

class SessionCommands {
 public:
  explicit SessionCommands(const format::SessionInfo& info) : user_(info.user), uid_(info.uid) {}
  void typed(replay::TypedLine line);
  void note(const std::string& name, const std::string& value);
  /// What is complete since the last call.
  std::vector<SessionCommand> take();
  /// The recording is over, or goes no further now. `last_prompt_us`: as TypedLines has it.
  void finish(std::int64_t last_prompt_us = replay::kNoPrompt);

 private:
  void added(std::size_t bytes);
  [[nodiscard]] std::string user_of(std::uint32_t uid) const;

  std::string user_;
  std::uint32_t uid_;
  std::vector<replay::TypedLine> lines_;
  replay::ExecEvents executed_;
  std::size_t bytes_ = 0;
  std::int64_t numbered_ = 0;
  std::vector<SessionCommand> ready_;
};

}  // namespace opelog::index
