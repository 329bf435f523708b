#include "format/session_header.h"

#include <algorithm>
#include <charconv>

#include "core/fact.h"
#include "format/json_text.h"

namespace opelog::format {
namespace {

struct ReasonWord {
  EndReason reason;
  const char* word;
};
constexpr ReasonWord kReasons[] = {
    {EndReason::kExit, "exit"},   {EndReason::kHangup, "hangup"},   {EndReason::kKilled, "killed"},
    {EndReason::kShim, "shim"},   {EndReason::kFailure, "failure"}, {EndReason::kShutdown, "shutdown"},
    {EndReason::kLimit, "limit"}, {EndReason::kIdle, "idle"},       {EndReason::kCrash, "crash"},
};

struct KeptWord {
  Kept kept;
  const char* word;
};
constexpr KeptWord kKeptWords[] = {
    {Kept::kTerminal, "terminal"}, {Kept::kFile, "file"}, {Kept::kDevice, "device"}, {Kept::kOther, "other"}};

/// Adds strings within their bound and remembers which were cut.
class Fields {
 public:
  Fields& text(std::string_view key, std::string_view value, std::size_t limit = kMaxFieldBytes) {
    if (value.size() > limit) {
      if (!cut_.empty()) cut_ += ',';
      append_json_string(cut_, key);
      value = value.substr(0, limit);
    }
    json_.text(key, value);
    return *this;
  }
  JsonObject& json() { return json_; }
  std::string take() && {
    if (!cut_.empty()) json_.raw("cut", "[" + cut_ + "]");
    return std::move(json_).take();
  }

