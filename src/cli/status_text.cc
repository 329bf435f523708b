#include "cli/status_text.h"

#include "cli/control_answer.h"
#include "cli/time_text.h"
#include "core/fact.h"

namespace opelog::cli {
namespace {

using format::JsonValue;

std::string plain(const JsonValue& value) {
  return printable(value.kind == JsonValue::Kind::kText ? value.string : to_json(value));
}

std::string number(const JsonValue& answer, const char* name) {
  const auto* value = answer.find(name);
  return value == nullptr ? "?" : plain(*value);
}

}  // namespace

bool is_degraded(const JsonValue& answer) {
  const auto* degraded = answer.find("degraded");
  const auto* policy = answer.find("policy");
  return (degraded != nullptr && !degraded->items.empty()) ||
         (policy != nullptr && !policy->text_or("error", "").empty());
}

std::string status_text(const JsonValue& answer) {
  std::string out;
  const auto line = [&out](std::string name, const std::string& value) {
    name.resize(std::max<std::size_t>(name.size() + 1, 10), ' ');
    out += name + value + "\n";
  };
  line("running", "opelogd " + printable(answer.text_or("version", "?")) + ", pid " + number(answer, "pid") +
                      ", for " + format_length(answer.number_or("uptime_s", 0) * kUsPerS));
  if (const auto* policy = answer.find("policy")) {
    line("policy", printable(policy->text_or("file", "?")) + ", digest " +
                       printable(policy->text_or("digest", "?").substr(0, 12)));
    if (const std::string error = policy->text_or("error", ""); !error.empty())
      line("", "BROKEN ON DISK, the last good one is in force: " + printable(error));
  }
  const bool held = answer.number_or("held", 0) > 0, limited = answer.number_or("limited", 0) > 0;
  line("sessions", number(answer, "sessions") + " live, " +
                       (held ? number(answer, "held") + " held because the record takes nothing, " : "") +
                       (limited ? number(answer, "limited") + " faster than their rate, " : "") +
                       number(answer, "pending") + " logging in");
  line("so far", number(answer, "recorded_total") + " recorded, " + number(answer, "passed_total") +
                     " passed, " + number(answer, "refused_total") + " refused, " +
                     number(answer, "failed_total") + " failed, " + number(answer, "unrecorded_total") +
                     " unrecorded");
  if (const auto* guard = answer.find("guard")) {
    line("guard", number(*guard, "flagged") +
                      " files of others made append-only (recordings are so from birth), " +
                      number(*guard, "findings") + " findings" +
                      (guard->number_or("findings", 0) > 0 ? " (in the log, as guard-…)" : ""));
    if (const auto* directories = guard->find("directories")) {
      for (const auto& directory : directories->items) line("", plain(directory));
    }
  }
  if (const auto* degraded = answer.find("degraded")) {
    for (const auto& item : degraded->items) {
      line("degraded", printable(item.text_or("what", "?")) + "; " + printable(item.text_or("remedy", "")));
    }
  }
  return out;
}

}  // namespace opelog::cli
