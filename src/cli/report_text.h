// What a report tells: one row for each command of many sessions, or sums by user, command or day.
//
// Whoever asks for a text or a status means whatever ran: then processes of commands and what shells ran for
// themselves (bind -x, PROMPT_COMMAND) are looked at as well. What is not looked at is counted. Pure.
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
  bool all = false;                    ///< every process, whatever else is asked for
};

/// Whether a row of a session that began at `started` (0: not known) is wanted.
bool report_wants(const ReportFilter& filter, const CommandRow& row, WallUs started);

struct ReportRows {
  std::vector<CommandRow> rows;
  std::uint64_t helpers = 0, processes = 0;  ///< that were not looked at
};

/// The wanted rows of a session. A process that says the same as its command, which is there, is left out.
ReportRows report_rows(const replay::SessionCommandList& list, const format::SessionInfo& info,
                       const ReportFilter& filter);

class ReportSums {
 public:
  struct Sum {
    std::uint64_t commands = 0, failed = 0, unknown = 0;  ///< unknown: without a status
    std::int64_t length_us = 0;                           ///< of those whose end is known
  };
  /// `day`: of an absolute time, in the reader's zone.
  ReportSums(ReportBy by, std::function<std::string(WallUs)> day) : by_(by), day_(std::move(day)) {}

  void add(const CommandRow& row, const format::SessionInfo& info);
  /// In the order of the keys.
  [[nodiscard]] const std::map<std::string, Sum>& sums() const noexcept { return sums_; }

 private:
  ReportBy by_;
  std::function<std::string(WallUs)> day_;
  std::map<std::string, Sum> sums_;
};

}  // namespace opelog::cli
