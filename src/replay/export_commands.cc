#include "replay/export_commands.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace opelog::replay {
namespace {

constexpr std::array<std::string_view, 9> kShellNames = {"sh",   "bash", "dash",  "zsh", "ksh",
                                                         "mksh", "fish", "rbash", "ash"};

// A shell without a script and without -c reads from the terminal.
bool reads_terminal(const std::vector<std::string>& argv) {
  if (argv.empty()) return false;
  std::string_view name = argv[0];
  name.remove_prefix(std::min(name.rfind('/') + 1, name.size()));
  if (!name.empty() && name[0] == '-') name.remove_prefix(1);
  if (std::find(kShellNames.begin(), kShellNames.end(), name) == kShellNames.end()) return false;
  for (std::size_t i = 1; i < argv.size(); ++i) {
    const std::string& word = argv[i];
    if (word == "--rcfile" || word == "--init-file" || word == "-o" || word == "+o" || word == "-O") {
      ++i;  // its value
      continue;
    }
    if (word.empty() || (word[0] != '-' && word[0] != '+')) return false;
    if (word.size() > 1 && word[0] == '-' && word[1] != '-' && word.find('c') != std::string::npos)
      return false;
  }
  return true;
}

std::string words_of(const format::ExecInfo& info) {
  std::string text;
  for (const std::string& word : info.argv) {
    if (!text.empty()) text += ' ';
    text += word;
    if (text.size() > kMaxCommandText) break;
  }
  if (text.empty()) text = info.file.empty() ? info.exe : info.file;
  if (text.size() <= kMaxCommandText) return text;
  std::size_t end = kMaxCommandText - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return text.substr(0, end) + "...";
}

}  // namespace

std::optional<ExportCommand> ExportCommands::take(const format::Note& note) {
  if (const auto end = format::decode_exit(note)) {
    shells_.erase(end->info.pid);
    return std::nullopt;
  }
  const auto exec = format::decode_exec(note);
  if (!exec) return std::nullopt;
  const bool given = shells_.count(exec->info.parent) > 0 && exec->place.out > 0;
  const bool was_shell = shells_.erase(exec->info.pid) > 0;
  if (reads_terminal(exec->info.argv) || (first_ && exec->info.argv.empty())) {
    shells_.insert(exec->info.pid);
    if (shells_.size() > kMaxShells) shells_.erase(shells_.begin());
  }
  first_ = false;
  if (!given && !was_shell) return std::nullopt;  // `exec program` is a command too
  if (was_shell && exec->place.out == 0) return std::nullopt;
  return ExportCommand{exec->place.at_us, words_of(exec->info)};
}

}  // namespace opelog::replay
