// For tests: a scratch directory, a listener in it, and real processes at the other end (peer_probe.c).
#pragma once

#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/fd_io.h"
#include "record/seqpacket_listener_io.h"

namespace opelog::record::test {

constexpr uid_t kStranger = 65534;  ///< nobody; needs no account
constexpr gid_t kStrangerGroup = 65534;
constexpr int kDeadlineMs = 120000;  ///< nothing waits longer for another process

class ScratchDirectory {
 public:
  ScratchDirectory() {
    char name[] = "/tmp/opelogtest-XXXXXX";
    path_ = ::mkdtemp(name);
    ::chmod(name, 0755);  // others start programs in it
  }
  ~ScratchDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// A started program; killed (by its pid) and reaped at the end.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, 0)) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
  }
  [[nodiscard]] pid_t pid() const { return pid_; }
  int wait() {
    int status = -1;
    ::waitpid(std::exchange(pid_, 0), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  pid_t pid_;
};

inline void become(uid_t uid, gid_t gid, const std::vector<gid_t>& groups = {}) {
  if (::setgroups(groups.size(), groups.data()) != 0 || ::setresgid(gid, gid, gid) != 0 ||
      ::setresuid(uid, uid, uid) != 0) {
    ::_exit(99);
  }
}

inline Child spawn(const std::vector<std::string>& arguments, std::optional<uid_t> uid = {}) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (uid) become(*uid, kStrangerGroup);
    std::vector<char*> argv;
    for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    ::execvp(argv[0], argv.data());
    ::_exit(127);
  }
  return Child(pid);
}

/// Runs `work` in a forked process and gives back what it returned; for what must not touch this one.
inline std::string in_child(const std::function<std::string()>& work) {
  int ends[2];
  if (::pipe(ends) != 0) return "no pipe";
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::close(ends[0]);
    const auto said = work();
    (void)write_all(ends[1], said);
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string said;
  char buffer[65536];
  for (ssize_t n; (n = ::read(ends[0], buffer, sizeof buffer)) > 0;)
    said.append(buffer, static_cast<std::size_t>(n));
  ::close(ends[0]);
  ::waitpid(pid, nullptr, 0);
  return said;
}

class Listener {
 public:
  explicit Listener(std::string path) : path_(std::move(path)) {
    auto fd = listen_seqpacket({path_, 0666, {}, 16});
    EXPECT_TRUE(fd) << fd.error().message;
    fd_ = std::move(fd).value();
  }
  [[nodiscard]] const std::string& path() const { return path_; }

  /// The next connection, and the text that the probe sends at once. An invalid Fd at the deadline.
  Fd accept(std::string* text = nullptr) {
    pollfd wait{fd_.get(), POLLIN, 0};
    if (::poll(&wait, 1, kDeadlineMs) != 1) return Fd();
    Fd socket(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    wait.fd = socket.get();
    if (::poll(&wait, 1, kDeadlineMs) != 1) return Fd();
    char buffer[4096];
    const auto n = ::recv(socket.get(), buffer, sizeof buffer, 0);
    if (n <= 0) return Fd();
    if (text != nullptr) *text = buffer;
    return socket;
  }

 private:
  std::string path_;
  Fd fd_;
};

}  // namespace opelog::record::test
