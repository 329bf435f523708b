#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <memory>

#include "cli/commands_io.h"

namespace opelog::cli {
namespace {

ExitCode run_rec(const std::vector<std::string>& command) {
  std::vector<std::string> words{"opelog-shell", "--rec"};
  if (!command.empty()) {
    words.emplace_back("--");
    words.insert(words.end(), command.begin(), command.end());
  }
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  ::execv(kShim, argv.data());
  const int error = errno;
  return complain(Error{
      error == ENOENT ? Code::kNotFound : Code::kIo,
      error_from_errno(error, kShim).message + "; `opelog doctor` says what the installation lacks", error});
}

}  // namespace

void add_rec(CLI::App& app, const Context& context, int& exit) {
  auto words = std::make_shared<std::vector<std::string>>();
  auto* command = app.add_subcommand("rec", "Record a shell or a command in this terminal, at your own wish");
  command->add_option("COMMAND", *words, "Command and arguments, behind --; none for your shell")
      ->type_name("");
  command->footer(
      "The exit code is the shell's or the command's; 69 if the daemon cannot be reached, 77 if the policy "
      "refuses.\n"
      "\n"
      "Examples:\n"
      "  opelog rec\n"
      "  opelog rec -- make install\n");
  command->callback([words, &context, &exit] {
    (void)context;
    exit = run_rec(*words);
  });
}

}  // namespace opelog::cli
