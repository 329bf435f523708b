#include "sandbox.h"

#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace {

void must(bool ok, const char* what) {
  if (!ok) throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
}

bool readable(int fd) {
  pollfd entry{fd, POLLIN, 0};
  return ::poll(&entry, 1, kPatienceMs) > 0;
}

std::vector<char*> pointers(const std::vector<std::string>& list) {
  std::vector<char*> result;
  for (const auto& s : list) result.push_back(const_cast<char*>(s.c_str()));
  result.push_back(nullptr);
  return result;
}

void copy_file(const std::string& from, const std::string& to, mode_t mode, gid_t group) {
  std::ifstream in(from, std::ios::binary);
  std::ofstream out(to, std::ios::binary);
  out << in.rdbuf();
  out.close();
  must(out.good() && ::chown(to.c_str(), 0, group) == 0 && ::chmod(to.c_str(), mode) == 0, to.c_str());
}

// In the child, whose descriptors are the test's: where else could it say so?
[[noreturn]] void give_up(const char* what) {
  ::dprintf(2, "test: %s: %s\n", what, std::strerror(errno));
  ::_exit(125);
}

[[noreturn]] void start_child(const Start& start) {
  for (int fd = 0; fd < 3; ++fd) {
    const int given = start.descriptors[fd] >= 0 ? start.descriptors[fd] : ::open("/dev/null", O_RDWR);
    // Above 2 first: descriptors given may be 0, 1 or 2 themselves.
    const int high = ::fcntl(given, F_DUPFD, 50 + fd);
    if (high < 0) give_up("fcntl");
  }
  for (int fd = 0; fd < 3; ++fd)
    if (::dup2(50 + fd, fd) < 0) give_up("dup2");
  ::close_range(3, ~0U, 0);
  // As from sshd, whatever the test runner itself was started with (nohup ignores SIGHUP).
  for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::setsid();
  if (start.terminal && ::ioctl(0, TIOCSCTTY, 0) != 0) give_up("TIOCSCTTY");
  if (::setgroups(start.groups.size(), start.groups.data()) != 0) give_up("setgroups");
  if (::setresgid(start.gid, start.gid, start.gid) != 0) give_up("setresgid");
  if (::setresuid(start.uid, start.uid, start.uid) != 0) give_up("setresuid");
  if (::chdir(kHome) != 0) give_up("chdir");
  ::umask(027);
  if (start.before_exec) start.before_exec();
  auto argv = pointers(start.arguments);
  auto envp = pointers(start.environment);
  ::execve(start.program.c_str(), argv.data(), envp.data());
  give_up(start.program.c_str());
}

}  // namespace

void Hold::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

Pipe::Pipe() {
  int fds[2];
  must(::pipe2(fds, O_CLOEXEC) == 0, "pipe");
  read_end = Hold(fds[0]);
  write_end = Hold(fds[1]);
}

std::string Pipe::all() {
  write_end.close();
  std::string text;
  char buffer[4096];
  while (readable(read_end.get())) {
    const ssize_t n = ::read(read_end.get(), buffer, sizeof buffer);
    if (n <= 0) break;
    text.append(buffer, static_cast<std::size_t>(n));
  }
  return text;
}

Pty::Pty() {
  int m = -1;
  int s = -1;
  char name[128];
  const winsize size{24, 80, 0, 0};
  must(::openpty(&m, &s, name, nullptr, &size) == 0, "openpty");
  master = Hold(m);
  slave = Hold(s);
  path = name;
  ::fcntl(m, F_SETFD, FD_CLOEXEC);
  ::fcntl(s, F_SETFD, FD_CLOEXEC);
  must(::fchown(s, kUser, kUserGroup) == 0 && ::fchmod(s, 0600) == 0, "pty owner");
}

std::string read_until(int fd, std::string_view text) {
  std::string got;
  char buffer[4096];
  while (got.find(text) == std::string::npos && readable(fd)) {
    const ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n <= 0) break;
    got.append(buffer, static_cast<std::size_t>(n));
  }
  return got;
}

