// How the commands of a session are told to people and to programs: `commands`. Pure.
//
// A command is a typed line, or a program that no line explains, with the processes that belong to it below
// it. Nothing here may carry a control character to a terminal.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "format/session_info.h"
#include "replay/read_session_io.h"

namespace opelog::cli {

struct CommandRow {
  std::size_t number = 0;  ///< of the command, as `play --command` takes it; 0: a process or a helper
  int depth = 0;           ///< 0: a command; else one of its processes, below the one that started it
  std::int64_t at_us = 0, end_us = -1;  ///< `at_us` below 0: before the recording's start
  std::string user, status, known, cwd, text;
  std::string exe;      ///< of its process, "" if none is known
  std::string renamed;  ///< as replay::Command has it
  std::string program;  ///< of what was executed under another name: its program's
  bool foreign_mounts = false;
  std::optional<int> code;  ///< the status as a number: 128 + signal; none: not known
  bool failed = false;      ///< with a status that is not 0
  std::size_t command = 0;  ///< index of the command it belongs to
  std::size_t event = 0;    ///< of a process: index of its event
};

struct CommandFilter {
  bool all = false;     ///< every process, and what the shell runs for itself
  bool failed = false;  ///< only commands whose status is not 0
};

/// In order of time; processes behind their command, children behind their parent.
std::vector<CommandRow> command_rows(const replay::SessionCommandList& list, const format::SessionInfo& info,
                                     const CommandFilter& filter);

/// `text` with what is not to be seen in it: of what was executed under another name than its program's,
/// that: "foo (zsh) -i"; of a typed line, which of its own processes were: "./foo -i  (foo is zsh)"; and
/// where its paths are those of another mount namespace.
std::string marked_text(const CommandRow& row);

/// "0", "127", "SIG9"; "-" where it is not known.
std::string exit_word(const replay::Command& command);

/// A line of the list that `play` shows: number, place, exit status, text.
std::string menu_label(const replay::Command& command);

/// One object on one line; pure ASCII. `processes`: with all that belong to it. `last` of the session's: also
/// says what a bound left out behind it.
std::string command_json(const replay::SessionCommandList& list, std::size_t command,
                         const format::SessionInfo& info, bool processes, bool last = false);

/// A line of comma-separated values with CR LF (RFC 4180); the first line has the titles. A status that is
/// not known is empty.
std::string csv_titles();
std::string csv_line(const CommandRow& row, const format::SessionInfo& info);

/// The same for lists over many sessions: each row also says when it was (`time`: as a clock has it, "" if
/// not known), whose session it was, from where, and in which recording.
std::string report_json(const replay::SessionCommandList& list, const CommandRow& row,
                        const format::SessionInfo& info, const std::string& recording, bool last = false);
/// What an array says of a session of which it lists nothing: `left_out`, `missing` and `gaps`, and no
/// command;
/// "" if it lacks nothing. `recording` "": not in a report.
std::string lacking_json(const replay::SessionCommandList& list, const format::SessionInfo& info,
                         const std::string& recording);
std::string report_csv_titles();
std::string report_csv_line(const CommandRow& row, const format::SessionInfo& info,
                            const std::string& recording, const std::string& time);

}  // namespace opelog::cli
