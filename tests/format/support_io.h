// What the tests of format/ share: a directory that cleans up after itself (also append-only files), programs
// run for real, and a recording made of given bytes.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/fd_io.h"
#include "format/recording_reader_io.h"
#include "format/recording_writer_io.h"

namespace opelog::format::testing {

/// The name of the recording that most tests make.
constexpr const char* kName = "alice_20261122140509_192.0.2.7";

/// A new directory below /var/tmp (a real file system, not tmpfs); removed with all in it, flags cleared
/// first.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }
  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] std::vector<std::string> entries() const;

 private:
  std::string path_;
  Fd fd_;
};

std::string slurp(const std::string& path);
void spill(const std::string& path, const std::string& bytes);

struct Ran {
  int status = -1;  ///< exit code, or 128 + signal
  std::string out, err;
};
/// Runs a program with stdin from /dev/null; LC_ALL=C.
Ran run(const std::vector<std::string>& argv);

/// Plays with util-linux scriptreplay at full speed; its own final newline is taken off.
Ran replay(const std::string& base);

/// Runs `body` in a child with an own mount namespace; returns its return value. Output of failures goes to
/// stderr.
int in_own_namespace(const std::function<int()>& body);

/// A session as logins make it.
SessionInfo sample_info();
/// Options for the recordings of tests: root's group, no flag.
WriterOptions options_for(const TempDir& dir, const std::string& name = "alice_20261122140509_192.0.2.7");

/// Everything a reader says until it has no more; stops after `limit` events.
struct Told {
  std::vector<Event> events;
  Outcome outcome = Outcome::kCorrupt;
  std::string problem;
  std::string output, input;
  [[nodiscard]] int count(Event::Kind kind) const;
};
Told read_all(RecordingReader& reader, std::size_t limit = 1000000);
Told read_all(const std::string& path, std::size_t limit = 1000000);

}  // namespace opelog::format::testing
