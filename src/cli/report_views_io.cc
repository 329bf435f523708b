#include "cli/report_views_io.h"

#include <pwd.h>

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "cli/csv_text.h"
#include "cli/table.h"
#include "core/clock_io.h"
#include "core/fact.h"
#include "format/json_text.h"
#include "format/view_word.h"
#include "seal/ledger_entry.h"
#include "seal/ledger_files_io.h"
#include "seal/ledger_read_io.h"

namespace opelog::cli {
namespace {

// Names of users, as this host knows them now.
class Readers {
 public:
  const std::string& name(std::uint32_t uid) {
    const auto [known, added] = names_.try_emplace(uid);
    if (added) {
      const passwd* user = ::getpwuid(uid);
      known->second = user != nullptr ? user->pw_name : std::to_string(uid);
    }
    return known->second;
  }

 private:
  std::map<std::uint32_t, std::string> names_;
};

struct ViewRow {
  std::uint64_t entry = 0;
  WallUs at = 0;
  seal::ViewedEntry viewed;
};

struct Views {
  std::vector<ViewRow> rows;
  std::uint64_t left_out = 0;
};

Result<Views> read_views(const std::string& ledger) {
  Views views;
  auto read = seal::read_entries(ledger, [&views](seal::LedgerEntry& entry) {
    if (auto* viewed = std::get_if<seal::ViewedEntry>(&entry.body))
      views.rows.push_back({entry.index, entry.at, std::move(*viewed)});
    const auto* gap = std::get_if<seal::LedgerGapEntry>(&entry.body);
    if (gap != nullptr && gap->what == seal::kGapOfViews) views.left_out += gap->count;
  });
  if (!read) return std::move(read).error();
  return views;
}

std::string rows_as_json(const std::vector<ViewRow>& rows, Readers& readers) {
  std::string out = "[";
  for (const ViewRow& row : rows) {
    format::JsonObject object;
    object.text("time", format_utc(row.at)).text("user", readers.name(row.viewed.uid));
    object.number_u("uid", row.viewed.uid).text("recording", row.viewed.recording);
    object.text("what", row.viewed.what).number_u("entry", row.entry);
    out += (out.size() > 1 ? ",\n" : "\n") + std::move(object).take();
  }
  return out + (rows.empty() ? "]\n" : "\n]\n");
}

std::string rows_as_csv(const std::vector<ViewRow>& rows, Readers& readers) {
  std::string out = "time,user,uid,recording,what\r\n";
  for (const ViewRow& row : rows) {
    out += csv_text(format_local(row.at, "%Y-%m-%d %H:%M:%S")) + ',' +
           csv_text(readers.name(row.viewed.uid)) + ',' + std::to_string(row.viewed.uid) + ',' +
           csv_text(row.viewed.recording) + ',' + csv_text(row.viewed.what) + "\r\n";
  }
  return out;
}

std::string rows_as_table(const std::vector<ViewRow>& rows, Readers& readers) {
  Table table({{"TIME", false, 0}, {"USER", false, 0}, {"WHAT", false, 0}, {"RECORDING", false, 0}});
  for (const ViewRow& row : rows) {
    table.add({{format_local(row.at, "%Y-%m-%d %H:%M:%S"), ""},
               {printable(readers.name(row.viewed.uid)), ""},
               {printable(row.viewed.what), ""},
               {row.viewed.recording.empty() ? "-" : printable(row.viewed.recording), ""}});
  }
  return table.text(0, use_colour());
}

}  // namespace

ExitCode report_views(const Context& context, const SessionFilter& filter, bool json, bool csv) {
  const auto ledger = context.ledger();
  if (!ledger) return complain(ledger.error());
  auto views = read_views(*ledger);
  if (!views) return complain(views.error());
  Readers readers;
  std::erase_if(views->rows, [&](const ViewRow& row) {
    return (filter.since && row.at < *filter.since) || (filter.until && row.at > *filter.until) ||
           !meets_who(filter, readers.name(row.viewed.uid), "");
  });
  const ExitCode printed = print(json  ? rows_as_json(views->rows, readers)
                                 : csv ? rows_as_csv(views->rows, readers)
                                       : rows_as_table(views->rows, readers));
  if (views->left_out > 0)
    remark("and " + std::to_string(views->left_out) + " readings that were too many to be entered");
  return printed;
}

}  // namespace opelog::cli
