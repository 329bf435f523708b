#include "format/exec_record.h"

#include <algorithm>

#include "format/json_text.h"

namespace opelog::format {
namespace {

// The words of "cut" and "missing".
constexpr std::string_view kArgv = "argv", kExe = "exe", kCwd = "cwd", kFile = "file", kTtyMember = "tty";

void add_word(std::string& list, std::string_view word) {
  if (!list.empty()) list += ',';
  append_json_string(list, word);
}

bool has_word(const JsonValue& json, std::string_view member, std::string_view word) {
  const JsonValue* list = json.find(member);
  if (list == nullptr || list->kind != JsonValue::Kind::kArray) return false;
  return std::any_of(list->items.begin(), list->items.end(), [word](const JsonValue& one) {
    return one.kind == JsonValue::Kind::kText && one.string == word;
  });
}

// A path that is cut keeps its end: that is what tells one program from another.
std::string_view within_field(std::string_view path, std::string& cut, std::string_view word, bool already) {
  const bool longer = path.size() > kMaxFieldBytes;
  if (longer || already) add_word(cut, word);
  return longer ? path.substr(path.size() - kMaxFieldBytes) : path;
}

void put_place(JsonObject& json, const ExecPlace& place) {
  json.number("at_us", place.at_us).number_u("out", place.out);
  if (place.before_us > 0) json.number("before_us", place.before_us);
}

ExecPlace take_place(const JsonValue& json) {
  const auto time = [&json](std::string_view member) {
    return std::clamp<std::int64_t>(json.number_or(member, 0), 0, kMaxTimeUs);
  };
  ExecPlace place{time("at_us"), json.number_u_or("out", 0), time("before_us")};
  if (place.at_us > 0) place.before_us = 0;  // it cannot be both
  return place;
}

std::uint32_t small_or(const JsonValue& json, std::string_view member, std::uint32_t fallback) {
  const std::uint64_t n = json.number_u_or(member, fallback);
  return n <= 0xffffffffU ? static_cast<std::uint32_t>(n) : fallback;
}

std::optional<JsonValue> object_of(const Note& note, std::string_view name) {
  if (note.name != name || note.torn) return std::nullopt;
  auto json = parse_json(note.value);
  if (!json || json->kind != JsonValue::Kind::kObject) return std::nullopt;
  return json;
}

}  // namespace

std::string exec_value(const ExecPlace& place, const ExecInfo& info) {
  std::string cut;
  std::string missing;
  std::string argv;
  std::size_t room = kMaxArgumentBytes;
  bool argv_cut = info.argv_cut;
  std::uint64_t bytes = 0;  // as a reader adds them up
  for (const std::string& one : info.argv) {
    if (room == 0) {
      argv_cut = true;
      break;
    }
    if (!argv.empty()) argv += ',';
    const std::size_t kept = std::min(one.size(), room);
    append_json_string(argv, std::string_view(one).substr(0, kept));
    argv_cut = argv_cut || kept < one.size();
    bytes += kept + 1;
    room -= std::min(room, one.size() + 1);
  }
  JsonObject json;
  put_place(json, place);
  json.number("pid", info.pid).number("ppid", info.parent);
  json.number_u("uid", info.uid).number_u("euid", info.euid);
  json.number_u("loginuid", info.loginuid).number_u("audit_session", info.audit_session);
  json.text("tty", within_field(info.tty, cut, kTtyMember, false));
  json.text("file", within_field(info.file, cut, kFile, false));
  json.text("exe", within_field(info.exe, cut, kExe, info.exe_cut));
  json.text("cwd", within_field(info.cwd, cut, kCwd, info.cwd_cut));
  json.raw("argv", "[" + argv + "]");
  if (info.foreign_mounts) json.boolean("foreign_mounts", true);
  if (argv_cut) add_word(cut, kArgv);
  if (info.argv_missing) add_word(missing, kArgv);
  if (info.exe_missing) add_word(missing, kExe);
  if (info.cwd_missing) add_word(missing, kCwd);
  if (info.argc != info.argv.size() || argv_cut || info.argument_bytes != bytes)
    json.number_u("argc", info.argc).number_u("argv_bytes", info.argument_bytes);
  if (!cut.empty()) json.raw("cut", "[" + cut + "]");
  if (!missing.empty()) json.raw("missing", "[" + missing + "]");
  return std::move(json).take();
}

std::string exit_value(const ExecPlace& place, const ExitInfo& info) {
  JsonObject json;
  put_place(json, place);
  json.number("pid", info.pid).number("ppid", info.parent);
  if (info.exit_code) {
    json.number("exit_code", *info.exit_code);
  } else if (info.signal) {
    json.number("signal", *info.signal);
  }
  json.number_u("execs", info.execs).number("duration_us", info.duration_us);
  return std::move(json).take();
}

std::optional<ExecRecord> decode_exec(const Note& note) {
  const auto json = object_of(note, kOpelogExec);
  if (!json) return std::nullopt;
  ExecRecord record;
  record.place = take_place(*json);
  ExecInfo& info = record.info;
  info.pid = json->number_or("pid", 0);
  info.parent = json->number_or("ppid", 0);
  info.uid = small_or(*json, "uid", 0);
  info.euid = small_or(*json, "euid", 0);
  info.loginuid = small_or(*json, "loginuid", info.loginuid);
  info.audit_session = small_or(*json, "audit_session", info.audit_session);
  info.tty = json->text_or("tty", "");
  info.file = json->text_or("file", "");
  info.exe = json->text_or("exe", "");
  info.cwd = json->text_or("cwd", "");
  if (const JsonValue* argv = json->find("argv"); argv != nullptr && argv->kind == JsonValue::Kind::kArray) {
    for (const JsonValue& one : argv->items) {
      info.argv.push_back(one.kind == JsonValue::Kind::kText ? one.string : std::string());
      info.argument_bytes += info.argv.back().size() + 1;
    }
  }
  info.argc = json->number_u_or("argc", info.argv.size());
  info.argument_bytes = json->number_u_or("argv_bytes", info.argument_bytes);
  info.foreign_mounts = json->boolean_or("foreign_mounts", false);
  info.argv_cut = has_word(*json, "cut", kArgv);
  info.exe_cut = has_word(*json, "cut", kExe);
  info.cwd_cut = has_word(*json, "cut", kCwd);
  info.argv_missing = has_word(*json, "missing", kArgv);
  info.exe_missing = has_word(*json, "missing", kExe);
  info.cwd_missing = has_word(*json, "missing", kCwd);
  return record;
}

std::optional<ExitRecord> decode_exit(const Note& note) {
  const auto json = object_of(note, kOpelogExit);
  if (!json) return std::nullopt;
  ExitRecord record;
  record.place = take_place(*json);
  record.info.pid = json->number_or("pid", 0);
  record.info.parent = json->number_or("ppid", 0);
  const auto status = [&](std::string_view member) -> std::optional<int> {
    const std::int64_t n = json->number_or(member, -1);
    return n >= 0 && n <= 255 ? std::optional<int>(static_cast<int>(n)) : std::nullopt;
  };
  record.info.exit_code = status("exit_code");
  if (!record.info.exit_code) record.info.signal = status("signal");
  record.info.execs = small_or(*json, "execs", 0);
  record.info.duration_us = std::clamp<std::int64_t>(json->number_or("duration_us", 0), 0, kMaxTimeUs);
  return record;
}

}  // namespace opelog::format