Child::Child(const Start& start) {
  pid_ = ::fork();
  must(pid_ >= 0, "fork");
  if (pid_ == 0) start_child(start);
}

Child::~Child() {
  if (collected_) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

bool Child::running() {
  if (!collected_ && ::waitpid(pid_, &status_, WNOHANG) == pid_) collected_ = true;
  return !collected_;
}

int Child::wait() {
  if (!eventually([this] { return !running(); })) ADD_FAILURE() << "the child does not end";
  return status_;
}

Greeting Talk::greeting() {
  Greeting g;
  static char buffer[OPELOG_MAX_FRAME + 1];
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * 16)];
  iovec part{buffer, sizeof buffer};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  EXPECT_TRUE(readable(fd_.get()));
  const ssize_t n = ::recvmsg(fd_.get(), &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (n < static_cast<ssize_t>(sizeof g.head)) {
    ADD_FAILURE() << "no HELLO: " << n;
    return g;
  }
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    for (std::size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
      g.descriptors.emplace_back(fd);
    }
  }
  std::memcpy(&g.head, buffer, sizeof g.head);
  std::string_view rest(buffer + sizeof g.head, static_cast<std::size_t>(n) - sizeof g.head);
  auto take = [&rest](std::uint32_t length) {
    std::string text(rest.substr(0, length));
    rest.remove_prefix(text.size());
    return text;
  };
  g.term = take(g.head.term_length);
  g.command = take(g.head.command_length);
  g.original = take(g.head.original_length);
  g.claim = take(g.head.claim_length);
  EXPECT_TRUE(rest.empty());
  ucred peer{};
  socklen_t size = sizeof peer;
  ::getsockopt(fd_.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size);
  g.pid = peer.pid;
  return g;
}

void Talk::send(std::string_view packet, const std::vector<int>& descriptors) {
  iovec part{const_cast<char*>(packet.data()), packet.size()};
  msghdr message{};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * 16)] = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (!descriptors.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * descriptors.size());
    cmsghdr* c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int) * descriptors.size());
    std::memcpy(CMSG_DATA(c), descriptors.data(), sizeof(int) * descriptors.size());
  }
  EXPECT_EQ(::sendmsg(fd_.get(), &message, MSG_NOSIGNAL), static_cast<ssize_t>(packet.size()))
      << std::strerror(errno);
}

void Talk::record_streams(const Greeting& greeting, VerdictSpec spec) {
  std::vector<Hold> ends;
  std::vector<int> numbers;
  for (const std::uint8_t stream : greeting.head.streams) {
    if (stream != OPELOG_STREAM_SOCKET && stream != OPELOG_STREAM_PIPE) continue;
    int pair[2];
    must(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0, "socketpair");
    for (const int fd : pair) {
      ends.emplace_back(fd);
      numbers.push_back(fd);
    }
  }
  spec.action = OPELOG_RECORD_STREAMS;
  send(verdict(spec), numbers);
}

