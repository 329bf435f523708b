#include "cli/report_text.h"

#include "replay/command_words.h"

namespace opelog::cli {

bool report_wants(const ReportFilter& filter, const replay::Command& command, WallUs started) {
  if (!filter.command.empty() && command.text.find(filter.command) == std::string::npos) return false;
  if (filter.status && command.status != filter.status) return false;
  if (filter.failed && command.status.value_or(0) == 0) return false;
  if ((filter.since || filter.until) && started == 0) return false;
  const WallUs at = started + command.begin_us;
  return !(filter.since && at < *filter.since) && !(filter.until && at > *filter.until);
}

void ReportSums::add(const replay::Command& command, const CommandRow& row, const format::SessionInfo& info) {
  std::string key;
  switch (by_) {
    case ReportBy::kUser:
      key = info.user;  // whose session it was, whoever he became in it
      break;
    case ReportBy::kCommand:
      key = replay::program_name(command.text);
      break;
    case ReportBy::kDay:
      key = info.started == 0 ? "-" : day_(info.started + command.begin_us);
      break;
    case ReportBy::kNone:
      break;
  }
  Sum& sum = sums_[key];
  ++sum.commands;
  if (row.failed) ++sum.failed;
  if (!command.status) ++sum.unknown;
  if (command.end_us >= command.begin_us) sum.length_us += command.end_us - command.begin_us;
}

}  // namespace opelog::cli