 private:
  JsonObject json_;
  std::string cut_;
};

/// A value for the first line's NAME="…": no quote, no control character, bounded.
std::string quotable(std::string_view text) {
  constexpr std::size_t kRoom = 512;
  std::string safe = printable(text.substr(0, kRoom));
  if (text.size() > kRoom) safe += "...";
  std::replace(safe.begin(), safe.end(), '"', '\'');
  return safe;
}

std::string start_text(WallUs started) {
  std::string text = format_utc(started, 0);
  if (text.size() > 10 && text[10] == 'T') text[10] = ' ';
  return text;
}

std::string ancestry_json(const std::vector<Ancestor>& ancestry) {
  std::string list = "[";
  for (std::size_t i = 0; i < ancestry.size() && i < kMaxAncestors; ++i) {
    if (i > 0) list += ',';
    Fields one;
    one.json().number("pid", ancestry[i].pid).number_u("uid", ancestry[i].uid);
    one.text("exe", ancestry[i].exe);
    list += std::move(one).take();
  }
  JsonObject all;
  all.raw("ancestors", list + "]");
  if (ancestry.size() > kMaxAncestors) all.raw("cut", "[\"ancestors\"]");
  return std::move(all).take();
}

std::string session_json(const SessionInfo& info, const HeaderFacts& facts) {
  Fields session;
  session.json().number("format", kFormatVersion);
  session.text("id", info.id)
      .text("host", info.host)
      .text("host_id", info.host_id)
      .text("boot_id", info.boot_id);
  session.json().number("started_us", info.started);
  session.text("how", info.how);
  session.json().boolean("terminal", info.terminal);
  session.text("tty", info.tty).text("inner_tty", info.inner_tty).text("term", info.term);
  session.json().number("rows", info.rows).number("cols", info.cols);
  session.text("shell", info.shell);
  session.json().boolean("append_only", facts.append_only);
  if (!info.left_by.empty()) session.text("left_by", info.left_by);
  return std::move(session).take();
}

std::string number_text(std::int64_t us) {
  char buffer[32];
  // The digits of an O record's delay, without the rest of the line.
  const std::int64_t positive = std::max<std::int64_t>(us, 0);
  char* end = std::to_chars(buffer, buffer + 20, positive / 1000000).ptr;
  *end++ = '.';
  const std::string fraction = std::to_string(1000000 + positive % 1000000);
  return std::string(buffer, end) + fraction.substr(1);
}

void take_session(const JsonValue& json, SessionInfo& info, bool& append_only) {
  info.id = json.text_or("id", "");
  info.host = json.text_or("host", "");
  info.host_id = json.text_or("host_id", "");
  info.boot_id = json.text_or("boot_id", "");
  info.started = json.number_or("started_us", info.started);
  info.how = json.text_or("how", "");
  info.terminal = json.boolean_or("terminal", false);
  info.tty = json.text_or("tty", "");
  info.inner_tty = json.text_or("inner_tty", "");
  info.term = json.text_or("term", "");
  info.rows = static_cast<int>(std::clamp<std::int64_t>(json.number_or("rows", 0), 0, 65535));
  info.cols = static_cast<int>(std::clamp<std::int64_t>(json.number_or("cols", 0), 0, 65535));
  info.shell = json.text_or("shell", "");
  append_only = json.boolean_or("append_only", true);
  info.left_by = json.text_or("left_by", "");
}

std::uint32_t id_or(const JsonValue& json, std::string_view key, std::uint32_t fallback) {
  const std::uint64_t n = json.number_u_or(key, fallback);
  return n <= 0xffffffffU ? static_cast<std::uint32_t>(n) : fallback;
}

void take_ancestry(const JsonValue& json, SessionInfo& info) {
  const JsonValue* list = json.find("ancestors");
  if (list == nullptr || list->kind != JsonValue::Kind::kArray) return;
  info.ancestry.clear();
  for (const JsonValue& one : list->items) {
    if (info.ancestry.size() == kMaxAncestors) return;
    info.ancestry.push_back({one.number_or("pid", 0), id_or(one, "uid", 0), one.text_or("exe", "")});
  }
}

void take_kept(const JsonValue& json, SessionInfo& info) {
  for (std::size_t i = 0; i < info.kept.size(); ++i) {
    info.kept[i] = Kept::kNot;
    if (json.find(kStreamNames[i]) == nullptr) continue;
    info.kept[i] = Kept::kOther;  // also for a word of a later version
    const std::string word = json.text_or(kStreamNames[i], "");
    for (const auto& one : kKeptWords) {
      if (word == one.word) info.kept[i] = one.kept;
    }
  }
}

void take_ours(std::string_view name, const JsonValue& json, HeaderDecoder& decoder) {
  SessionInfo& info = decoder.info;
  if (name == kOpelogSession) {
    take_session(json, info, decoder.append_only);
  } else if (name == kOpelogUser) {
    info.user = json.text_or("user", "");
    info.uid = id_or(json, "uid", 0);
    info.gid = id_or(json, "gid", 0);
    info.loginuid = id_or(json, "loginuid", 0xffffffff);
    info.audit_session = id_or(json, "audit_session", 0xffffffff);
    info.shim_pid = json.number_or("shim_pid", 0);
  } else if (name == kOpelogClient) {
    info.client = json.text_or("address", "");
    const std::uint64_t port = json.number_u_or("port", 0);
    info.client_port = port <= 65535 ? static_cast<std::uint16_t>(port) : std::uint16_t{0};
    info.client_claimed = json.boolean_or("claimed", false);
  } else if (name == kOpelogAncestry) {
    take_ancestry(json, info);
  } else if (name == kOpelogCommand) {
    if (json.find("command") != nullptr) info.command = json.text_or("command", "");
    if (json.find("original") != nullptr) info.original = json.text_or("original", "");
  } else if (name == kOpelogKept) {
    take_kept(json, info);
  } else if (name == kOpelogPolicy) {
    info.rule = json.text_or("rule", "");
    info.policy_digest = json.text_or("digest", "");
    info.records_input = json.boolean_or("input", false);
    info.records_payload = json.boolean_or("payload", false);
  }
}

int size_or_zero(const std::string& text) {
  int n = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), n);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() && n > 0 && n <= 65535 ? n : 0;
}

/// "NAME:2/3" taken apart; false if it is not a part's name.
bool split_part(std::string_view text, std::string_view& name, unsigned& part, unsigned& parts) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  const char* end = text.data() + text.size();
  auto first = std::from_chars(text.data() + colon + 1, end, part);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != '/') return false;
  auto second = std::from_chars(first.ptr + 1, end, parts);
  if (second.ec != std::errc() || second.ptr != end) return false;
  if (part < 1 || part > parts || parts > kMaxParts) return false;
  name = text.substr(0, colon);
  return true;
}

