// The text of /proc/PID/stat, /proc/PID/status and /proc/PID/exe's link as values.
//
// Pure: who reads the files and proves whose they are is process_facts_io.h. A process chooses its own
// name, so `comm` may hold spaces, parentheses and newlines: the fields after it are counted from the last
// ')'. Nothing here trusts a number it has not checked.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.h"

namespace opelog::record {

struct ProcStat {
  std::int64_t pid = 0;
  std::string comm;
  char state = '?';
  bool exiting = false;  ///< past the last line of its own program
  std::int64_t parent = 0;
  std::int64_t session = 0;    ///< of setsid(2)
  std::uint32_t terminal = 0;  ///< device number of the controlling terminal as the kernel prints it, 0 none
  std::uint64_t started = 0;   ///< clock ticks after boot
};

struct ProcStatus {
  std::uint32_t real_uid = 0;
  std::uint32_t effective_uid = 0;
  std::int64_t tracer = 0;  ///< pid of the tracer, 0 none
};

/// Whether a program's path is OpenSSH's server: sshd, or sshd-session from 9.8 on. A name, no proof.
bool is_sshd(std::string_view exe) noexcept;

Result<ProcStat> parse_proc_stat(std::string_view text);
Result<ProcStatus> parse_proc_status(std::string_view text);

/// A decimal number such as /proc/PID/loginuid holds, a newline after it allowed.
Result<std::uint32_t> parse_proc_number(std::string_view text);

/// The executable's path without the " (deleted)" that follows once a package upgrade has replaced it: the
/// sshd that was started before the upgrade is still sshd.
std::string executable_path(std::string_view link);

/// "/dev/pts/3", "/dev/tty1", "/dev/ttyS0", "/dev/console"; "" for 0 and for what has no common name.
std::string terminal_path(std::uint32_t device);

}  // namespace opelog::record
