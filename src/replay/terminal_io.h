// PlayTerminal: the auditor's terminal while something is played on it, and what gives it back.
//
// Owns an own non-blocking description of the terminal, the raw settings, and the signals that could end or
// stop the process: they are read from a descriptor, so there is no moment in which one of them ends the
// process with the terminal still raw. leave() (and the destructor) give everything back; only SIGKILL cannot
// be answered.
#pragma once

#include <termios.h>

#include <csignal>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/fd_io.h"
#include "core/result.h"

namespace opelog::replay {

class PlayTerminal {
 public:
  /// Takes over the terminal on descriptor 1; keys come from descriptor 0 if that is the same terminal.
  static Result<std::unique_ptr<PlayTerminal>> open();
  ~PlayTerminal();
  PlayTerminal(const PlayTerminal&) = delete;
  PlayTerminal& operator=(const PlayTerminal&) = delete;

  struct Woken {
    std::string keys;        ///< bytes typed
    int signal = 0;          ///< that wants us to end
    bool stop = false;       ///< SIGTSTP
    bool continued = false;  ///< SIGCONT
    bool resized = false;    ///< SIGWINCH
    bool writable = false;
    bool hung_up = false;
  };
  /// Waits for keys, signals, room for output (if `want_write`) or the deadline (CLOCK_MONOTONIC).
  Woken wait(std::optional<MonoUs> deadline, bool want_write);

  /// Writes what fits now; 0 if nothing does. An error means that the terminal is gone.
  Result<std::size_t> write_some(std::string_view bytes);

  /// Writes `restore` as far as the terminal takes it within a second, then restores its settings.
  void leave(std::string_view restore);
  /// Raw settings again, after leave().
  void enter();
  /// leave(), stop this process, and after SIGCONT enter().
  void suspend(std::string_view restore);

  [[nodiscard]] bool has_keys() const noexcept { return keys_; }
  [[nodiscard]] int rows() const;
  [[nodiscard]] int cols() const;

 private:
  PlayTerminal() = default;
  Fd output_;
  Fd signals_;
  sigset_t blocked_before_{};
  termios saved_{};
  bool raw_ = false;
  bool keys_ = false;
};

}  // namespace opelog::replay