bool ends_torn(std::string_view text) noexcept {
  return text.size() >= kTornMark.size() && text.substr(text.size() - kTornMark.size()) == kTornMark;
}

Note finish(std::string name, std::string value, bool torn) {
  if (!torn && !value.empty() && value.front() == '"' &&
      name.compare(0, kOurPrefix.size(), kOurPrefix) == 0) {
    if (auto json = parse_json(value); json && json->kind == JsonValue::Kind::kText)
      value = std::move(json->string);
  }
  return Note{std::move(name), std::move(value), torn};
}

}  // namespace

const char* kept_word(Kept kept) noexcept {
  for (const auto& one : kKeptWords) {
    if (one.kept == kept) return one.word;
  }
  return "";
}

const char* end_reason_word(EndReason reason) noexcept {
  for (const auto& one : kReasons) {
    if (one.reason == reason) return one.word;
  }
  return "exit";
}

std::optional<EndReason> parse_end_reason(const std::string& word) noexcept {
  for (const auto& one : kReasons) {
    if (word == one.word) return one.reason;
  }
  return std::nullopt;
}

std::string encode_first_line(const SessionInfo& info) {
  std::string line = "Script started on " + start_text(info.started) + " [";
  if (info.command) line += "COMMAND=\"" + quotable(*info.command) + "\" ";
  if (info.terminal) {
    if (!info.term.empty()) line += "TERM=\"" + quotable(info.term) + "\" ";
    const std::string& tty = info.inner_tty.empty() ? info.tty : info.inner_tty;
    if (!tty.empty()) line += "TTY=\"" + quotable(tty) + "\" ";
    line += "COLUMNS=\"" + std::to_string(info.cols) + "\" LINES=\"" + std::to_string(info.rows) + "\"]\n";
  } else {
    line += "<not executed on terminal>]\n";
  }
  return line;
}

std::string encode_header(const SessionInfo& info, const HeaderFacts& facts) {
  // OPELOG_SESSION comes first: however little a crash leaves, it tells whose file this is.
  std::string lines = encode_note(0, kOpelogSession, session_json(info, facts));
  lines += encode_text_header(kStartTime, start_text(info.started));
  const auto standard = [&](std::string_view name, std::string_view text) {
    if (!text.empty()) lines += encode_text_header(name, text);
  };
  if (info.terminal) {
    standard(kTerm, info.term);
    standard(kTty, info.inner_tty.empty() ? info.tty : info.inner_tty);
    standard(kColumns, std::to_string(info.cols));
    standard(kLines, std::to_string(info.rows));
  }
  standard(kShell, info.shell);
  if (info.command) standard(kCommand, *info.command);
  standard(kTimingLog, facts.name + ".time");
  standard(kOutputLog, facts.name + ".log");
  if (facts.input) standard(kInputLog, facts.name + ".in");

  Fields user;
  user.text("user", info.user);
  user.json().number_u("uid", info.uid).number_u("gid", info.gid).number_u("loginuid", info.loginuid);
  user.json().number_u("audit_session", info.audit_session).number("shim_pid", info.shim_pid);
  lines += encode_note(0, kOpelogUser, std::move(user).take());
  Fields client;
  client.text("address", info.client);
  client.json().number("port", info.client_port).boolean("claimed", info.client_claimed);
  lines += encode_note(0, kOpelogClient, std::move(client).take());
  if (!info.ancestry.empty()) lines += encode_note(0, kOpelogAncestry, ancestry_json(info.ancestry));
  if (info.command || info.original) {
    Fields command;
    if (info.command) command.text("command", *info.command, kMaxTextBytes);
    if (info.original) command.text("original", *info.original, kMaxTextBytes);
    lines += encode_note(0, kOpelogCommand, std::move(command).take());
  }
  if (info.kept != std::array<Kept, 3>{}) {
    JsonObject kept;
    for (std::size_t i = 0; i < info.kept.size(); ++i) {
      if (info.kept[i] != Kept::kNot) kept.text(kStreamNames[i], kept_word(info.kept[i]));
    }
    lines += encode_note(0, kOpelogKept, std::move(kept).take());
  }
  Fields policy;
  policy.text("rule", info.rule).text("digest", info.policy_digest);
  policy.json().boolean("input", info.records_input).boolean("payload", info.records_payload);
  lines += encode_note(0, kOpelogPolicy, std::move(policy).take());
  return lines;
}

