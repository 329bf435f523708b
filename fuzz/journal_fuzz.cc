// What the daemon says of users' words: in journald's protocol a value forges no field, in syslog's and a
// hook's form it makes no second line. Byte 0 tells how the rest is cut into key, event, text and value.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <string_view>

#include "app/event_hooks_io.h"
#include "core/journal_entry.h"
#include "format/json_text.h"

namespace {

using namespace opelog;

void require(bool holds) {
  if (!holds) std::abort();
}

// The entry as journald reads it.
std::multimap<std::string, std::string> fields_of(std::string_view entry) {
  std::multimap<std::string, std::string> fields;
  while (!entry.empty()) {
    const auto end = entry.find('\n');
    require(end != std::string_view::npos);
    const auto line = entry.substr(0, end);
    entry.remove_prefix(end + 1);
    if (const auto equals = line.find('='); equals != std::string_view::npos) {
      fields.emplace(line.substr(0, equals), line.substr(equals + 1));
      continue;
    }
    std::uint64_t length = 0;
    require(entry.size() > sizeof length);
    for (unsigned i = 0; i < 8; ++i) length |= std::uint64_t{static_cast<unsigned char>(entry[i])} << (8 * i);
    entry.remove_prefix(sizeof length);
    require(length < entry.size() && entry[length] == '\n');
    fields.emplace(line, entry.substr(0, length));
    entry.remove_prefix(length + 1);
  }
  return fields;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::string text(bytes.substr(0, bytes.size() * (data[0] % 16) / 16));
  const std::string value(bytes.substr(text.size()));
  Fact fact;
  fact.event = "refused";
  fact.text = text;
  fact.fields = {{"user", value}, {"client", text}};
  if (data[1] > 240) fact.fields.insert(fact.fields.end(), data[1] % 32, {"rule", value});

  const std::string entry = encode_journal_entry(cut_fact(fact), "opelogd");
  require(entry.size() <= kLogEntryMaxBytes);
  const auto fields = fields_of(entry);
  for (const auto& [name, ignored] : fields) {
    static const std::string_view kOurs[] = {"MESSAGE",     "PRIORITY",      "SYSLOG_IDENTIFIER",
                                             "EVENT",       "MESSAGE_ID",    "OPELOG_EVENT",
                                             "OPELOG_USER", "OPELOG_CLIENT", "OPELOG_RULE"};
    bool ours = false;
    for (const auto one : kOurs) ours = ours || name == one;
    require(ours);
  }
  require(fields.count("MESSAGE") == 1 && fields.count("PRIORITY") == 1 && fields.count("OPELOG_USER") <= 1);

  const std::string line = encode_syslog_line(cut_fact(fact), "opelogd", 1, "Nov 22 17:05:09");
  for (const char c : line) require(static_cast<unsigned char>(c) >= ' ' && c != 0x7f);

  const std::string json = app::event_json(fact, 1790000000000000);
  require(!json.empty() && json.size() <= app::kHookMaxBytes && json.find('\n') == json.size() - 1);
  const auto read = format::parse_json(std::string_view(json).substr(0, json.size() - 1));
  require(read && read->text_or("event", "") == "refused");
  return 0;
}
