// Which programs the text of a command line names; enough to tell whether a process may be the line's. How
// the line goes on from one to the next is line_status.h. Aliases, functions and expansions are unknown to
// it. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace opelog::replay {

/// The first word of each simple command, without its directory: "FOO=1 /bin/ls -l | wc" gives ls, wc.
/// Keywords count when they end something ("done", "fi", "esac", "}", ")"), and are skipped when they begin
/// it. Bodies of here-documents do not count. At most 1000 words.
std::vector<std::string> command_words(std::string_view text);

/// Whether bash, zsh or dash do it themselves.
bool is_builtin(std::string_view word);

/// Whether `exe`, started with `argv`, is a shell that reads commands from the terminal: "-bash", "zsh -i";
/// not "sh x.sh", "sh -c x". What it is called in `argv` is its user's choice: that counts where `exe` is not
/// known
/// (""), and where one program is many (busybox).
bool is_interactive_shell(std::string_view argv, std::string_view exe);

/// The first word without directory and leading '-' of a login shell.
std::string program_name(std::string_view argv);

/// The name of what runs, where `argv` calls it something else: "zsh" for "foo -i" and "/usr/bin/zsh"; ""
/// where it does not, or says less ("python3" for python3.11, "sh" for a shell, "awk" for mawk), or `exe` is
/// not known. Its path, where `argv` names no directory and it lies in one of anybody's: "/tmp/ls" for "ls".
std::string other_name(std::string_view argv, std::string_view exe);

/// The same for people, with the name it was called: "foo is zsh"; "" where other_name() is.
std::string renamed(std::string_view argv, std::string_view exe);

/// Where the first word of `argv` ends, as replay::command_line() writes it.
std::size_t first_word_end(std::string_view argv);

}  // namespace opelog::replay
