// Shell: a real shell on a real pty, for tests. What it writes goes to a Screen, read by read, as opelogd's
// relay records it; the time given to the Screen is the number of the read.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/fd_io.h"

namespace opelog::replay {

class Shell {
 public:
  using Sink = std::function<void(std::string_view bytes)>;
  /// Starts `argv` in `directory` on a terminal of that size. Only PATH, TERM, HOME, LC_ALL and `environment`.
  Shell(const std::vector<std::string>& argv, const std::string& directory,
        const std::vector<std::string>& environment, int rows, int cols, Sink sink);
  ~Shell();
  Shell(const Shell&) = delete;
  Shell& operator=(const Shell&) = delete;

  /// Types `keys` and reads until, after the last line switch that answers them, `then` has been written.
  /// False, with a message on what came instead, when it does not come within 20 s.
  bool type(std::string_view keys, std::string_view then);
  /// Reads until `then` has been written since the last call.
  bool wait_for(std::string_view then);
  /// Types `keys` one by one, each only after `then_each` has come.
  void resize(int rows, int cols);
  /// Reads what there is until the shell is gone.
  void finish();

 private:
  bool read_some();
  Fd master_;
  pid_t child_ = -1;
  Sink sink_;
  std::string unseen_;
};

/// Whether `program` is in PATH.
bool has_program(const std::string& program);

}  // namespace opelog::replay
