// What the tests of cli/ share: the real `opelog` run with pipes or on a real pty, and recordings for it to
// read.
#pragma once

#include <sys/types.h>
#include <termios.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "../format/support_io.h"
#include "core/fd_io.h"

namespace opelog::cli::testing {

using format::testing::kName;
using format::testing::Ran;
using format::testing::TempDir;

/// `opelog WORDS…` with stdin /dev/null.
Ran opelog(const std::vector<std::string>& words);

/// A recording with header and the given output chunks `step_us` apart, ended with `exit_code` (or live: not
/// ended, the writer is returned and holds it).
struct Chunk {
  std::int64_t at_us = 0;
  std::string bytes;
};
std::unique_ptr<format::RecordingWriter> begin_recording(const TempDir& dir, const std::string& name,
                                                         const format::SessionInfo& info,
                                                         const std::vector<Chunk>& chunks);
void make_recording(const TempDir& dir, const std::string& name, const format::SessionInfo& info,
                    const std::vector<Chunk>& chunks, int exit_code = 0);

/// `opelog WORDS…` on a pty of its own as its controlling terminal.
class OnPty {
 public:
  explicit OnPty(const std::vector<std::string>& words, int rows = 24, int cols = 80);
  ~OnPty();
  OnPty(const OnPty&) = delete;
  OnPty& operator=(const OnPty&) = delete;

  void send(const std::string& keys);
  void signal(int signum);
  void hang_up();  ///< closes the master
  /// Reads until `text` has come (behind the first `from` bytes), or the limit of the test's patience (30 s):
  /// then false.
  bool wait_for(const std::string& text, std::size_t from = 0);
  /// Until the terminal's settings (not) are what they were at the start.
  bool wait_for_raw(bool raw);
  bool wait_stopped();
  /// Until the program has ended; its exit code, or 128 + signal that killed it. Reads all output.
  int wait_end();

  [[nodiscard]] const std::string& seen() const { return seen_; }
  [[nodiscard]] termios before() const { return before_; }
  [[nodiscard]] termios now() const;

 private:
  bool read_some(int timeout_ms);
  Fd master_, slave_;
  pid_t pid_ = -1;
  termios before_{};
  std::string seen_;
};

/// Whether two terminals' settings agree in every field.
bool same_settings(const termios& a, const termios& b);

/// A daemon's control socket that answers each request with fixed packets, one connection after the other.
class FakeDaemon {
 public:
  /// `answer` gets the request and returns the packets; none: the connection is closed.
  FakeDaemon(const std::string& path, std::function<std::vector<std::string>(const std::string&)> answer);
  ~FakeDaemon();
  FakeDaemon(const FakeDaemon&) = delete;
  FakeDaemon& operator=(const FakeDaemon&) = delete;

 private:
  Fd listening_, stop_read_, stop_write_;
  std::thread thread_;
};

}  // namespace opelog::cli::testing
