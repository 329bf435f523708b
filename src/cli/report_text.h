// What a report tells: one row for each command of many sessions, or sums by user, command or day. Pure.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "cli/session_commands_text.h"
#include "core/clock.h"

namespace opelog::cli {

enum class ReportBy { kNone, kUser, kCommand, kDay };

struct ReportFilter {
  std::string command;                 ///< a part of its text, "" any
  std::optional<int> status;           ///< as the shell says it: 128 + signal
  bool failed = false;                 ///< any but 0
  std::optional<WallUs> since, until;  ///< of the command
};

/// Whether a command of a session that began at `started` (0: not known) is wanted.
bool report_wants(const ReportFilter& filter, const replay::Command& command, WallUs started);

class ReportSums {
 public:
  struct Sum {
    std::uint64_t commands = 0, failed = 0, unknown = 0;  ///< unknown: without a status
    std::int64_t length_us = 0;                           ///< of those whose end is known
  };
  /// `day`: of an absolute time, in the reader's zone.
  ReportSums(ReportBy by, std::function<std::string(WallUs)> day) : by_(by), day_(std::move(day)) {}

  void add(const replay::Command& command, const CommandRow& row, const format::SessionInfo& info);
  /// In the order of the keys.
  [[nodiscard]] const std::map<std::string, Sum>& sums() const noexcept { return sums_; }

 private:
  ReportBy by_;
  std::function<std::string(WallUs)> day_;
  std::map<std::string, Sum> sums_;
};

}  // namespace opelog::cli
