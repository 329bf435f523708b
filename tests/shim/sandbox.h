// A private /mnt with an installed opelog-shell, and the daemon played by the test.
//
// Everything happens in a mount namespace of this test process on a tmpfs of its own: nothing can be left
// behind. The recorded user is uid 54321, who has no passwd entry; the shim is setgid 54399.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

extern "C" {
#include "record/login_protocol.h"
}

constexpr uid_t kUser = 54321;
constexpr gid_t kUserGroup = 54321;
constexpr gid_t kOpelogGroup = 54399;
constexpr const char* kShell = "/mnt/opelog/opelog-shell";
constexpr const char* kWaiter = "/mnt/opelog/opelog-waiter";
constexpr const char* kSocket = "/mnt/opelog/login.sock";
constexpr const char* kFallback = "/mnt/opelog/fallback";
constexpr const char* kProbe = "/mnt/opelog/probe";
constexpr const char* kHome = "/mnt/opelog/home";  // the user's
// Nothing here takes this long; a test that waits so long has failed.
constexpr int kPatienceMs = 120000;

// A descriptor that closes itself.
class Hold {
 public:
  explicit Hold(int fd = -1) : fd_(fd) {}
  Hold(Hold&& o) noexcept : fd_(o.fd_) { o.fd_ = -1; }
  Hold& operator=(Hold&& o) noexcept {
    if (this != &o) {
      close();
      fd_ = o.fd_;
      o.fd_ = -1;
    }
    return *this;
  }
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;
  ~Hold() { close(); }
  void close();
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

struct Pipe {
  Pipe();
  Hold read_end, write_end;
  // What can be read until everybody else has closed it (our own write end first).
  std::string all();
};

struct Pty {
  Pty();
  Hold master, slave;
  std::string path;
};

// Reads until `text` has come or patience ends; what was read.
std::string read_until(int fd, std::string_view text);

// How a program is started.
struct Start {
  std::string program = kShell;
  std::vector<std::string> arguments;  // with argv[0]
  std::vector<std::string> environment = {"PATH=/usr/bin:/bin"};
  int descriptors[3] = {-1, -1, -1};  // -1: /dev/null
  bool terminal = false;              // descriptor 0 becomes the controlling terminal of a new session
  uid_t uid = kUser;
  gid_t gid = kUserGroup;
  std::vector<gid_t> groups;
  std::function<void()> before_exec;  // as the user
};

// A child, killed and collected at the end if the test has not done so.
class Child {
 public:
  explicit Child(const Start& start);
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child();
  [[nodiscard]] pid_t pid() const { return pid_; }
  int wait();                    // wait status
  [[nodiscard]] bool running();  // right now

 private:
  pid_t pid_ = -1;
  bool collected_ = false;
  int status_ = 0;
};

struct Greeting {
  opelog_hello head{};
  std::string term, command, original, claim;
  std::vector<Hold> descriptors;
  pid_t pid = 0;
};

struct VerdictSpec {
  std::uint32_t action = OPELOG_PASS;
  std::uint32_t exit_code = 0, replace = 7, recorded = 0;
  std::string shell = kProbe, message, session = "s1";
};

// One accepted shim.
class Talk {
 public:
  explicit Talk(int fd) : fd_(fd) {}
  Greeting greeting();
  void send(std::string_view packet, const std::vector<int>& descriptors = {});
  // RECORD_STREAMS as the daemon would give them, its relay being one socket pair for each stream.
  void record_streams(const Greeting& greeting, VerdictSpec spec = {});
  // A packet; empty at the end of the connection. Fails the test when nothing comes.
  std::string packet();
  opelog_started started();
  opelog_ended ended();
  opelog_resized resized();
  void done();
  void close() { fd_.close(); }
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  Hold fd_;
};

std::string verdict(const VerdictSpec& spec);

class Sandbox {
 public:
  Sandbox();
  ~Sandbox();
  Sandbox(const Sandbox&) = delete;
  Sandbox& operator=(const Sandbox&) = delete;
  void listen();
  void stop_listening() { listener_.close(); }  // the socket's file stays
  Talk accept();
  [[nodiscard]] bool somebody_waits() const;  // a connection that was not accepted yet
  void write_fallback(const std::string& lines, mode_t mode = 0640, uid_t owner = 0);

 private:
  Hold listener_;
};

void write_text(const std::string& path, const std::string& text, mode_t mode);
std::string read_text(const std::string& path);
bool process_exists(pid_t pid);
// Waits until `condition` holds, looking every millisecond; false when patience ends.
bool eventually(const std::function<bool()>& condition);