std::string encode_gap(std::int64_t delay_us, const GapInfo& gap) {
  Fields json;
  json.text("what", gap.what).text("why", gap.why);
  json.json().number_u("bytes", gap.bytes);
  if (gap.count != 0) json.json().number_u("count", gap.count);
  return encode_note(delay_us, kOpelogGap, std::move(json).take());
}

std::string encode_end(std::int64_t delay_us, std::int64_t duration_us, const EndInfo& end) {
  // The delay stands on the last record: util-linux writes its two with none.
  std::string lines = encode_text_header(kDuration, number_text(duration_us));
  if (end.exit_code) {
    lines += encode_text_header(kExitCode, std::to_string(*end.exit_code));
  } else if (end.signal) {
    lines += encode_text_header(kExitCode, std::to_string(128 + *end.signal));
  }
  JsonObject json;
  json.text("reason", end_reason_word(end.reason));
  if (end.exit_code) json.number("exit_code", *end.exit_code);
  if (end.signal) json.number("signal", *end.signal);
  json.number_u("bytes_out", end.bytes_out)
      .number_u("bytes_err", end.bytes_err)
      .number_u("bytes_in", end.bytes_in);
  json.number("duration_us", duration_us);
  return lines + encode_note(delay_us, kOpelogEnd, std::move(json).take());
}

std::optional<Note> NoteJoiner::drain() {
  if (parts_ == 0) return std::nullopt;
  parts_ = 0;
  return finish(std::move(name_), std::move(value_), true);
}

std::optional<Note> NoteJoiner::add(const HeaderRecord& record, bool& taken) {
  std::string_view name;
  unsigned part = 0;
  unsigned parts = 0;
  const bool is_part = split_part(record.name, name, part, parts);
  const bool follows = is_part && parts_ != 0 && name == name_ && part == next_ && parts == parts_;
  if (parts_ != 0 && !follows) {
    taken = false;
    return drain();
  }
  taken = true;
  if (!is_part) return finish(record.name, record.value, ends_torn(record.value) || ends_torn(record.name));
  if (!follows) {
    name_ = name;
    value_.clear();
    next_ = 1;
    parts_ = parts;
    if (part != 1) {  // the head is missing: what there is counts as torn
      value_ = record.value;
      return drain();
    }
  }
  if (value_.size() + record.value.size() > kMaxNoteBytes + kMaxLineBytes) return drain();
  value_ += record.value;
  ++next_;
  if (ends_torn(record.value)) return drain();
  if (part < parts) return std::nullopt;
  parts_ = 0;
  return finish(std::move(name_), std::move(value_), false);
}

