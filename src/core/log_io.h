// Facts to the log: spdlog behind four sinks (stderr, syslog, journal, a file that survives rotation).
//
// The only file that includes spdlog. The file sink opens with O_APPEND|O_NOFOLLOW and reopens by itself
// when the name no longer points to the open inode (checked at most once a second) or on reopen().
// No sink blocks on a daemon that stands still: journal and syslog get non-blocking datagrams, and what
// they do not take is counted. The program must ignore SIGPIPE (a closed stderr).
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/fact.h"
#include "core/result.h"

namespace opelog {

enum class LogTarget { kStderr, kSyslog, kJournal, kFile };

struct LogConfig {
  LogTarget target = LogTarget::kStderr;
  std::string file;  ///< for kFile
  Level level = Level::kInfo;
  bool operator==(const LogConfig&) const = default;
};

/// Where the log daemons listen; tests put their own sockets here.
struct LogSockets {
  std::string journal = "/run/systemd/journal/socket";
  std::string syslog = "/dev/log";
};

class Log {
 public:
  /// Opens the target. A journal that is absent falls back to syslog, and an absent syslog to stderr, for
  /// each fact anew and never as an error. A file that cannot be opened is an error; one that is made here is
  /// 0640 and belongs to `group` (a gid, 0xffffffff the process's own), as etc/logrotate.d/opelog makes it.
  static Result<std::unique_ptr<Log>> open(const LogConfig& config, const std::string& program,
                                           const LogSockets& sockets = {}, unsigned group = 0xffffffff);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  void write(const Fact& fact) noexcept;
  void set_level(Level level) noexcept;
  /// After log rotation: closes and opens the file again. No-op for the other targets.
  void reopen() noexcept;
  /// Facts that no sink took since open(); the first one is also said on stderr.
  [[nodiscard]] std::uint64_t failures() const noexcept;

 private:
  struct Native;
  explicit Log(std::unique_ptr<Native> native);
  std::unique_ptr<Native> native_;
};

}  // namespace opelog
