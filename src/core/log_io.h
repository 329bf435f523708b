// Facts to the log: spdlog behind three sinks (stderr, syslog/journal, a file that survives rotation).
//
// The only file that includes spdlog. The file sink opens with O_APPEND|O_NOFOLLOW and reopens by itself
// when the name no longer points to the open inode (checked at most once a second) or on reopen().
#pragma once

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

class Log {
 public:
  /// Opens the target. A journal that is absent falls back to syslog, never to an error.
  static Result<std::unique_ptr<Log>> open(const LogConfig& config, const std::string& program);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  void write(const Fact& fact) noexcept;
  void set_level(Level level) noexcept;
  /// After log rotation: closes and opens the file again. No-op for the other targets.
  void reopen() noexcept;

 private:
  struct Native;
  explicit Log(std::unique_ptr<Native> native);
  std::unique_ptr<Native> native_;
};

}  // namespace opelog
