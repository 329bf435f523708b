#include "index/session_commands.h"

#include <utility>

#include "replay/command_words.h"

namespace opelog::index {
namespace {

std::string cut_command(const std::string& text) {
  return text.substr(0, kMaxCommandBytes);
}

}  // namespace

std::string searched_text(const SessionCommand& command) {
  return command.renamed.empty() ? command.text : command.text + '\n' + command.renamed;
}

std::string SessionCommands::user_of(std::uint32_t uid) const {
  return uid == uid_ ? user_ : uid == 0 ? "root" : std::to_string(uid);
}

void SessionCommands::typed(replay::TypedLine line) {
  const std::size_t size = sizeof(line) + line.text.size() + line.prompt.size();
  lines_.push_back(std::move(line));
  added(size);
}

void SessionCommands::note(const std::string& name, const std::string& value) {
  if (executed_.note(name, value)) added(sizeof(replay::ExecEvent) + value.size());
}

void SessionCommands::added(std::size_t bytes) {
  bytes_ += bytes;
  if (bytes_ >= kMaxJoinedBytes) finish();
}

std::vector<SessionCommand> SessionCommands::take() {
  return std::exchange(ready_, {});
}

void SessionCommands::finish(std::int64_t last_prompt_us) {
  for (const auto& command : replay::join_commands(lines_, executed_.events(), last_prompt_us)) {
    SessionCommand row;
    row.text = cut_command(command.text);
    row.at_us = command.begin_us - command.before_us;
    row.end_us = command.before_us > 0 ? -1 : command.end_us;
    row.status = command.status;
    row.cwd = command.cwd;
    row.exe = command.exe;
    row.renamed = command.renamed;
    row.foreign_mounts = command.foreign_mounts;
    if (command.uid) row.user = user_of(*command.uid);
    row.known = command.known;
    row.uncertain = command.uncertain;
    row.cut = command.cut || command.text.size() > kMaxCommandBytes;
    row.offset = command.offset;
    row.number = ++numbered_;
    const std::int64_t owner = row.number;
    ready_.push_back(std::move(row));
    for (const std::size_t i : command.execs) {
      const auto& event = executed_.events()[i];
      SessionCommand part;
      part.renamed = replay::renamed(event.argv, event.exe);
      if (event.argv == command.text && (part.renamed.empty() || part.renamed == command.renamed)) continue;
      part.text = cut_command(event.argv);
      part.cut = event.argv.size() > kMaxCommandBytes;
      part.at_us = event.at_us - event.before_us;
      part.end_us = event.before_us > 0 ? -1 : event.end_us;
      if (event.signal > 0)
        part.status = 128 + event.signal;
      else if (event.exit_code >= 0)
        part.status = event.exit_code;
      part.cwd = event.cwd;
      part.exe = event.exe;
      part.foreign_mounts = event.foreign_mounts;
      part.user = user_of(event.uid);
      part.offset = event.offset;
      part.number = ++numbered_;
      part.owner = owner;
      ready_.push_back(std::move(part));
    }
  }
  lines_.clear();
  executed_ = {};
  bytes_ = 0;
}

}  // namespace opelog::index
