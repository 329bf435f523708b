#include "index/session_commands.h"

#include <algorithm>
#include <utility>

namespace opelog::index {
namespace {

constexpr char kPlainWord[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";

void cut_command(std::string& text) {
  if (text.size() > kMaxCommandBytes) text.resize(kMaxCommandBytes);
}

}  // namespace

const char* known_word(Known known) noexcept {
  return known == Known::kScreen ? "screen" : "exec";
}

std::string command_text(const std::vector<std::string>& argv) {
  std::string text;
  for (const auto& word : argv) {
    if (!text.empty()) text += ' ';
    if (!word.empty() && word.find_first_not_of(kPlainWord) == std::string::npos) {
      text += word;
      continue;
    }
    text += '\'';
    for (const char c : word) c == '\'' ? text += "'\\''" : text += c;
    text += '\'';
  }
  return text;
}

std::string SessionCommands::user_of(std::uint32_t uid) const {
  return uid == uid_ ? user_ : uid == 0 ? "root" : std::to_string(uid);
}

void SessionCommands::typed(const replay::TypedLine& line) {
  SessionCommand command;
  command.text = line.text;
  cut_command(command.text);
  command.at_us = line.entered_us;
  if (line.status >= 0) command.status = line.status;
  command.known = Known::kScreen;
  command.offset = line.offset;
  command.prompt_offset = line.prompt_offset;
  ready_.push_back(std::move(command));
}

void SessionCommands::note(const std::string& name, const std::string& value) {
  const format::Note note{name, value, false};
  if (auto exec = format::decode_exec(note)) {
    const std::int64_t pid = exec->info.pid;
    settle(pid);  // it executed another program: the one before has ended so far as anybody can tell
    SessionCommand command;
    command.text = exec->info.argv.empty() ? exec->info.file : command_text(exec->info.argv);
    cut_command(command.text);
    command.at_us = exec->place.at_us;
    command.offset = command.prompt_offset = exec->place.out;
    command.cwd = std::move(exec->info.cwd);
    command.user = user_of(exec->info.euid);
    running_.emplace(pid, std::move(command));
    order_.push_back(pid);
    while (running_.size() > kMaxRunning || order_.size() > 2 * kMaxRunning) {
      settle(order_.front());
      order_.pop_front();
    }
    return;
  }
  const auto exit = format::decode_exit(note);
  if (!exit) return;
  const auto found = running_.find(exit->info.pid);
  if (found == running_.end()) return;
  found->second.end_us = exit->place.at_us;
  if (exit->info.exit_code) found->second.status = *exit->info.exit_code;
  if (exit->info.signal) found->second.status = 128 + *exit->info.signal;
  settle(exit->info.pid);
}

void SessionCommands::settle(std::int64_t pid) {
  const auto found = running_.find(pid);
  if (found == running_.end()) return;
  ready_.push_back(std::move(found->second));
  running_.erase(found);
}

std::vector<SessionCommand> SessionCommands::take() {
  return std::exchange(ready_, {});
}

void SessionCommands::finish() {
  for (const std::int64_t pid : order_) settle(pid);
  order_.clear();
}

}  // namespace opelog::index
