#include "support_io.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/append_only_io.h"

namespace opelog::format::testing {

TempDir::TempDir() {
  std::string pattern = "/var/tmp/opelog-format-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) std::abort();
  path_ = pattern;
  fd_ = Fd(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

TempDir::~TempDir() {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path_, ignored)) {
    Fd fd(::open(entry.path().c_str(), O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC));
    if (fd) (void)set_append_only(fd.get(), false).ok();
  }
  std::filesystem::remove_all(path_, ignored);
}

std::vector<std::string> TempDir::entries() const {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(path_))
    names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

std::string slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

void spill(const std::string& path, const std::string& bytes) {
  // A new file each time: ext4 writes a truncated one out to the disk when it is closed.
  ::unlink(path.c_str());
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

Ran run(const std::vector<std::string>& argv) {
  int out[2];
  int err[2];
  if (::pipe2(out, O_CLOEXEC) != 0 || ::pipe2(err, O_CLOEXEC) != 0) std::abort();
  std::vector<char*> args;
  for (const std::string& arg : argv) args.push_back(const_cast<char*>(arg.c_str()));
  args.push_back(nullptr);
  std::vector<char*> environment;
  for (char** one = environ; *one != nullptr; ++one) {
    if (std::string_view(*one).substr(0, 3) != "LC_") environment.push_back(*one);
  }
  std::string locale = "LC_ALL=C";
  environment.push_back(locale.data());
  environment.push_back(nullptr);
  // Not fork(): copying the page tables of a sanitized program takes longer than the program that is run.
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, out[1], 1);
  ::posix_spawn_file_actions_adddup2(&actions, err[1], 2);
  pid_t pid = -1;
  const int failed = ::posix_spawnp(&pid, args[0], &actions, nullptr, args.data(), environment.data());
  ::posix_spawn_file_actions_destroy(&actions);
  Fd out_end(out[0]);
  Fd err_end(err[0]);
  ::close(out[1]);
  ::close(err[1]);
  Ran ran;
  pollfd fds[2] = {{out_end.get(), POLLIN, 0}, {err_end.get(), POLLIN, 0}};
  int open_ends = 2;
  char buffer[65536];
  while (open_ends > 0) {
    if (::poll(fds, 2, -1) < 0) break;
    for (int i = 0; i < 2; ++i) {
      if (fds[i].fd < 0 || fds[i].revents == 0) continue;
      const ssize_t n = ::read(fds[i].fd, buffer, sizeof buffer);
      if (n > 0) {
        (i == 0 ? ran.out : ran.err).append(buffer, static_cast<std::size_t>(n));
      } else {
        fds[i].fd = -1;
        --open_ends;
      }
    }
  }
  if (failed != 0) return Ran{127, "", argv[0] + ": cannot be started"};
  int status = 0;
  ::waitpid(pid, &status, 0);
  ran.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return ran;
}

Ran replay(const std::string& base) {
  // The divisor takes short delays below what scriptreplay waits for; long ones are cut to a millisecond.
  Ran ran = run({"timeout", "120", "scriptreplay", "-m", "0.001", "-d", "1000", "--log-out", base + ".log",
                 "--log-timing", base + ".time"});
  if (!ran.out.empty() && ran.out.back() == '\n') ran.out.pop_back();
  return ran;
}

int in_own_namespace(const std::function<int()>& body) {
  std::fflush(nullptr);
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
      ::_exit(77);
    const int code = body();
    std::fflush(nullptr);
    ::_exit(code);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

SessionInfo sample_info() {
  SessionInfo info;
  info.id = "0123456789abcdef";
  info.host = "web1";
  info.host_id = "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f";
  info.boot_id = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";
  info.started = 1795356309123456;  // 2026-11-22 14:05:09.123456 UTC
  info.user = "alice";
  info.uid = 1000;
  info.gid = 1000;
  info.loginuid = 1000;
  info.audit_session = 42;
  info.shim_pid = 4711;
  info.client = "192.0.2.7";
  info.client_port = 50022;
  info.ancestry = {{4700, 1000, "/usr/sbin/sshd"}, {4690, 0, "/usr/sbin/sshd"}};
  info.how = "login";
  info.terminal = true;
  info.tty = "/dev/pts/3";
  info.inner_tty = "/dev/pts/4";
  info.term = "xterm-256color";
  info.rows = 24;
  info.cols = 80;
  info.shell = "/bin/bash";
  info.rule = "operators";
  info.policy_digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
  return info;
}

WriterOptions options_for(const TempDir& dir, const std::string& name) {
  WriterOptions options;
  options.directory = dir.fd();
  options.name = name;
  options.append_only = AppendOnly::kOff;
  return options;
}

int Told::count(Event::Kind kind) const {
  return static_cast<int>(
      std::count_if(events.begin(), events.end(), [&](const Event& event) { return event.kind == kind; }));
}

Told read_all(RecordingReader& reader, std::size_t limit) {
  Told told;
  for (std::size_t i = 0; i < limit; ++i) {
    Event event;
    told.outcome = reader.next(event);
    if (told.outcome != Outcome::kEvent) {
      told.problem = reader.problem();
      return told;
    }
    if (event.kind == Event::Kind::kOutput) told.output += event.bytes;
    if (event.kind == Event::Kind::kInput) told.input += event.bytes;
    told.events.push_back(std::move(event));
  }
  ADD_FAILURE() << "the reader did not come to an end within " << limit << " events";
  return told;
}

Told read_all(const std::string& path, std::size_t limit) {
  auto reader = RecordingReader::open(path);
  if (!reader) {
    Told told;
    told.problem = reader.error().message;
    return told;
  }
  return read_all(**reader, limit);
}

}  // namespace opelog::format::testing
