#include "replay/command_list.h"

#include <algorithm>
#include <csignal>
#include <map>
#include <numeric>
#include <set>

#include "core/fact.h"
#include "replay/command_words.h"
#include "replay/line_status.h"

namespace opelog::replay {
namespace {

/// Of the names in Command::renamed, so that one line cannot make it long.
constexpr std::size_t kRenamedShown = 4;

struct Process {
  std::size_t command;
  bool own;  ///< the line's shell started it, nothing that the line started
  bool shell;
  bool subshell = false;  ///< forked by a shell and never executed anything: known only by its children
};

class Joiner {
 public:
  Joiner(const std::vector<TypedLine>& lines, const std::vector<ExecEvent>& events,
         std::int64_t last_prompt_us)
      : lines_(lines), events_(events), last_prompt_us_(last_prompt_us) {
    for (std::size_t i = 0; i < lines.size(); ++i) {
      const TypedLine& line = lines[i];
      Command command;
      command.text = line.text;
      command.begin_us = line.entered_us;
      command.offset = line.offset;
      command.prompt_offset = line.prompt_offset;
      command.line = i;
      command.cut = line.cut;
      commands_.push_back(std::move(command));
    }
    own_.resize(commands_.size());
  }

  std::vector<Command> join() {
    std::vector<std::size_t> order(events_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return events_[a].at_us - events_[a].before_us < events_[b].at_us - events_[b].before_us;
    });
    bool before = true;
    for (const std::size_t i : order) {
      if (before && events_[i].before_us == 0) {
        // The process that became the shim goes on as the parent of the session's shell.
        before = shell_seen_ = false;
        processes_.clear();
        ends_.clear();
      }
      place(i);
    }
    for (std::size_t c = 0; c < commands_.size(); ++c) describe(c);
    std::stable_sort(commands_.begin(), commands_.end(), [](const Command& a, const Command& b) {
      return a.begin_us - a.before_us < b.begin_us - b.before_us;
    });
    std::size_t number = 0;
    for (Command& command : commands_)
      if (!command.helper) command.number = ++number;
    return std::move(commands_);
  }

 private:
  // When the line began to run, as the kernel's clock may have it.
  [[nodiscard]] std::int64_t began(std::size_t line) const {
    return std::max(lines_[line].ready_us, lines_[line].entered_us - kClockSlackUs);
  }

  // Whether the line may have begun to run: on a busy host the relay has the echo of Enter much later. Enter
  // had not come when what was drawn before it was read, so completions that drew something are no part of
  // the line.
  [[nodiscard]] bool may_have_begun(std::size_t line, const ExecEvent& event) const {
    if (line == lines_.size() || event.before_us > 0) return false;
    const TypedLine& typed = lines_[line];
    return event.at_us >= std::max({typed.ready_us, typed.edited_us, typed.entered_us - kMaxLatenessUs});
  }

  // When the prompt of that line was shown, or of none yet.
  [[nodiscard]] std::int64_t ready(std::size_t line) const {
    return line < lines_.size() ? lines_[line].ready_us : last_prompt_us_;
  }

  void place(std::size_t i) {
    const ExecEvent& event = events_[i];
    const auto alive = [&](std::int64_t pid) -> const Process* {
      const auto it = processes_.find(pid);
      if (it == processes_.end()) return nullptr;
      const std::int64_t end = ends_[pid];
      return end >= 0 && end < event.at_us ? nullptr : &it->second;
    };
    Process process{0, false, is_interactive_shell(event.argv, event.exe)};
    const Process* same = alive(event.pid);
    const Process* parent = alive(event.ppid);
    if (same != nullptr && !same->shell) {  // it executes another program
      process.command = same->command;
      process.own = same->own;
    } else if (same == nullptr && parent != nullptr && !parent->shell) {
      process.command = parent->command;
      process.own = parent->subshell;
    } else {
      process.command = started(i);
      process.own = true;
      shell_seen_ = shell_seen_ || process.shell;
      // With the shells known, an unknown parent is a part in parentheses, a loop in the background and the
      // like.
      if (same == nullptr && parent == nullptr && shell_seen_ && !process.shell) {
        processes_[event.ppid] = Process{process.command, true, false, true};
        ends_[event.ppid] = -1;
      }
    }
    commands_[process.command].execs.push_back(i);
    if (process.own) own_[process.command].push_back(i);
    processes_[event.pid] = process;
    ends_[event.pid] = event.end_us;
  }

  // Whether a process that began behind the next prompt is a job of the line before it: the shell does not
  // wait until the job has executed its program.
  [[nodiscard]] bool is_job_of(std::size_t line, const ExecEvent& event) {
    // Behind the last line a prompt may be what the line itself has drawn.
    const bool is_last = line + 1 == lines_.size();
    if (job_line_ != line) {
      job_line_ = line;
      has_job_ = has_background_job(lines_[line].text);
      job_words_ = has_job_ || is_last ? command_words(lines_[line].text) : std::vector<std::string>{};
    }
    if (!has_job_ && !is_last) return false;
    if (has_job_ && event.at_us - kJobSlackUs < ready(line + 1)) return true;
    const auto named = [&](std::string_view name) {
      return std::find(job_words_.begin(), job_words_.end(), name) != job_words_.end();
    };
    const std::size_t blank = event.argv.find(' ');
    return named(program_name(event.argv)) ||
           (blank != std::string::npos &&
            named(program_name(std::string_view(event.argv).substr(blank + 1))));
  }

