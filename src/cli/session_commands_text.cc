#include "cli/session_commands_text.h"

#include <algorithm>
#include <map>

#include "cli/csv_text.h"
#include "cli/time_text.h"
#include "core/fact.h"
#include "format/json_text.h"
#include "replay/command_words.h"

namespace opelog::cli {
namespace {

// uids of another host mean nothing here: only the session's own and root have a name.
std::string user_of(std::uint32_t uid, const format::SessionInfo& info) {
  if (uid == info.uid) return info.user;
  return uid == 0 ? "root" : std::to_string(uid);
}

std::string exit_word(const replay::ExecEvent& event) {
  if (event.signal > 0) return "SIG" + std::to_string(event.signal);
  return event.exit_code >= 0 ? std::to_string(event.exit_code) : "-";
}

/// Of a command's text in a list on a screen: no screen is wider.
constexpr std::size_t kLabelBytes = 4096;

bool is_failed(const std::string& status) {
  return status != "0" && status != "-";
}

// A command that was told of by its own process only is that process.
bool is_itself(const replay::Command& command, const replay::ExecEvent& event) {
  return command.known == replay::KnownBy::kExec && event.at_us == command.begin_us &&
         event.before_us == command.before_us && event.argv == command.text;
}

// Processes of one command, children behind their parent.
std::vector<std::pair<std::size_t, int>> tree_of(const replay::SessionCommandList& list,
                                                 const replay::Command& command) {
  std::multimap<std::int64_t, std::size_t> children;  // by parent's pid, in order of time
  std::map<std::int64_t, int> depth;                  // of pids
  std::vector<std::size_t> order = command.execs;
  const auto when = [&list](std::size_t i) { return list.events[i].at_us - list.events[i].before_us; };
  std::stable_sort(order.begin(), order.end(),
                   [&when](std::size_t a, std::size_t b) { return when(a) < when(b); });
  std::vector<std::pair<std::size_t, int>> rows;
  // A parent has executed something before its children, or belongs to no command: then they stand on top.
  for (const std::size_t i : order) {
    const replay::ExecEvent& event = list.events[i];
    const auto parent = depth.find(event.ppid);
    const auto self = depth.find(event.pid);
    const int level = self != depth.end() ? self->second : parent != depth.end() ? parent->second + 1 : 1;
    depth[event.pid] = level;
    rows.emplace_back(i, level);
  }
  return rows;
}

std::optional<int> code_of(const replay::ExecEvent& event) {
  if (event.signal > 0) return 128 + event.signal;
  return event.exit_code >= 0 ? std::optional(event.exit_code) : std::nullopt;
}

// What every object of a report says of the session, before what it says of the command.
void add_session(format::JsonObject& object, const format::SessionInfo& info, const std::string& recording,
                 std::int64_t at_us) {
  info.started == 0 ? object.raw("time", "null") : object.text("time", format_utc(info.started + at_us));
  object.text("recording", recording).text("session_user", info.user).text("client", info.client);
  if (info.client_claimed) object.boolean("client_claimed", true);
}

void add_command(format::JsonObject& object, const replay::Command& command,
                 const format::SessionInfo& info) {
  object.text("session", info.id);
  if (command.number > 0) object.number_u("number", command.number);
  object.text("text", command.text);
  object.text("known", replay::known_by_text(command.known));
  object.number("at_us", command.begin_us);
  if (command.before_us > 0) object.number("before_us", command.before_us);
  if (info.started != 0) object.number("time_us", info.started + command.begin_us - command.before_us);
  if (command.before_us == 0 && command.end_us >= 0) object.number("end_us", command.end_us);
  object.number_u("offset", command.offset);
  if (command.uid) object.text("user", user_of(*command.uid, info)).number_u("uid", *command.uid);
  if (command.status) object.number("status", *command.status);
  if (command.signal > 0) object.number("signal", command.signal);
  if (!command.cwd.empty()) object.text("cwd", command.cwd);
  if (!command.exe.empty()) object.text("exe", command.exe);
  if (!command.renamed.empty()) object.text("renamed", command.renamed);
  if (command.foreign_mounts) object.boolean("foreign_mounts", true);
  if (command.helper) object.boolean("helper", true);
  if (command.uncertain) object.boolean("uncertain", true);
  if (command.cut) object.boolean("cut", true);
}

// Lists are arrays, so the last object says what is not there.
void add_left_out(format::JsonObject& object, const replay::SessionCommandList& list) {
  if (list.left_out > 0) object.number_u("left_out", list.left_out);
  if (list.missing > 0) object.number_u("missing", list.missing);
  if (list.gaps > 0) object.number_u("gaps", list.gaps);
}

std::string event_json(const replay::ExecEvent& event, const format::SessionInfo& info) {
  format::JsonObject object;
  object.number("at_us", event.at_us);
  if (event.before_us > 0) object.number("before_us", event.before_us);
  if (event.before_us == 0 && event.end_us >= 0) object.number("end_us", event.end_us);
  object.number("pid", event.pid).number("parent", event.ppid);
  object.text("user", user_of(event.uid, info)).number_u("uid", event.uid);
  if (event.exit_code >= 0) object.number("exit_code", event.exit_code);
  if (event.signal > 0) object.number("signal", event.signal);
  object.text("text", event.argv).text("exe", event.exe).text("cwd", event.cwd);
  if (const auto name = replay::renamed(event.argv, event.exe); !name.empty()) object.text("renamed", name);
  if (event.foreign_mounts) object.boolean("foreign_mounts", true);
  return std::move(object).take();
}

}  // namespace

std::string exit_word(const replay::Command& command) {
  if (command.signal > 0) return "SIG" + std::to_string(command.signal);
  return command.status ? std::to_string(*command.status) : "-";
}

std::string marked_text(const CommandRow& row) {
  const std::string mark =
      replay::mark_of(row.program.empty() ? row.renamed : row.program, row.foreign_mounts);
  if (mark.empty()) return row.text;
  if (row.program.empty()) return row.text + "  (" + mark + ")";
  const std::size_t end = replay::first_word_end(row.text);
  return row.text.substr(0, end) + " (" + mark + ")" + row.text.substr(end);
}

std::string menu_label(const replay::Command& command) {
  const auto right = [](const std::string& text, std::size_t width) {
    return std::string(width - std::min(width, text.size()), ' ') + text;
  };
  const std::string mark = replay::mark_of(command.renamed, command.foreign_mounts);
  return right(std::to_string(command.number), 4) + ' ' + right(format_length(command.begin_us), 9) + ' ' +
         right(exit_word(command), 5) + "  " + (mark.empty() ? "" : '(' + printable(mark) + ") ") +
         replay::command_on_one_line(command.text.substr(0, kLabelBytes));
}

std::vector<CommandRow> command_rows(const replay::SessionCommandList& list, const format::SessionInfo& info,
                                     const CommandFilter& filter) {
  std::vector<CommandRow> rows;
  for (std::size_t c = 0; c < list.commands.size(); ++c) {
    const replay::Command& command = list.commands[c];
    if (command.helper && !filter.all) continue;
    CommandRow row;
    row.command = c;
    row.number = command.number;
    row.at_us = command.begin_us - command.before_us;
    row.end_us = command.before_us > 0 ? -1 : command.end_us;
    row.user = command.uid ? user_of(*command.uid, info) : "";
    row.status = exit_word(command);
    row.code = command.status;
    row.failed = is_failed(row.status);
    row.known = command.before_us > 0 ? "before"
                : command.helper      ? "helper"
                                      : replay::known_by_text(command.known);
    if (command.uncertain) row.known += "?";
    row.cwd = command.cwd;
    row.text = command.text;
    row.exe = command.exe;
    row.renamed = command.renamed;
    row.foreign_mounts = command.foreign_mounts;
    if (command.known == replay::KnownBy::kExec && !command.execs.empty())
      row.program = replay::other_name(command.text, list.events[command.execs.front()].exe);
    if (filter.failed && !row.failed) continue;
    rows.push_back(row);
    if (!filter.all) continue;
    for (const auto& [i, level] : tree_of(list, command)) {
      const replay::ExecEvent& event = list.events[i];
      if (is_itself(command, event)) continue;
      CommandRow process;
      process.command = c;
      process.event = i;
      process.depth = level;
      process.at_us = event.at_us - event.before_us;
      process.end_us = event.before_us > 0 ? -1 : event.end_us;
      process.user = user_of(event.uid, info);
      process.status = exit_word(event);
      process.code = code_of(event);
      process.failed = is_failed(process.status);
      process.known = event.before_us > 0 ? "before" : "exec";
      process.cwd = event.cwd;
      process.text = event.argv;
      process.exe = event.exe;
      process.renamed = replay::renamed(event.argv, event.exe);
      process.program = replay::other_name(event.argv, event.exe);
      process.foreign_mounts = event.foreign_mounts;
      rows.push_back(std::move(process));
    }
  }
  return rows;
}

std::string command_json(const replay::SessionCommandList& list, std::size_t index,
                         const format::SessionInfo& info, bool processes, bool last) {
  const replay::Command& command = list.commands[index];
  format::JsonObject object;
  add_command(object, command, info);
  if (processes) {
    std::string array = "[";
    for (const auto& [i, level] : tree_of(list, command)) {
      if (array.size() > 1) array += ',';
      array += event_json(list.events[i], info);
    }
    object.raw("processes", array + "]");
  }
  if (last) add_left_out(object, list);
  return std::move(object).take();
}

std::string report_json(const replay::SessionCommandList& list, const CommandRow& row,
                        const format::SessionInfo& info, const std::string& recording, bool last) {
  const replay::Command& command = list.commands[row.command];
  format::JsonObject object;
  add_session(object, info, recording, row.at_us);
  if (row.depth == 0) {
    add_command(object, command, info);
    if (last) add_left_out(object, list);
    return std::move(object).take();
  }
  const replay::ExecEvent& event = list.events[row.event];
  object.text("session", info.id).boolean("process", true);
  if (command.number > 0) object.number_u("of_number", command.number);
  object.text("text", event.argv).text("known", row.known).number("at_us", event.at_us);
  if (event.before_us > 0) object.number("before_us", event.before_us);
  if (info.started != 0) object.number("time_us", info.started + event.at_us - event.before_us);
  if (event.before_us == 0 && event.end_us >= 0) object.number("end_us", event.end_us);
  object.number_u("offset", event.offset);
  object.text("user", row.user).number_u("uid", event.uid);
  if (row.code) object.number("status", *row.code);
  if (event.signal > 0) object.number("signal", event.signal);
  if (!event.cwd.empty()) object.text("cwd", event.cwd);
  if (!event.exe.empty()) object.text("exe", event.exe);
  if (!row.renamed.empty()) object.text("renamed", row.renamed);
  if (event.foreign_mounts) object.boolean("foreign_mounts", true);
  if (command.helper) object.boolean("helper", true);
  if (last) add_left_out(object, list);
  return std::move(object).take();
}

std::string lacking_json(const replay::SessionCommandList& list, const format::SessionInfo& info,
                         const std::string& recording) {
  if (list.left_out + list.missing + list.gaps == 0) return "";
  format::JsonObject object;
  if (!recording.empty()) add_session(object, info, recording, 0);
  object.text("session", info.id);
  add_left_out(object, list);
  return std::move(object).take();
}

std::string csv_titles() {
  return "session,at,user,status,length,known,directory,depth,command,number,exe,renamed,foreign_mounts\r\n";
}

std::string csv_line(const CommandRow& row, const format::SessionInfo& info) {
  return csv_text(info.id) + ',' + csv_text(format_length(row.at_us)) + ',' + csv_text(row.user) + ',' +
         csv_text(row.status == "-" ? "" : row.status) + ',' +
         csv_text(row.end_us >= row.at_us ? format_length(row.end_us - row.at_us) : "") + ',' +
         csv_text(row.known) + ',' + csv_text(row.cwd) + ',' + std::to_string(row.depth) + ',' +
         csv_text(row.text) + ',' + (row.number > 0 ? std::to_string(row.number) : "") + ',' +
         csv_text(row.exe) + ',' + csv_text(row.renamed) + ',' + (row.foreign_mounts ? "true" : "") + "\r\n";
}

std::string report_csv_titles() {
  return "time,session_user,client,recording," + csv_titles();
}

std::string report_csv_line(const CommandRow& row, const format::SessionInfo& info,
                            const std::string& recording, const std::string& time) {
  return csv_text(time) + ',' + csv_text(info.user) + ',' +
         csv_text(info.client + (info.client_claimed ? "?" : "")) + ',' + csv_text(recording) + ',' +
         csv_line(row, info);
}

}  // namespace opelog::cli
