// The subcommands. Each add_*() declares one with its options, help and examples; running it sets `exit`.
//
// `context` and `exit` outlive the App.
#pragma once

#include <string>
#include <vector>

#include "cli/context_io.h"

namespace CLI {
class App;
}

namespace opelog::cli {

void add_ls(CLI::App& app, const Context& context, int& exit);
void add_play(CLI::App& app, const Context& context, int& exit);
void add_show(CLI::App& app, const Context& context, int& exit);
void add_commands(CLI::App& app, const Context& context, int& exit);
void add_report(CLI::App& app, const Context& context, int& exit);
void add_tail(CLI::App& app, const Context& context, int& exit);
void add_export(CLI::App& app, const Context& context, int& exit);
void add_search(CLI::App& app, const Context& context, int& exit);
void add_index(CLI::App& app, const Context& context, int& exit);
void add_verify(CLI::App& app, const Context& context, int& exit);
void add_prove(CLI::App& app, const Context& context, int& exit);
void add_key(CLI::App& app, const Context& context, int& exit);  ///< key init, show, pin, rotate
void add_retain(CLI::App& app, const Context& context, int& exit);
void add_status(CLI::App& app, const Context& context, int& exit);
void add_policy(CLI::App& app, const Context& context, int& exit);
void add_kill(CLI::App& app, const Context& context, int& exit);
void add_guard(CLI::App& app, const Context& context, int& exit);   ///< thaw, freeze
void add_daemon(CLI::App& app, const Context& context, int& exit);  ///< reload, reopen-log, dump
void add_rec(CLI::App& app, const Context& context, int& exit);
void add_enroll(CLI::App& app, const Context& context, int& exit);  ///< enroll, unenroll
void add_doctor(CLI::App& app, const Context& context, int& exit);

/// The whole program: parses the arguments, runs the subcommand, returns the exit code. Never throws.
int run(int argc, char** argv) noexcept;

}  // namespace opelog::cli
