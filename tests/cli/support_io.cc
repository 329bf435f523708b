#include "support_io.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "core/clock_io.h"

namespace opelog::cli::testing {
namespace {
constexpr MonoUs kPatience = 120 * kUsPerS;

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  return argv;
}
}  // namespace

Ran opelog(const std::vector<std::string>& words) {
  std::vector<std::string> argv{OPELOG_BINARY};
  argv.insert(argv.end(), words.begin(), words.end());
  return format::testing::run(argv);
}

std::unique_ptr<format::RecordingWriter> begin_recording(const TempDir& dir, const std::string& name,
                                                         const format::SessionInfo& info,
                                                         const std::vector<Chunk>& chunks) {
  auto writer = format::RecordingWriter::create(format::testing::options_for(dir, name), info, 0);
  if (!writer) std::abort();
  for (const auto& chunk : chunks) {
    std::string_view left = chunk.bytes;
    while (!left.empty()) {
      const auto accepted = (*writer)->output(left, chunk.at_us);
      if (!accepted) std::abort();
      left.remove_prefix(*accepted);
    }
    if (!(*writer)->flush(chunk.at_us)) std::abort();
  }
  return std::move(*writer);
}

void make_recording(const TempDir& dir, const std::string& name, const format::SessionInfo& info,
                    const std::vector<Chunk>& chunks, int exit_code) {
  auto writer = begin_recording(dir, name, info, chunks);
  format::EndInfo end;
  end.exit_code = exit_code;
  if (!writer->end(end, chunks.empty() ? 0 : chunks.back().at_us)) std::abort();
}

OnPty::OnPty(const std::vector<std::string>& words, int rows, int cols) {
  int master = -1, slave = -1;
  winsize size{};
  size.ws_row = static_cast<unsigned short>(rows);
  size.ws_col = static_cast<unsigned short>(cols);
  if (::openpty(&master, &slave, nullptr, nullptr, &size) != 0) std::abort();
  ::fcntl(master, F_SETFD, FD_CLOEXEC);
  ::fcntl(slave, F_SETFD, FD_CLOEXEC);
  master_ = Fd(master);
  slave_ = Fd(slave);
  ::tcgetattr(slave, &before_);
  std::vector<std::string> argv{OPELOG_BINARY};
  argv.insert(argv.end(), words.begin(), words.end());
  const auto pointed = pointers(argv);
  pid_ = ::fork();
  if (pid_ == 0) {
    // A session leader's child in its own process group, as a shell would start it: SIGTSTP must stop it.
    ::setsid();
    ::ioctl(slave, TIOCSCTTY, 0);
    // Nothing else may stay open here: neither the master (a hang-up) nor a live recording's lock.
    ::dup2(slave, 0);
    ::close_range(1, ~0U, 0);
    const pid_t child = ::fork();
    if (child == 0) {
      ::setpgid(0, 0);
      ::signal(SIGTTOU, SIG_IGN);
      ::tcsetpgrp(0, ::getpid());
      ::signal(SIGTTOU, SIG_DFL);
      ::dup2(0, 1);
      ::dup2(0, 2);
      ::execv(pointed[0], pointed.data());
      ::_exit(127);
    }
    int status = 0;
    ::signal(SIGHUP, SIG_IGN);
    ::signal(SIGTTOU, SIG_IGN);
    while (::waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status)) {
      // As a shell does: say that it stopped, put it into the foreground and let it go on when told by
      // SIGUSR1.
      sigset_t set;
      sigemptyset(&set);
      sigaddset(&set, SIGUSR1);
      ::sigprocmask(SIG_BLOCK, &set, nullptr);
      ::tcsetpgrp(0, ::getpid());
      (void)!::write(0, "<stopped>", 9);
      int got = 0;
      ::sigwait(&set, &got);
      ::tcsetpgrp(0, child);
      ::kill(-child, SIGCONT);
    }
    ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
  }
}

OnPty::~OnPty() {
  if (pid_ <= 0) return;
  hang_up();
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void OnPty::send(const std::string& keys) {
  (void)write_all(master_.get(), keys).ok();
}

void OnPty::signal(int signum) {
  if (signum == SIGUSR1) {
    ::kill(pid_, SIGUSR1);  // to the stand-in for a shell
    return;
  }
  const pid_t group = ::tcgetpgrp(master_.get());  // the slave is not our controlling terminal
  if (group > 0 && group != pid_) ::kill(-group, signum);
}

void OnPty::hang_up() {
  slave_.reset();
  master_.reset();
}

bool OnPty::read_some(int timeout_ms) {
  pollfd in{master_.get(), POLLIN, 0};
  if (!master_ || ::poll(&in, 1, timeout_ms) <= 0) return false;
  char buffer[4096];
  const ssize_t n = ::read(master_.get(), buffer, sizeof buffer);
  if (n <= 0) return false;
  seen_.append(buffer, static_cast<std::size_t>(n));
  return true;
}

bool OnPty::wait_for(const std::string& text, std::size_t from) {
  const MonoUs until = mono_now() + kPatience;
  while (seen_.find(text, from) == std::string::npos) {
    if (mono_now() > until) return false;
    read_some(20);
  }
  return true;
}

bool OnPty::wait_for_raw(bool raw) {
  const MonoUs until = mono_now() + kPatience;
  while (((now().c_lflag & ICANON) == 0) != raw) {
    if (mono_now() > until) return false;
    read_some(5);
  }
  return true;
}

bool OnPty::wait_stopped() {
  return wait_for("<stopped>");
}

int OnPty::wait_end() {
  const MonoUs until = mono_now() + kPatience;
  int status = 0;
  for (;;) {
    const pid_t ended = ::waitpid(pid_, &status, WNOHANG);
    if (ended == pid_) break;
    if (mono_now() > until) return -1;
    if (!read_some(5) && !master_) ::poll(nullptr, 0, 5);
  }
  pid_ = -1;
  while (read_some(0)) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

termios OnPty::now() const {
  termios settings{};
  ::tcgetattr(slave_.get(), &settings);
  return settings;
}

bool same_settings(const termios& a, const termios& b) {
  return a.c_iflag == b.c_iflag && a.c_oflag == b.c_oflag && a.c_cflag == b.c_cflag &&
         a.c_lflag == b.c_lflag && std::memcmp(a.c_cc, b.c_cc, sizeof a.c_cc) == 0;
}

FakeDaemon::FakeDaemon(const std::string& path,
                       std::function<std::vector<std::string>(const std::string&)> answer) {
  listening_ = Fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) std::abort();
  std::memcpy(address.sun_path, path.data(), path.size());
  int ends[2];
  if (::bind(listening_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listening_.get(), 8) != 0 || ::pipe2(ends, O_CLOEXEC) != 0) {
    std::abort();
  }
  stop_read_ = Fd(ends[0]);
  stop_write_ = Fd(ends[1]);
  thread_ = std::thread([this, answer = std::move(answer)] {
    for (;;) {
      pollfd fds[2] = {{listening_.get(), POLLIN, 0}, {stop_read_.get(), POLLIN, 0}};
      ::poll(fds, 2, -1);
      if (fds[1].revents != 0) return;
      const Fd peer(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      char request[4097];
      const ssize_t n = ::recv(peer.get(), request, sizeof request, 0);
      if (n <= 0) continue;
      for (const auto& packet : answer(std::string(request, static_cast<std::size_t>(n)))) {
        (void)::send(peer.get(), packet.data(), packet.size(), MSG_NOSIGNAL);
      }
    }
  });
}

FakeDaemon::~FakeDaemon() {
  stop_write_.reset();
  thread_.join();
}

}  // namespace opelog::cli::testing
