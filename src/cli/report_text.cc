#include "cli/report_text.h"

#include "replay/command_words.h"

namespace opelog::cli {

bool report_wants(const ReportFilter& filter, const CommandRow& row, WallUs started) {
  if (!filter.command.empty() && row.text.find(filter.command) == std::string::npos &&
      row.renamed.find(filter.command) == std::string::npos)
    return false;
  if (filter.status && row.code != filter.status) return false;
  if (filter.failed && row.code.value_or(0) == 0) return false;
  if ((filter.since || filter.until) && started == 0) return false;
  const WallUs at = started + row.at_us;
  return !(filter.since && at < *filter.since) && !(filter.until && at > *filter.until);
}

ReportRows report_rows(const replay::SessionCommandList& list, const format::SessionInfo& info,
                       const ReportFilter& filter) {
  const bool everything = filter.all || filter.failed || filter.status || !filter.command.empty();
  ReportRows report;
  std::optional<CommandRow> told;  // the last command that is in the report
  for (CommandRow& row : command_rows(list, info, {true, false})) {
    if (!report_wants(filter, row, info.started)) continue;
    const bool process = row.depth > 0;
    const bool same = process && told && told->command == row.command && told->code == row.code &&
                      (row.renamed.empty() || told->renamed == row.renamed);
    // Its only process, under another name (an alias), failed as the command did.
    const bool alias = filter.failed && !filter.all && filter.command.empty() &&
                       list.commands[row.command].execs.size() == 1;
    if (same && told->text == row.text) continue;
    if (same && alias) {
      ++report.processes;
      continue;
    }
    const bool helper = list.commands[row.command].helper;
    if ((process || helper) && !everything) {
      ++(process ? report.processes : report.helpers);
      continue;
    }
    if (!process) told = row;
    report.rows.push_back(std::move(row));
  }
  return report;
}

void ReportSums::add(const CommandRow& row, const format::SessionInfo& info) {
  std::string key;
  switch (by_) {
    case ReportBy::kUser:
      key = info.user;  // whose session it was, whoever he became in it
      break;
    case ReportBy::kCommand:
      key = replay::program_name(row.text);
      if (row.renamed.compare(0, key.size() + 4, key + " is ") == 0)
        key = row.renamed.substr(0, row.renamed.find(','));
      break;
    case ReportBy::kDay:
      key = info.started == 0 ? "-" : day_(info.started + row.at_us);
      break;
    case ReportBy::kNone:
      break;
  }
  Sum& sum = sums_[key];
  ++sum.commands;
  if (row.failed) ++sum.failed;
  if (!row.code) ++sum.unknown;
  if (row.end_us >= row.at_us) sum.length_us += row.end_us - row.at_us;
}

}  // namespace opelog::cli
