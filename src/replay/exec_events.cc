#include "replay/exec_events.h"

#include "format/exec_record.h"
#include "format/session_header.h"

namespace opelog::replay {
namespace {

bool is_plain_word(std::string_view word) {
  return !word.empty() && word.find_first_not_of(
                              "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                              "%+,-./:=@_^{}") == std::string_view::npos;
}

}  // namespace

std::string command_line(const std::vector<std::string>& argv) {
  std::string line;
  for (const std::string& word : argv) {
    if (!line.empty()) line += ' ';
    if (is_plain_word(word)) {
      line += word;
      continue;
    }
    line += '\'';
    for (const char c : word) line += c == '\'' ? std::string("'\\''") : std::string(1, c);
    line += '\'';
  }
  return line;
}

bool ExecEvents::note(const std::string& name, const std::string& value) {
  if (name != format::kOpelogExec && name != format::kOpelogExit) return false;
  const format::Note note{name, value, false};
  if (auto exec = format::decode_exec(note)) {
    // What ran before the start and has not ended ends elsewhere.
    if (before_ && exec->place.before_us == 0) running_.clear();
    before_ = exec->place.before_us > 0;
    if (!keep_) {
      ++left_out_;
      running_.erase(exec->info.pid);  // what ends now may be another process of that number
      return true;
    }
    ExecEvent event;
    event.at_us = exec->place.at_us;
    event.before_us = exec->place.before_us;
    event.offset = exec->place.out;
    event.pid = exec->info.pid;
    event.ppid = exec->info.parent;
    event.uid = exec->info.euid;
    event.argv = exec->info.argv.empty() ? exec->info.file : command_line(exec->info.argv);
    if (exec->info.argv_cut) event.argv += " ...";
    event.exe = std::move(exec->info.exe);
    event.cwd = std::move(exec->info.cwd);
    event.foreign_mounts = exec->info.foreign_mounts;
    running_[event.pid].push_back(events_.size());
    events_.push_back(std::move(event));
  } else if (const auto exit = format::decode_exit(note)) {
    const auto found = running_.find(exit->info.pid);
    if (found == running_.end()) return true;
    for (const std::size_t i : found->second) {
      events_[i].end_us = exit->place.at_us;
      events_[i].exit_code = exit->info.exit_code.value_or(-1);
      events_[i].signal = exit->info.signal.value_or(0);
    }
    running_.erase(found);
  } else {
    ++unreadable_;
  }
  return true;
}

void ExecEvents::gap(const format::GapInfo& gap) {
  if (gap.what == "exec") missing_ += gap.count > 0 ? gap.count : 1;
}

}  // namespace opelog::replay
