// join_commands(): what was typed and what was executed, as one list.
//
// Invariants: every typed line and every exec event is in exactly one command (also a line that zsh's Ctrl-C
// may have left, marked uncertain); commands are in order of time; each says how it is known. A process
// belongs to the line after which its shell started it, with all that it starts, also when that goes on in
// the background; a shell that reads from the terminal (bash, su's, sudo's) hands its children to the lines
// typed into it. What came before the recording explains nothing of what came in it. Time O((lines + events)
// log). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "replay/typed_lines.h"

namespace opelog::replay {

/// A program that was executed in the session.
struct ExecEvent {
  std::int64_t at_us = 0;    ///< since the recording's start
  std::int64_t end_us = -1;  ///< -1: not known, or still running
  /// How long before the recording's start it was (`at_us` is 0 then): what start-up files executed ahead of
  /// the hook that began it.
  std::int64_t before_us = 0;
  std::int64_t pid = 0, ppid = 0;
  std::uint32_t uid = 0;
  std::string argv;  ///< words joined by blanks
  std::string exe;
  std::string cwd;
  bool foreign_mounts = false;  ///< `exe` and `cwd` are paths in a mount namespace of its own
  int exit_code = -1;           ///< -1: not known
  int signal = 0;               ///< that ended it
  std::uint64_t offset = 0;     ///< of the output at that moment
};

/// The relay records an Enter's echo a little after the kernel has seen what it started.
constexpr std::int64_t kClockSlackUs = 20'000;
/// So much later, at most, on a host whose processors are all busy.
constexpr std::int64_t kMaxLatenessUs = 250'000;
/// What begins so soon behind a prompt is a job of the line before it, if that has one, whatever its name.
constexpr std::int64_t kJobSlackUs = 100'000;

/// Bytes of lines and events that are joined at once: some 100,000 processes.
constexpr std::size_t kMaxJoinedBytes = 32 << 20;

enum class KnownBy { kScreen, kExec, kBoth };
const char* known_by_text(KnownBy known) noexcept;  ///< "screen", "exec", "both"

struct Command {
  std::size_t number = 0;  ///< 1, 2, … of those that somebody gave; 0: a helper
  std::string text;        ///< as typed; of an exec alone: argv
  KnownBy known = KnownBy::kScreen;
  std::int64_t begin_us = 0;   ///< Enter, or the exec
  std::int64_t before_us = 0;  ///< as ExecEvent has it
  std::int64_t end_us = -1;    ///< its process ended; of a builtin: the next prompt; -1: not known
  std::uint64_t offset = 0;    ///< of the output, where its own begins
  std::uint64_t prompt_offset = 0;
  std::optional<int> status;  ///< as the shell would say it: 128 + signal
  int signal = 0;
  std::optional<std::uint32_t> uid;
  std::string cwd, exe;         ///< of its process, "" if none is known
  std::string renamed;          ///< "foo is zsh": its own processes with another name than their program's
  bool foreign_mounts = false;  ///< of it as well
  std::optional<std::size_t> line;  ///< index of the typed line
  std::vector<std::size_t> execs;   ///< indices of the exec events, the line's own and their descendants
  /// Run by the shell for itself: start-up files, completion, the prompt; and all before the recording.
  bool helper = false;
  bool uncertain = false;  ///< perhaps left by Ctrl-C (TypedLine::maybe_abandoned)
  bool cut = false;
};

/// What lists say beside the text: `renamed` (or a program's name), and that the paths are those of another
/// mount namespace; "" for neither.
std::string mark_of(const std::string& renamed, bool foreign_mounts);

/// A command of several lines on one printable line.
std::string command_on_one_line(const std::string& text);

/// `lines` in order of time, and the prompt behind the last (TypedLines::last_prompt_us()): what begins at it
/// is nobody's line, such as what a shell runs when it is left by Ctrl-D, unless the line names it. Exec
/// events in any order.
std::vector<Command> join_commands(const std::vector<TypedLine>& lines, const std::vector<ExecEvent>& events,
                                   std::int64_t last_prompt_us = kNoPrompt);

}  // namespace opelog::replay
