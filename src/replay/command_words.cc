#include "replay/command_words.h"

#include <algorithm>
#include <array>
#include <utility>

namespace opelog::replay {
namespace {

constexpr std::size_t kMaxWords = 1000;

template <std::size_t N>
bool is_one_of(std::string_view word, const std::array<std::string_view, N>& list) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

constexpr std::array<std::string_view, 14> kOpening{
    "if", "then", "elif", "else", "while", "until", "do", "time", "!", "{", "(", "exec", "nohup", "command"};
constexpr std::array<std::string_view, 60> kBuiltins{
    ".",     ":",        "[",      "[[",      "alias",   "autoload", "bg",       "bind",     "bindkey",
    "break", "builtin",  "caller", "cd",      "chdir",   "compgen",  "complete", "continue", "declare",
    "dirs",  "disown",   "echo",   "emulate", "enable",  "eval",     "exit",     "export",   "false",
    "fc",    "fg",       "float",  "getopts", "hash",    "help",     "history",  "integer",  "jobs",
    "kill",  "let",      "local",  "logout",  "popd",    "print",    "printf",   "pushd",    "pwd",
    "read",  "readonly", "return", "set",     "setopt",  "shift",    "shopt",    "source",   "test",
    "times", "trap",     "true",   "type",    "typeset", "ulimit"};
constexpr std::array<std::string_view, 9> kMoreBuiltins{"umask",  "unalias", "unset", "unsetopt", "wait",
                                                        "whence", "where",   "which", "zmodload"};
constexpr std::array<std::string_view, 14> kShells{"sh",  "bash", "dash", "zsh",   "ksh",  "mksh", "fish",
                                                   "ash", "tcsh", "csh",  "rbash", "hush", "lksh", "yash"};
/// Which of their programs runs, the first word says; their own name, the second.
constexpr std::array<std::string_view, 2> kManyInOne{"busybox", "toybox"};
/// What systems install under another's name. Called, real; a version may follow.
constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kInstalledAs{{{"awk", "mawk"},
                                                                                     {"awk", "gawk"},
                                                                                     {"vi", "vim"},
                                                                                     {"view", "vim"},
                                                                                     {"ex", "vim"},
                                                                                     {"vimdiff", "vim"},
                                                                                     {"cc", "gcc"},
                                                                                     {"c++", "g++"}}};
/// Where anybody can put a program: no search path of a system has them.
constexpr std::array<std::string_view, 4> kAnybodysDirectories{"/tmp/", "/var/tmp/", "/dev/shm/",
                                                               "/run/user/"};
/// Of a name that a process calls itself, in a list.
constexpr std::size_t kNameShown = 60;

bool is_assignment(std::string_view word) {
  const std::size_t equals = word.find('=');
  if (equals == std::string_view::npos || equals == 0) return false;
  return std::all_of(word.begin(), word.begin() + static_cast<std::ptrdiff_t>(equals), [](char c) {
    return c == '_' || c == '+' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  });
}

std::string base_name(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return std::string(slash == std::string_view::npos ? path : path.substr(slash + 1));
}

// As /proc has it of a program whose file is gone.
constexpr std::string_view kDeleted = " (deleted)";
std::string_view without_deleted(std::string_view exe) {
  if (exe.size() > kDeleted.size() && exe.substr(exe.size() - kDeleted.size()) == kDeleted)
    exe.remove_suffix(kDeleted.size());
  return exe;
}
std::string executable_name(std::string_view exe) {
  return base_name(without_deleted(exe));
}

// "python3.11" for "python3", "vim.basic" for "vim", "x86_64-linux-gnu-gcc-12" for "gcc".
bool is_version_of(std::string_view real, std::string_view name) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  if (name.empty()) return false;
  for (std::size_t at = real.find(name); at != std::string_view::npos; at = real.find(name, at + 1)) {
    const std::size_t end = at + name.size();
    if ((at == 0 || (real[at - 1] == '-' && real.find("-linux-") < at)) &&
        (end == real.size() || !letter(real[end])))
      return true;
  }
  return false;
}

// "bash", "zsh-5.9", "ksh93", "bash-static".
bool is_shell_name(std::string_view name) {
  constexpr std::string_view kStatic = "-static";
  if (name.size() > kStatic.size() && name.substr(name.size() - kStatic.size()) == kStatic)
    name.remove_suffix(kStatic.size());
  const std::size_t end = name.find_last_not_of("0123456789.-");
  return is_one_of(name.substr(0, end == std::string_view::npos ? 0 : end + 1), kShells);
}

// Cuts the text into words and separators.
class Words {
 public:
  explicit Words(std::string_view text) : text_(text) {}
  std::vector<std::string> read() {
    while (at_ < text_.size() && found_.size() < kMaxWords) step();
    end_word();
    return std::move(found_);
  }