std::string Talk::packet() {
  char buffer[512];
  if (!readable(fd_.get())) {
    ADD_FAILURE() << "the shim says nothing";
    return {};
  }
  const ssize_t n = ::recv(fd_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
  return n > 0 ? std::string(buffer, static_cast<std::size_t>(n)) : std::string();
}

template <typename T>
static T frame(const std::string& packet, std::uint32_t type) {
  T value{};
  EXPECT_EQ(packet.size(), sizeof value);
  if (packet.size() == sizeof value) std::memcpy(&value, packet.data(), sizeof value);
  std::uint32_t got = 0;
  std::memcpy(&got, reinterpret_cast<const char*>(&value) + sizeof(std::uint32_t), sizeof got);
  EXPECT_EQ(got, type);
  return value;
}

opelog_started Talk::started() {
  return frame<opelog_started>(packet(), OPELOG_STARTED);
}
opelog_ended Talk::ended() {
  return frame<opelog_ended>(packet(), OPELOG_ENDED);
}
opelog_resized Talk::resized() {
  return frame<opelog_resized>(packet(), OPELOG_RESIZED);
}
void Talk::done() {
  const opelog_frame frame{OPELOG_LOGIN_MAGIC, OPELOG_DONE};
  send(std::string_view(reinterpret_cast<const char*>(&frame), sizeof frame));
}

std::string verdict(const VerdictSpec& spec) {
  opelog_verdict head{};
  head.frame = {OPELOG_LOGIN_MAGIC, OPELOG_VERDICT};
  head.action = spec.action;
  head.exit_code = spec.exit_code;
  head.replace = spec.action == OPELOG_RECORD_TERMINAL ? spec.replace : 0;
  head.recorded = spec.recorded;
  head.shell_length = static_cast<std::uint32_t>(spec.shell.size());
  head.message_length = static_cast<std::uint32_t>(spec.message.size());
  head.session_length = static_cast<std::uint32_t>(spec.session.size());
  return std::string(reinterpret_cast<const char*>(&head), sizeof head) + spec.shell + spec.message +
         spec.session;
}

Sandbox::Sandbox() {
  must(::unshare(CLONE_NEWNS) == 0, "unshare (these tests need root)");
  must(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, "mount --make-rprivate /");
  must(::mount("opelog-test", "/mnt", "tmpfs", 0, "mode=0711") == 0, "mount tmpfs on /mnt");
  ::umask(0);
  must(::mkdir("/mnt/opelog", 0711) == 0 && ::mkdir(kHome, 0700) == 0 &&
           ::chown(kHome, kUser, kUserGroup) == 0,
       "mkdir");
  copy_file(SHIM_SHELL, kShell, 02711, kOpelogGroup);
  copy_file(SHIM_WAITER, kWaiter, 0711, 0);
  copy_file(SHIM_PROBE, kProbe, 0755, 0);
  copy_file(SHIM_PRELOAD, "/mnt/opelog/preload.so", 0755, 0);
}

Sandbox::~Sandbox() {
  listener_.close();
  ::umount2("/mnt", MNT_DETACH);
}

void Sandbox::listen() {
  listener_ = Hold(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, kSocket);
  must(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0, "bind");
  must(::chown(kSocket, 0, kOpelogGroup) == 0 && ::chmod(kSocket, 0660) == 0, "socket mode");
  must(::listen(listener_.get(), 16) == 0, "listen");
}

Talk Sandbox::accept() {
  EXPECT_TRUE(readable(listener_.get())) << "no shim connects";
  const int fd = ::fcntl(listener_.get(), F_SETFL, O_NONBLOCK) == 0
                     ? ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)
                     : -1;
  return Talk(fd);
}

bool Sandbox::somebody_waits() const {
  pollfd entry{listener_.get(), POLLIN, 0};
  return ::poll(&entry, 1, 0) > 0;
}

void Sandbox::write_fallback(const std::string& lines, mode_t mode, uid_t owner) {
  write_text(kFallback, "opelog-fallback 1\n" + lines + "end\n", mode);
  must(::chown(kFallback, owner, kOpelogGroup) == 0 && ::chmod(kFallback, mode) == 0, "fallback");
}

void write_text(const std::string& path, const std::string& text, mode_t mode) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << text;
  out.close();
  must(out.good() && ::chmod(path.c_str(), mode) == 0, path.c_str());
}

std::string read_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

bool process_exists(pid_t pid) {
  const std::string stat = read_text("/proc/" + std::to_string(pid) + "/stat");
  const auto after = stat.rfind(')');
  return after != std::string::npos && stat[after + 2] != 'Z' && stat[after + 2] != 'X';
}

bool eventually(const std::function<bool()>& condition) {
  for (int i = 0; i < kPatienceMs; ++i) {
    if (condition()) return true;
    ::poll(nullptr, 0, 1);
  }
  return condition();
}
