// Shell: a real shell on a real pty, for tests. What it writes goes to a Screen read by read, as opelogd's
// relay records it; the time given to the Screen is the number of the read.
#pragma once

#include <sys/types.h>

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "core/fd_io.h"
#include "replay/screen.h"

namespace opelog::replay::testing {

class Shell {
 public:
  /// Starts `argv` in `directory`, which is also HOME. Of the environment only PATH, TERM, LC_ALL and
  /// `extra`.
  Shell(Screen& screen, const std::vector<std::string>& argv, const std::string& directory,
        const std::vector<std::string>& extra);
  ~Shell();
  Shell(const Shell&) = delete;
  Shell& operator=(const Shell&) = delete;

  /// Types `keys` at once and reads until all of `then` have been written after that, one behind the other.
  /// "" or what came instead within 30 s.
  std::string type(std::string_view keys, std::initializer_list<std::string_view> then);
  std::string wait_for(std::initializer_list<std::string_view> then) { return type("", then); }
  void resize(int rows, int cols);
  /// Reads until the shell has closed the terminal, 30 s at most.
  bool finish();

  [[nodiscard]] const std::string& output() const { return output_; }

 private:
  bool read_some();
  Screen& screen_;
  Fd master_;
  pid_t child_ = -1;
  std::string output_;
  std::int64_t reads_ = 0;
};

bool has_program(const std::string& program);

}  // namespace opelog::replay::testing
