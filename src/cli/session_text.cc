#include "cli/session_text.h"

#include <algorithm>
#include <cstring>

#include "cli/csv_text.h"
#include "cli/time_text.h"
#include "format/json_text.h"

namespace opelog::cli {
namespace {

constexpr std::size_t kCommandShown = 200;  ///< bytes of a command line in a sentence

// Without a terminal, in a recording of ours; plain script does not know.
bool is_streams(const format::SessionInfo& info) {
  return !info.terminal && !info.id.empty();
}

// The counters of an end that was written by the daemon that counted.
bool is_counted(const std::optional<format::EndInfo>& end) {
  return end && end->reason != format::EndReason::kCrash;
}

}  // namespace

const char* state_colour(format::RecordingState state) noexcept {
  switch (state) {
    case format::RecordingState::kLive:
      return "32";
    case format::RecordingState::kTorn:
      return "33";
    case format::RecordingState::kCorrupt:
      return "31";
    default:
      return "";
  }
}

std::string exit_text(const std::optional<format::EndInfo>& end) {
  if (!end) return "-";
  if (end->exit_code) return std::to_string(*end->exit_code);
  if (end->signal) {
    const char* name = ::sigabbrev_np(*end->signal);
    return name != nullptr ? std::string("SIG") + name : "signal " + std::to_string(*end->signal);
  }
  return format::end_reason_word(end->reason);
}

std::string ending_text(const std::optional<format::EndInfo>& end) {
  if (end && end->reason != format::EndReason::kExit) return format::end_reason_word(end->reason);
  return exit_text(end);
}

bool user_claimed(const format::RecordingSummary& summary) noexcept {
  return summary.files_uid != 0 && summary.files_user != summary.info.user;
}

std::string size_text(const format::RecordingSummary& summary) {
  if (!is_streams(summary.info)) return format_size(summary.log_bytes);
  if (is_counted(summary.end)) return format_size(summary.end->bytes_out + summary.end->bytes_in);
  return summary.info.records_payload ? format_size(summary.log_bytes) : "-";
}

std::string streams_text(const format::SessionInfo& info, const std::optional<format::EndInfo>& end) {
  if (!is_streams(info)) return "";
  if (info.records_payload && (!is_counted(end) || end->bytes_out > 0)) return "";
  const std::string command = info.command ? *info.command : info.original.value_or("");
  std::string text = "a session without a terminal: ";
  if (command.empty())
    text += "a shell";
  else
    text += "\"" + command.substr(0, kCommandShown) + (command.size() > kCommandShown ? "...\"" : "\"");
  if (is_counted(end)) {
    text += ", " + std::to_string(end->bytes_out) + " bytes out (" + std::to_string(end->bytes_err) +
            " of them stderr), " + std::to_string(end->bytes_in) + " in";
  }
  text += info.records_payload ? "; there was no output" : "; the bytes are counted, not recorded";
  const std::string kept = kept_text(info);
  return kept.empty() ? text : text + "; left to the shell, and not counted: " + kept;
}

std::string kept_text(const format::SessionInfo& info) {
  std::string text;
  for (std::size_t i = 0; i < info.kept.size(); ++i) {
    if (info.kept[i] == format::Kept::kNot) continue;
    if (!text.empty()) text += ", ";
    text += format::kStreamNames[i] + std::string(" (") + format::kept_word(info.kept[i]) + ")";
  }
  return text;
}

std::string gaps_text(const format::GapSums& gaps) {
  if (gaps.gaps == 0) return "";
  std::string text = std::to_string(gaps.gaps) + " (";
  for (const format::GapSum& kind : gaps.kinds) {
    if (&kind != &gaps.kinds.front()) text += "; ";
    text += kind.what;
    if (kind.count > 0) text += ", " + std::to_string(kind.count) + " events";
    if (kind.bytes > 0) text += ", " + std::to_string(kind.bytes) + " bytes";
  }
  return text + "), the first at " + format_length(gaps.first_us);
}

std::int64_t length_of(const format::RecordingSummary& summary, WallUs now) {
  if (summary.state != format::RecordingState::kLive || summary.info.started == 0) return summary.duration_us;
  return std::max(summary.duration_us, now - summary.info.started);
}

std::string summary_csv_titles() {
  return "session,recording,user,client,time,length,end,size,state\r\n";
}

std::string summary_csv_line(const format::RecordingSummary& summary, const std::string& started,
                             WallUs now) {
  const auto& info = summary.info;
  const std::string size = size_text(summary);
  return csv_text(info.id) + ',' + csv_text(summary.name) + ',' +
         csv_text(info.user + (user_claimed(summary) ? "?" : "")) + ',' +
         csv_text(info.client + (info.client_claimed ? "?" : "")) + ',' + csv_text(started) + ',' +
         csv_text(format_length(length_of(summary, now))) + ',' +
         csv_text(summary.end ? ending_text(summary.end) : "") + ',' + (size == "-" ? "" : size) + ',' +
         format::state_word(summary.state) + "\r\n";
}

std::string summary_json(const format::RecordingSummary& summary, const format::GapSums* gaps) {
  const auto& info = summary.info;
  format::JsonObject json;
  json.text("id", info.id)
      .text("name", summary.name)
      .text("path", summary.path)
      .text("state", format::state_word(summary.state));
  json.text("user", info.user);
  if (!info.id.empty())
    json.number_u("uid", info.uid).number_u("gid", info.gid);
  else
    json.raw("uid", "null").raw("gid", "null");  // plain script does not know
  json.text("client", info.client)
      .number_u("client_port", info.client_port)
      .boolean("client_claimed", info.client_claimed);
  if (info.started != 0)
    json.text("started", format_utc(info.started, 6));
  else
    json.raw("started", "null");
  json.number("duration_us", summary.duration_us).number_u("log_bytes", summary.log_bytes);
  json.number_u("files_uid", summary.files_uid);
  if (!summary.stored.empty()) json.text("stored", summary.stored);
  if (!info.left_by.empty()) json.text("left_by", info.left_by);
  json.text("how", info.how).boolean("terminal", info.terminal).text("tty", info.tty).text("term", info.term);
  json.number("rows", info.rows).number("cols", info.cols).text("shell", info.shell);
  info.command ? json.text("command", *info.command) : json.raw("command", "null");
  info.original ? json.text("original_command", *info.original) : json.raw("original_command", "null");
  json.text("host", info.host).text("host_id", info.host_id).text("boot_id", info.boot_id);
  json.text("rule", info.rule).text("policy_digest", info.policy_digest);
  json.boolean("records_input", info.records_input).boolean("records_payload", info.records_payload);
  format::JsonObject kept;
  for (std::size_t i = 0; i < info.kept.size(); ++i) {
    if (info.kept[i] != format::Kept::kNot)
      kept.text(format::kStreamNames[i], format::kept_word(info.kept[i]));
  }
  json.raw("kept", std::move(kept).take());
  std::string ancestry = "[";
  for (const auto& a : info.ancestry) {
    if (ancestry.size() > 1) ancestry += ',';
    format::JsonObject one;
    one.number("pid", a.pid).number_u("uid", a.uid).text("exe", a.exe);
    ancestry += std::move(one).take();
  }
  json.raw("ancestry", ancestry + "]");
  if (summary.end) {
    const auto& end = *summary.end;
    json.text("end_reason", format::end_reason_word(end.reason));
    end.exit_code ? json.number("exit_code", *end.exit_code) : json.raw("exit_code", "null");
    end.signal ? json.number("signal", *end.signal) : json.raw("signal", "null");
    json.number_u("bytes_out", end.bytes_out)
        .number_u("bytes_err", end.bytes_err)
        .number_u("bytes_in", end.bytes_in);
  } else {
    json.raw("end_reason", "null").raw("exit_code", "null").raw("signal", "null");
  }
  if (gaps != nullptr) {
    format::JsonObject all;
    all.number_u("count", gaps->gaps);
    gaps->gaps > 0 ? all.number("first_us", gaps->first_us) : all.raw("first_us", "null");
    std::string kinds = "[";
    for (const format::GapSum& kind : gaps->kinds) {
      if (kinds.size() > 1) kinds += ',';
      format::JsonObject one;
      one.text("what", kind.what).number_u("count", kind.gaps);
      one.number_u("bytes", kind.bytes).number_u("events", kind.count);
      kinds += std::move(one).take();
    }
    all.raw("kinds", kinds + "]");
    json.raw("gaps", std::move(all).take());
  }
  if (!summary.problem.empty()) json.text("problem", summary.problem);
  return std::move(json).take();
}

}  // namespace opelog::cli
