#include "core/journal_entry.h"

#include <cstdint>

#include "core/message_id.h"

namespace opelog {
namespace {

std::string cut(std::string_view value) {
  if (value.size() <= kLogValueMaxBytes) return std::string(value);
  std::size_t end = kLogValueMaxBytes - 3;
  // Not inside a character: journald shows a message that is no UTF-8 as "[blob data]".
  for (int i = 0; i < 3 && (static_cast<unsigned char>(value[end]) & 0xC0U) == 0x80U; ++i) --end;
  return std::string(value.substr(0, end)) + "...";
}

// The plain form ends at the line feed; everything else goes with its length, 64 bits little-endian.
void add_field(std::string& entry, std::string_view name, std::string_view raw) {
  const std::string value = cut(raw);
  if (entry.size() + name.size() + value.size() + 16 > kLogEntryMaxBytes) return;
  entry += name;
  if (value.find('\n') == std::string::npos) {
    entry += '=';
  } else {
    entry += '\n';
    for (int shift = 0; shift < 64; shift += 8)
      entry += static_cast<char>(static_cast<std::uint64_t>(value.size()) >> shift & 0xFF);
  }
  entry += value;
  entry += '\n';
}

}  // namespace

Fact cut_fact(const Fact& fact) {
  Fact shorter{fact.level, cut(fact.event), cut(fact.text), {}};
  for (const auto& [key, value] : fact.fields) shorter.fields.emplace_back(key, cut(value));
  return shorter;
}

int syslog_priority(Level level) noexcept {
  switch (level) {
    case Level::kDebug:
      return 7;
    case Level::kInfo:
      return 6;
    case Level::kWarning:
      return 4;
    case Level::kError:
      return 3;
  }
  return 6;
}

std::string journal_field_name(std::string_view key) {
  std::string name = "OPELOG_";
  for (const char c : key) {
    if (name.size() == 64) break;  // journald's limit
    if (c >= 'a' && c <= 'z')
      name += static_cast<char>(c - 'a' + 'A');
    else if ((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
      name += c;
    else
      name += '_';
  }
  return name;
}

std::string encode_journal_entry(const Fact& fact, std::string_view program) {
  std::string entry;
  add_field(entry, "MESSAGE", format_fact(cut_fact(fact)));
  add_field(entry, "PRIORITY", std::to_string(syslog_priority(fact.level)));
  add_field(entry, "SYSLOG_IDENTIFIER", program);
  add_field(entry, "EVENT", fact.event);
  if (const std::string_view id = message_id(fact.event); !id.empty()) add_field(entry, "MESSAGE_ID", id);
  for (const auto& [key, value] : fact.fields) add_field(entry, journal_field_name(key), value);
  return entry;
}

std::string encode_syslog_line(const Fact& fact, std::string_view program, int pid,
                               std::string_view local_time) {
  constexpr int kDaemonFacility = 3 << 3;
  std::string line = "<" + std::to_string(kDaemonFacility | syslog_priority(fact.level)) + ">";
  line += local_time;
  line += ' ';
  line += program;
  line += "[" + std::to_string(pid) + "]: ";
  line += format_fact(cut_fact(fact));
  return cut(line);
}

}  // namespace opelog