 private:
  void step() {
    const char c = text_[at_];
    if (c == '\'' || c == '"' || c == '`') return quoted(c);
    if (c == '\\') {
      if (at_ + 1 < text_.size() && text_[at_ + 1] != '\n') word_ += text_[at_ + 1];
      at_ += 2;
      return;
    }
    if (c == '$' && at_ + 1 < text_.size() && (text_[at_ + 1] == '(' || text_[at_ + 1] == '{'))
      return nested();
    if (c == '#' && word_.empty()) {
      while (at_ < text_.size() && text_[at_] != '\n') ++at_;
      return;
    }
    ++at_;
    switch (c) {
      case ' ':
      case '\t':
        return end_word();
      case '\n':
        end_command();
        if (here_document_) at_ = text_.size();
        return;
      case ';':
      case '|':
        return end_command();
      case '&':
        if (!word_.empty() && (word_.back() == '>' || word_.back() == '<')) {
          word_ += c;
          return;
        }
        if (at_ < text_.size() && text_[at_] == '>') return;
        return end_command();
      case '(':
        end_word();
        fresh_ = true;
        return;
      case ')':
        end_command();
        found_.emplace_back(")");
        return;
      case '<':
        if (at_ < text_.size() && text_[at_] == '<' && (at_ + 1 >= text_.size() || text_[at_ + 1] != '<'))
          here_document_ = true;
        [[fallthrough]];
      case '>':
        if (!word_.empty() && word_.back() != '<' && word_.back() != '>' &&
            !std::all_of(word_.begin(), word_.end(), [](char d) { return d >= '0' && d <= '9'; }))
          end_word();
        word_ += c;
        return;
      default:
        word_ += c;
    }
  }
  void quoted(char quote) {
    ++at_;
    while (at_ < text_.size() && text_[at_] != quote) {
      if (text_[at_] == '\\' && quote != '\'') ++at_;
      if (at_ < text_.size()) word_ += text_[at_++];
    }
    ++at_;
    if (word_.empty()) word_ = ' ';
  }
  void nested() {
    const char open = text_[at_ + 1], close = open == '(' ? ')' : '}';
    std::size_t depth = 0;
    for (; at_ < text_.size(); ++at_) {
      word_ += text_[at_];
      if (text_[at_] == open) ++depth;
      if (text_[at_] == close && --depth == 0) {
        ++at_;
        return;
      }
    }
  }
  void end_word() {
    std::string word = std::move(word_);
    word_.clear();
    if (word.empty()) return;
    if (target_) {  // of a redirection
      target_ = false;
      return;
    }
    const std::size_t redirect = word.find_first_of("<>");
    if (redirect != std::string::npos && redirect <= 2) {
      target_ = word.find_last_of("<>&") == word.size() - 1;
      return;
    }
    if (!fresh_) return;
    if (is_assignment(word) || is_one_of(word, kOpening)) return;
    if (word == "for" || word == "case" || word == "select" || word == "function") {
      fresh_ = false;
      return;
    }
    found_.push_back(base_name(word));
    fresh_ = false;
  }
  void end_command() {
    end_word();
    fresh_ = true;
    target_ = false;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::string word_;
  std::vector<std::string> found_;
  bool fresh_ = true;  ///< the next word is a command
  bool target_ = false;
  bool here_document_ = false;
};

}  // namespace

std::vector<std::string> command_words(std::string_view text) {
  return Words(text).read();
}

bool is_builtin(std::string_view word) {
  return is_one_of(word, kBuiltins) || is_one_of(word, kMoreBuiltins);
}

std::size_t first_word_end(std::string_view argv) {
  bool quoted = false;
  std::size_t at = 0;
  for (; at < argv.size() && (quoted || argv[at] != ' '); ++at) {
    if (argv[at] == '\'')
      quoted = !quoted;
    else if (!quoted && argv[at] == '\\')
      ++at;
  }
  return std::min(at, argv.size());
}

std::string program_name(std::string_view argv) {
  std::string word;
  if (argv.substr(0, 1) != "'") {
    word = argv.substr(0, argv.find(' '));
  } else {
    bool quoted = false;
    for (const char c : argv.substr(0, first_word_end(argv))) {
      if (c == '\'' && (quoted || word.empty() || word.back() != '\\'))
        quoted = !quoted;
      else if (c == '\'')
        word.back() = c;
      else
        word += c;
    }
  }
  std::string name = base_name(word);
  if (name.size() > 1 && name[0] == '-') name.erase(0, 1);
  return name;
}

std::string other_name(std::string_view argv, std::string_view exe) {
  const std::string real = executable_name(exe), called = program_name(argv);
  const bool anybodys = std::any_of(kAnybodysDirectories.begin(), kAnybodysDirectories.end(),
                                    [&](std::string_view d) { return exe.substr(0, d.size()) == d; });
  if (anybodys && argv.substr(0, first_word_end(argv)).find('/') == std::string_view::npos)
    return std::string(without_deleted(exe));
  if (real.empty() || real == called) return "";
  if (is_one_of(real, kManyInOne)) return is_one_of(called, kManyInOne) ? "" : real;
  const bool ordinary = is_version_of(real, called) || (called == "sh" && is_shell_name(real)) ||
                        std::any_of(kInstalledAs.begin(), kInstalledAs.end(), [&](const auto& pair) {
                          return called == pair.first && is_version_of(real, pair.second);
                        });
  return ordinary ? "" : real;
}

std::string renamed(std::string_view argv, std::string_view exe) {
  const std::string real = other_name(argv, exe);
  if (real.empty()) return "";
  const std::string called = program_name(argv);
  if (called.empty()) return "'' is " + real;
  return (called.size() > kNameShown ? called.substr(0, kNameShown) + "..." : called) + " is " + real;
}

bool is_interactive_shell(std::string_view argv, std::string_view exe) {
  const auto drop_first_word = [&argv] {
    argv.remove_prefix(first_word_end(argv));
    if (!argv.empty()) argv.remove_prefix(1);
  };
  std::string name = exe.empty() ? program_name(argv) : executable_name(exe);
  if (is_one_of(name, kManyInOne)) {
    name = program_name(argv);
    if (is_one_of(name, kManyInOne)) {
      drop_first_word();
      name = program_name(argv);
    }
  }
  if (!is_shell_name(name)) return false;
  bool skip = false;
  for (drop_first_word(); !argv.empty(); drop_first_word()) {
    const std::string_view word = argv.substr(0, first_word_end(argv));
    if (word.empty()) continue;
    if (skip) {
      skip = false;
      continue;
    }
    if (word[0] != '-' && word[0] != '+') return false;
    if (word.size() > 1 && word[1] != '-' && word.find('c') != std::string_view::npos) return false;
    skip = word == "--rcfile" || word == "--init-file" || word == "-o" || word == "+o" || word == "-O";
  }
  return true;
}

}  // namespace opelog::replay