bool HeaderDecoder::is_header_name(std::string_view name) {
  static constexpr std::string_view kNames[] = {
      kStartTime,    kTerm,           kTty,           kColumns,    kLines,         kShell,
      kCommand,      kTimingLog,      kOutputLog,     kInputLog,   kOpelogSession, kOpelogUser,
      kOpelogClient, kOpelogAncestry, kOpelogCommand, kOpelogKept, kOpelogPolicy,  kOpelogOpened};
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

bool HeaderDecoder::take(const Note& note) {
  const bool ours = note.name.compare(0, kOurPrefix.size(), kOurPrefix) == 0;
  if (!begun_) native = ours;
  begun_ = true;
  if (!is_header_name(note.name)) return false;
  if (ours) {
    if (auto json = parse_json(note.value); json && json->kind == JsonValue::Kind::kObject) {
      take_ours(note.name, *json, *this);
    }
    return true;
  }
  if (note.name == kStartTime && !native) info.started = parse_start_time(note.value).value_or(info.started);
  if (note.name == kOutputLog) output_log = note.value;
  if (note.name == kInputLog) input_log = note.value;
  if (native) return true;  // ours say it exactly; these are for other tools
  if (note.name == kTerm) info.term = note.value;
  if (note.name == kTty) info.tty = note.value;
  if (note.name == kShell) info.shell = note.value;
  if (note.name == kCommand) info.command = note.value;
  if (note.name == kColumns) info.cols = size_or_zero(note.value);
  if (note.name == kLines) info.rows = size_or_zero(note.value);
  if (note.name == kTty || note.name == kTerm) info.terminal = true;
  return true;
}

std::optional<GapInfo> decode_gap(const Note& note) {
  if (note.name != kOpelogGap) return std::nullopt;
  const auto json = parse_json(note.value);
  if (!json || json->kind != JsonValue::Kind::kObject) return std::nullopt;
  return GapInfo{json->text_or("what", ""), json->text_or("why", ""), json->number_u_or("bytes", 0),
                 json->number_u_or("count", 0)};
}

std::optional<EndRecord> decode_end(const Note& note) {
  if (note.name != kOpelogEnd) return std::nullopt;
  const auto json = parse_json(note.value);
  if (!json || json->kind != JsonValue::Kind::kObject) return std::nullopt;
  const auto reason = parse_end_reason(json->text_or("reason", ""));
  if (!reason) return std::nullopt;
  EndRecord end;
  end.info.reason = *reason;
  const auto small = [&](std::string_view key) -> std::optional<int> {
    const std::int64_t n = json->number_or(key, -1);
    return n >= 0 && n <= 65535 ? std::optional<int>(static_cast<int>(n)) : std::nullopt;
  };
  end.info.exit_code = small("exit_code");
  end.info.signal = small("signal");
  end.info.bytes_out = json->number_u_or("bytes_out", 0);
  end.info.bytes_err = json->number_u_or("bytes_err", 0);
  end.info.bytes_in = json->number_u_or("bytes_in", 0);
  end.duration_us = std::clamp<std::int64_t>(json->number_or("duration_us", 0), 0, kMaxTimeUs);
  return end;
}

std::optional<std::int64_t> parse_duration(std::string_view text) {
  TimingRecord record;
  if (!parse_timing_line(std::string(text) + " 1", true, record).empty()) return std::nullopt;
  return delay_of(record);
}

std::optional<WallUs> parse_start_time(std::string_view text) {
  // 2026-11-22 17:06:26+00:00
  if (text.size() != 25) return std::nullopt;
  const auto number = [&](std::size_t at, std::size_t digits) -> std::int64_t {
    std::int64_t n = 0;
    for (std::size_t i = at; i < at + digits; ++i) {
      if (text[i] < '0' || text[i] > '9') return -1;
      n = n * 10 + (text[i] - '0');
    }
    return n;
  };
  const bool shape = text[4] == '-' && text[7] == '-' && (text[10] == ' ' || text[10] == 'T') &&
                     text[13] == ':' && text[16] == ':' && (text[19] == '+' || text[19] == '-') &&
                     text[22] == ':';
  const std::int64_t year = number(0, 4);
  const std::int64_t month = number(5, 2);
  const std::int64_t day = number(8, 2);
  const std::int64_t hour = number(11, 2);
  const std::int64_t minute = number(14, 2);
  const std::int64_t second = number(17, 2);
  const std::int64_t zone_hour = number(20, 2);
  const std::int64_t zone_minute = number(23, 2);
  if (!shape || year < 1970 || month < 1 || month > 12 || day < 1 || day > 31 || hour < 0 || hour > 23 ||
      minute < 0 || minute > 59 || second < 0 || second > 60 || zone_hour < 0 || zone_hour > 23 ||
      zone_minute < 0 || zone_minute > 59) {
    return std::nullopt;
  }
  // Days since 1970-01-01 in the Gregorian calendar, years beginning in March so that leap days come last.
  const std::int64_t y = month <= 2 ? year - 1 : year;
  const std::int64_t m = month <= 2 ? month + 9 : month - 3;
  const std::int64_t days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
  const std::int64_t zone = (zone_hour * 60 + zone_minute) * (text[19] == '-' ? -60 : 60);
  return (days * 86400 + hour * 3600 + minute * 60 + second - zone) * kUsPerS;
}

}  // namespace opelog::format
