#include "index/session_commands.h"

#include <utility>

namespace opelog::index {
namespace {

std::string cut_command(const std::string& text) {
  return text.substr(0, kMaxCommandBytes);
}

std::string joined(const std::vector<std::string>& argv) {
  std::string text;
  for (const auto& word : argv) {
    if (!text.empty()) text += ' ';
    text += word;
  }
  return text;
}

}  // namespace

std::string SessionCommands::user_of(std::uint32_t uid) const {
  return uid == uid_ ? user_ : uid == 0 ? "root" : std::to_string(uid);
}

void SessionCommands::typed(replay::TypedLine line) {
  const std::size_t size = sizeof(line) + line.text.size() + line.prompt.size();
  lines_.push_back(std::move(line));
  added(size);
}

void SessionCommands::note(const std::string& name, const std::string& value) {
  const format::Note note{name, value, false};
  if (auto exec = format::decode_exec(note)) {
    replay::ExecEvent event;
    event.at_us = exec->place.at_us;
    event.offset = exec->place.out;
    event.pid = exec->info.pid;
    event.ppid = exec->info.parent;
    event.uid = exec->info.euid;
    event.argv = exec->info.argv.empty() ? exec->info.file : joined(exec->info.argv);
    event.exe = std::move(exec->info.exe);
    event.cwd = std::move(exec->info.cwd);
    const std::size_t size = sizeof(event) + event.argv.size() + event.exe.size() + event.cwd.size();
    running_[event.pid] = events_.size();
    events_.push_back(std::move(event));
    added(size);
    return;
  }
  const auto exit = format::decode_exit(note);
  if (!exit) return;
  const auto found = running_.find(exit->info.pid);
  if (found == running_.end()) return;
  auto& event = events_[found->second];
  event.end_us = exit->place.at_us;
  event.exit_code = exit->info.exit_code.value_or(-1);
  event.signal = exit->info.signal.value_or(0);
  running_.erase(found);
}

void SessionCommands::added(std::size_t bytes) {
  bytes_ += bytes;
  if (bytes_ >= kMaxJoinedBytes) finish();
}

std::vector<SessionCommand> SessionCommands::take() {
  return std::exchange(ready_, {});
}

void SessionCommands::finish() {
  for (const auto& command : replay::join_commands(lines_, events_)) {
    SessionCommand row;
    row.text = cut_command(command.text);
    row.at_us = command.begin_us;
    row.end_us = command.end_us;
    row.status = command.status;
    row.cwd = command.cwd;
    if (command.uid) row.user = user_of(*command.uid);
    row.known = command.known;
    row.offset = command.offset;
    row.number = ++numbered_;
    const std::int64_t owner = row.number;
    ready_.push_back(std::move(row));
    for (const std::size_t i : command.execs) {
      const auto& event = events_[i];
      if (event.argv == command.text) continue;
      SessionCommand part;
      part.text = cut_command(event.argv);
      part.at_us = event.at_us;
      part.end_us = event.end_us;
      if (event.signal > 0)
        part.status = 128 + event.signal;
      else if (event.exit_code >= 0)
        part.status = event.exit_code;
      part.cwd = event.cwd;
      part.user = user_of(event.uid);
      part.offset = event.offset;
      part.number = ++numbered_;
      part.owner = owner;
      ready_.push_back(std::move(part));
    }
  }
  lines_.clear();
  events_.clear();
  running_.clear();
  bytes_ = 0;
}

}  // namespace opelog::index
