// What a session executed, as notes of the timing file (OPELOG_EXEC, OPELOG_EXIT), and back.
// docs/formats/recording.md has the tables.
//
// Pure. Encoding never fails: strings beyond kMaxFieldBytes and arguments beyond kMaxArgumentBytes are cut
// and the note names them in "cut". Decoding takes any bytes. Invariant: what is encoded and not cut comes
// back equal, whatever bytes a user put into it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "format/session_header.h"

namespace opelog::format {

/// Bytes of a program's arguments that are kept, each with its NUL: people type less; a glob's thousands of
/// names are told by their true length.
constexpr std::size_t kMaxArgumentBytes = 8192;

/// Where in the recording: events come up to 0.1 s late, so the place of the record is not quite theirs.
struct ExecPlace {
  std::int64_t at_us = 0;  ///< since the session's start, by the clock of the delays
  std::uint64_t out = 0;   ///< bytes of output at that time
  /// How long before the start it was, of what came before; `at_us` is 0 then.
  std::int64_t before_us = 0;
  bool operator==(const ExecPlace&) const = default;
};

/// A process executed a program.
struct ExecInfo {
  std::int64_t pid = 0;
  std::int64_t parent = 0;  ///< who forked it, even if that has ended
  std::uint32_t uid = 0, euid = 0;
  std::uint32_t loginuid = 0xffffffff;       ///< -1 unset
  std::uint32_t audit_session = 0xffffffff;  ///< -1 unset
  std::string tty;                           ///< controlling terminal, "" none
  std::string file;                          ///< as execve(2) was given it; of a script, the script
  std::string exe;                           ///< path of what runs; of a script, of its interpreter
  std::string cwd;
  std::vector<std::string> argv;
  std::uint64_t argc = 0;                 ///< all of them, also those that are not in `argv`
  std::uint64_t argument_bytes = 0;       ///< of all, each with its NUL
  bool argv_cut = false;                  ///< `argv` ends early, maybe within an argument
  bool exe_cut = false, cwd_cut = false;  ///< the path's beginning is missing: too deep
  bool foreign_mounts = false;            ///< the paths are those of another mount namespace than the host's
  /// Could not be learned: always false for what the kernel's side told; without it, of processes that had
  /// ended.
  bool argv_missing = false, exe_missing = false, cwd_missing = false;
  bool operator==(const ExecInfo&) const = default;
};

/// A process ended.
struct ExitInfo {
  std::int64_t pid = 0;
  std::int64_t parent = 0;
  std::optional<int> exit_code;  ///< or else:
  std::optional<int> signal;     ///< neither: not known
  std::uint32_t execs = 0;       ///< 0: a fork of its parent that never executed anything
  std::int64_t duration_us = 0;  ///< since its last exec; since its start if it made none
  bool operator==(const ExitInfo&) const = default;
};

struct ExecRecord {
  ExecPlace place;
  ExecInfo info;
};
struct ExitRecord {
  ExecPlace place;
  ExitInfo info;
};

/// The value of the note, for RecordingWriter::note(kOpelogExec, …) which splits it.
std::string exec_value(const ExecPlace& place, const ExecInfo& info);
std::string exit_value(const ExecPlace& place, const ExitInfo& info);

/// nullopt for another note, a torn one, or one that is no object.
std::optional<ExecRecord> decode_exec(const Note& note);
std::optional<ExitRecord> decode_exit(const Note& note);

}  // namespace opelog::format