  // The command of a process that a shell started.
  std::size_t started(std::size_t i) {
    const ExecEvent& event = events_[i];
    while (event.before_us == 0 && line_ < lines_.size() && began(line_) <= event.at_us) ++line_;
    const bool typed = line_ > 0;
    const bool at_next_prompt = event.at_us >= ready(line_);
    if (typed && (!at_next_prompt || is_job_of(line_ - 1, event))) return line_ - 1;
    if (may_have_begun(line_, event)) return line_;
    Command command;
    command.text = event.argv;
    command.begin_us = event.at_us;
    command.offset = command.prompt_offset = event.offset;
    command.known = KnownBy::kExec;
    // What the session began with, when that is no shell that reads lines, is what was asked for.
    const bool first = line_ == 0 && !shell_seen_ && !is_interactive_shell(event.argv, event.exe);
    command.before_us = event.before_us;
    command.helper = event.before_us > 0 || (!lines_.empty() && !first);
    commands_.push_back(std::move(command));
    own_.emplace_back();
    return commands_.size() - 1;
  }

  // The line's own processes and its exit status, as far as that follows from them.
  [[nodiscard]] LineStatus status_of(std::size_t c) {
    const std::vector<std::size_t>& own = own_[c];
    std::vector<StartedProcess> started;
    for (const std::size_t i : own) {
      const ExecEvent& event = events_[i];
      StartedProcess process{event.argv, event.pid, std::nullopt, event.signal == SIGINT};
      if (event.signal != 0) {
        process.status = 128 + event.signal;
      } else if (event.exit_code >= 0) {
        process.status = event.exit_code;
      }
      started.push_back(std::move(process));
    }
    if (commands_[c].known == KnownBy::kExec)
      return started.empty() ? LineStatus{} : LineStatus{started.size() - 1, started.back().status};
    return line_status(commands_[c].text, started, functions_);
  }

  void describe(std::size_t c) {
    Command& command = commands_[c];
    const std::vector<std::size_t>& own = own_[c];
    const LineStatus status = status_of(c);
    if (command.line && !own.empty()) command.known = KnownBy::kBoth;
    const std::optional<std::size_t> main =
        status.process ? std::optional(own[*status.process]) : std::nullopt;
    if (!own.empty()) {
      const ExecEvent& shown = events_[main.value_or(own.front())];
      command.uid = shown.uid;
      command.cwd = shown.cwd;
      command.exe = shown.exe;
      command.foreign_mounts = shown.foreign_mounts;
    }
    command.renamed = renamed_of(own);
    command.status = status.status;
    if (main) {
      command.end_us = events_[*main].end_us;
      if (command.status == 128 + events_[*main].signal) command.signal = events_[*main].signal;
    }
    if (!command.line) return;
    const std::size_t line = *command.line;
    // The shell's mark, or what somebody printed that looks like it: the kernel's word goes first.
    if (lines_[line].status >= 0 && !command.status) command.status = lines_[line].status;
    if (command.end_us < 0 && !main && ready(line + 1) != kNoPrompt) command.end_us = ready(line + 1);
    // Functions and the builtins of a loaded module start nothing either: no line is left out for that.
    command.uncertain = lines_[line].maybe_abandoned && own.empty();
  }

  [[nodiscard]] std::string renamed_of(const std::vector<std::size_t>& own) const {
    std::vector<std::string> names;
    for (const std::size_t i : own) {
      std::string name = renamed(events_[i].argv, events_[i].exe);
      if (name.empty() || std::find(names.begin(), names.end(), name) != names.end()) continue;
      names.push_back(names.size() < kRenamedShown ? std::move(name) : "...");
      if (names.size() > kRenamedShown) break;
    }
    std::string all;
    for (const std::string& name : names) all += (all.empty() ? "" : ", ") + name;
    return all;
  }

  const std::vector<TypedLine>& lines_;
  const std::vector<ExecEvent>& events_;
  const std::int64_t last_prompt_us_;
  std::vector<Command> commands_;
  std::vector<std::vector<std::size_t>> own_;  ///< by command
  std::map<std::int64_t, Process> processes_;
  std::map<std::int64_t, std::int64_t> ends_;
  bool shell_seen_ = false;
  std::optional<std::size_t> job_line_;  ///< what the next two are of
  bool has_job_ = false;
  std::vector<std::string> job_words_;
  std::set<std::string> functions_;  ///< that the lines so far have defined
  std::size_t line_ = 0;             ///< the first line that has not begun
};

}  // namespace

const char* known_by_text(KnownBy known) noexcept {
  switch (known) {
    case KnownBy::kScreen:
      return "screen";
    case KnownBy::kExec:
      return "exec";
    case KnownBy::kBoth:
      return "both";
  }
  return "";
}

std::string mark_of(const std::string& renamed, bool foreign_mounts) {
  if (!foreign_mounts) return renamed;
  return renamed.empty() ? "foreign mounts" : renamed + "; foreign mounts";
}

std::string command_on_one_line(const std::string& text) {
  std::string line;
  for (const char c : text) {
    if (c == '\n')
      line += " \\n ";
    else
      line += c;
  }
  return printable(line);
}

std::vector<Command> join_commands(const std::vector<TypedLine>& lines, const std::vector<ExecEvent>& events,
                                   std::int64_t last_prompt_us) {
  return Joiner(lines, events, last_prompt_us).join();
}

}  // namespace opelog::replay
