#include "shell_io.h"

#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>

namespace opelog::replay::testing {
namespace {

constexpr std::chrono::seconds kPatience{120};

}  // namespace

Shell::Shell(Screen& screen, const std::vector<std::string>& argv, const std::string& directory,
             const std::vector<std::string>& extra)
    : screen_(screen) {
  winsize size{};
  size.ws_row = static_cast<unsigned short>(screen.rows());
  size.ws_col = static_cast<unsigned short>(screen.cols());
  std::vector<std::string> environment = extra;
  const bool has_term = std::any_of(extra.begin(), extra.end(), [](const std::string& variable) {
    return variable.rfind("TERM=", 0) == 0;
  });
  if (!has_term) environment.emplace_back("TERM=xterm-256color");
  environment.insert(environment.end(), {"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "HOME=" + directory});
  std::vector<char*> args, variables;
  for (const std::string& arg : argv) args.push_back(const_cast<char*>(arg.c_str()));
  for (const std::string& variable : environment) variables.push_back(const_cast<char*>(variable.c_str()));
  args.push_back(nullptr);
  variables.push_back(nullptr);
  int master = -1;
  child_ = ::forkpty(&master, nullptr, nullptr, &size);
  if (child_ == 0) {
    for (const int signal : {SIGINT, SIGQUIT, SIGHUP, SIGPIPE}) ::signal(signal, SIG_DFL);
    if (::chdir(directory.c_str()) != 0) ::_exit(126);
    ::execvpe(args[0], args.data(), variables.data());
    ::_exit(127);
  }
  master_ = Fd(master);
}

Shell::~Shell() {
  if (child_ <= 0) return;
  ::kill(child_, SIGKILL);
  ::waitpid(child_, nullptr, 0);
}

bool Shell::read_some() {
  pollfd ready{master_.get(), POLLIN, 0};
  if (::poll(&ready, 1, 100) <= 0) return true;
  std::array<char, 4096> bytes{};
  std::string got;
  // What comes at once is one piece, as in a recording, where a pause is one.
  do {
    const ssize_t n = ::read(master_.get(), bytes.data(), bytes.size());
    if (n <= 0 && got.empty()) return false;
    if (n <= 0) break;
    got.append(bytes.data(), static_cast<std::size_t>(n));
  } while (got.size() < 64 * 1024 && ::poll(&ready, 1, 3) > 0);
  screen_.feed(got, ++reads_, output_.size());
  output_ += got;
  return true;
}

std::string Shell::type(std::string_view keys, std::initializer_list<std::string_view> then) {
  const std::size_t from = output_.size();
  if (!keys.empty() && ::write(master_.get(), keys.data(), keys.size()) != static_cast<ssize_t>(keys.size()))
    return "cannot type";
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (true) {
    std::size_t at = from;
    bool all = true;
    for (const std::string_view word : then) {
      at = output_.find(word, at);
      if (at == std::string::npos) {
        all = false;
        break;
      }
      at += word.size();
    }
    if (all) return "";
    if (!read_some() || std::chrono::steady_clock::now() > until)
      return "after '" + std::string(keys) + "' came: " + output_.substr(from);
  }
}

void Shell::resize(int rows, int cols) {
  winsize size{};
  size.ws_row = static_cast<unsigned short>(rows);
  size.ws_col = static_cast<unsigned short>(cols);
  ::ioctl(master_.get(), TIOCSWINSZ, &size);
  screen_.resize(rows, cols);
}

bool Shell::finish() {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (read_some())
    if (std::chrono::steady_clock::now() > until) return false;
  ::waitpid(child_, nullptr, 0);
  child_ = -1;
  return true;
}

bool has_program(const std::string& program) {
  return ::access(("/usr/bin/" + program).c_str(), X_OK) == 0 ||
         ::access(("/bin/" + program).c_str(), X_OK) == 0;
}

}  // namespace opelog::replay::testing
