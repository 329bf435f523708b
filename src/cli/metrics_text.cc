#include "cli/metrics_text.h"

#include <cstdint>
#include <string_view>
#include <utility>

namespace opelog::cli {
namespace {

using format::JsonValue;

// In a label: backslash, quote and line feed are escaped, everything else stands for itself.
std::string label(std::string_view name, std::string_view value) {
  std::string text = "{" + std::string(name) + "=\"";
  for (const char c : value) {
    if (c == '\n') {
      text += "\\n";
      continue;
    }
    if (c == '\\' || c == '"') text += '\\';
    text += c;
  }
  return text + "\"}";
}

class Metrics {
 public:
  void begin(const std::string& name, const char* type, const char* help) {
    name_ = "opelog_" + name;
    text_ += "# HELP " + name_ + " " + help + "\n# TYPE " + name_ + " " + type + "\n";
  }
  void sample(std::int64_t value, const std::string& labels = "") {
    text_ += name_ + labels + " " + std::to_string(value) + "\n";
  }
  void single(const std::string& name, const char* type, const char* help, std::int64_t value) {
    begin(name, type, help);
    sample(value);
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_, name_;
};

constexpr const char* kGauge = "gauge";
constexpr const char* kCounter = "counter";

void up(Metrics& metrics, bool answers) {
  metrics.single("up", kGauge, "1 if opelogd answers.", answers ? 1 : 0);
}

}  // namespace

std::string metrics_text(const JsonValue& answer) {
  Metrics m;
  const auto number = [&answer](const char* name) { return answer.number_or(name, 0); };
  up(m, true);
  m.begin("build_info", kGauge, "The version that runs, as a label.");
  m.sample(1, label("version", answer.text_or("version", "")));
  m.single("uptime_seconds", kGauge, "Since the daemon started.", number("uptime_s"));
  const auto* degraded = answer.find("degraded");
  m.single("degraded", kGauge, "Conditions that `opelog status` names with their remedy.",
           degraded != nullptr ? static_cast<std::int64_t>(degraded->items.size()) : 0);
  const auto* policy = answer.find("policy");
  m.single("policy_error", kGauge, "1 if the policy file is rejected and an older one is in force.",
           policy != nullptr && !policy->text_or("error", "").empty() ? 1 : 0);
  m.single("sessions", kGauge, "Sessions being recorded.", number("sessions"));
  m.single("sessions_held", kGauge, "Of these: whose output waits because the record takes none.",
           number("held"));
  m.single("sessions_limited", kGauge, "Of these: whose output is delayed or dropped by its rate.",
           number("limited"));
  m.single("logins_pending", kGauge, "Logins without an answer yet.", number("pending"));
  m.single("user_calls", kGauge, "Calls on users' terminals that run or wait for a thread.",
           number("calls_waiting"));
  m.begin("logins_total", kCounter, "Logins since the start, by what became of them.");
  for (const char* outcome : {"recorded", "passed", "refused", "failed", "unrecorded"})
    m.sample(number((std::string(outcome) + "_total").c_str()), label("outcome", outcome));
  m.single("recorded_bytes_total", kCounter, "Output of sessions since the start.", number("bytes_recorded"));
  if (const auto* disk = answer.find("disk")) {
    m.single("disk_free_bytes", kGauge, "Of the file system of recordings.", disk->number_or("free", 0));
    m.single("disk_reserve_bytes", kGauge, "Below which each user may write a part only.",
             disk->number_or("reserve", 0));
  }
  if (const auto* guard = answer.find("guard")) {
    m.single("guard_flagged_total", kCounter, "Files of others made append-only.",
             guard->number_or("flagged", 0));
    m.single("guard_findings_total", kCounter, "Lost flags, changes, vanished and renamed files.",
             guard->number_or("findings", 0));
    m.single("guard_overflows_total", kCounter, "Times the kernel's queue of file events was too short.",
             guard->number_or("overflows", 0));
  }
  m.single("log_failures_total", kCounter, "Messages that the log did not take.", number("log_failures"));
  if (const auto* events = answer.find("events")) {
    m.begin("events_total", kCounter, "Messages of the log since the start, by event.");
    for (std::size_t i = 0; i < events->keys.size() && i < events->items.size(); ++i)
      m.sample(events->number_or(events->keys[i], 0), label("event", events->keys[i]));
  }
  return m.take();
}

std::string metrics_without_daemon() {
  Metrics m;
  up(m, false);
  return m.take();
}

}  // namespace opelog::cli
