#include "record/proc_connector_io.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>

#include "core/clock_io.h"
#include "record/proc_directory_io.h"

namespace opelog::record {
namespace {

// Some 50,000 events: what a host makes while the loop is busy for a second or two.
constexpr int kSocketBytes = 8 << 20;
// Datagrams taken before others have their turn.
constexpr int kDatagramsPerTurn = 2048;
// Events of a session that wait for its reader.
constexpr std::size_t kMaxWaiting = 4096;
// How often an overflow is repaired, and how many passes over the processes that takes at most.
constexpr MonoUs kRepairUs = 1 * kUsPerS;
constexpr int kMostPasses = 16;
// Processes held open for reading, of all sessions: descriptors are needed elsewhere.
constexpr std::size_t kMaxOpenProcesses = 1024;
// Bytes of the command line that are counted: execve's limit is 6 MB at most.
constexpr std::size_t kMaxCounted = 8U << 20;
// PROC_PID_INIT_INO and PROC_USER_INIT_INO of the kernel.
constexpr unsigned kFirstPids = 0xEFFFFFFCU, kFirstUsers = 0xEFFFFFFDU;
constexpr std::uint32_t kUnknownId = 0xffffffff;

bool in_namespace(const char* link, unsigned inode) {
  struct stat here {};
  return ::stat(link, &here) == 0 && here.st_ino == inode;
}

// May wait for as long as the process's owner likes.
void read_arguments(const ProcDirectory& process, format::ExecInfo& info) {
  info.argv_missing = true;
  auto file = open_at(process.fd(), "cmdline", O_RDONLY);
  if (!file) return;
  std::string kept;
  std::uint64_t all = 0;
  std::array<char, 16384> buffer;
  while (all < kMaxCounted) {
    const ssize_t n = ::read(file->get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    kept.append(buffer.data(),
                std::min(static_cast<std::size_t>(n), format::kMaxArgumentBytes - kept.size()));
    all += static_cast<std::uint64_t>(n);
    info.argc += static_cast<std::uint64_t>(std::count(buffer.data(), buffer.data() + n, '\0'));
  }
  if (all == 0) return;
  info.argv_missing = false;
  info.argument_bytes = all;
  info.argv_cut = kept.size() < all;
  split_arguments(kept, info.argv);
  if (!info.argv_cut) info.argc = info.argv.size();
}

void read_process(const ProcDirectory& process, format::ExecInfo& info) {
  if (auto status = process.status()) {
    info.uid = status->real_uid;
    info.euid = status->effective_uid;
  }
  const auto number = [&process](const char* file, std::uint32_t& into) {
    if (auto text = process.read(file)) {
      if (auto value = parse_proc_number(*text)) into = *value;
    }
  };
  number("loginuid", info.loginuid);
  number("sessionid", info.audit_session);
  if (auto stat = process.stat()) info.tty = terminal_path(stat->terminal);
  info.exe = process.link("exe");
  info.cwd = process.link("cwd");
  info.exe_missing = info.exe.empty();
  info.cwd_missing = info.cwd.empty();
  read_arguments(process, info);
}

}  // namespace

Result<std::unique_ptr<ProcConnector>> ProcConnector::open(Loop& loop, ExecSink sink) {
  if (!in_namespace("/proc/self/ns/pid", kFirstPids) || !in_namespace("/proc/self/ns/user", kFirstUsers)) {
    return Error{Code::kUnsupported, "the kernel's proc connector tells nothing within a container", 0};
  }
  Fd socket(::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_CONNECTOR));
  if (!socket) return error_from_errno(errno, "open the kernel's proc connector (AF_NETLINK)");
  sockaddr_nl name{};
  name.nl_family = AF_NETLINK;
  name.nl_groups = CN_IDX_PROC;
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kSocketBytes, sizeof kSocketBytes) != 0 ||
      ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0) {
    return error_from_errno(errno, "listen to the kernel's proc connector (CAP_NET_ADMIN)");
  }
  const std::string request = connector_request();
  if (::send(socket.get(), request.data(), request.size(), 0) < 0)
    return error_from_errno(errno, "ask the kernel's proc connector for events");
  std::unique_ptr<ProcConnector> connector(new ProcConnector(loop, std::move(sink), std::move(socket)));
  auto poll =
      Poll::open(loop, connector->socket_.get(), [self = connector.get()](int, int) { self->drain(); });
  if (!poll) return std::move(poll).error();
  connector->poll_ = std::move(*poll);
  if (Status watched = connector->poll_->watch(Poll::kReadable); !watched) return watched.error();
  return connector;
}

ProcConnector::ProcConnector(Loop& loop, ExecSink sink, Fd socket)
    : loop_(loop), sink_(std::move(sink)), socket_(std::move(socket)) {}

ProcConnector::~ProcConnector() {
  *alive_ = false;
}

Status ProcConnector::join(int pidfd, std::uint64_t session, Membership membership) {
  auto text = read_file("/proc/self/fdinfo/" + std::to_string(pidfd), 4096);
  if (!text) return std::move(text).error();
  const auto at = text->find("Pid:\t");
  std::int64_t pid = 0;
  if (at != std::string::npos) std::from_chars(text->data() + at + 5, text->data() + text->size(), pid);
  if (pid <= 0) return Error{Code::kGone, "join a process to its session: it has ended", ESRCH};
  if (!members_.join(pid, session, membership, mono_now()))
    return Error{Code::kLimit, "too many processes to follow", 0};
  return {};
}

// What is left of it comes to an end by itself.
void ProcConnector::forget(std::uint64_t) {}

Status ProcConnector::watch_server(int) {
  return Error{Code::kUnsupported, "the proc connector does not tell where logins begin", 0};
}

Status ProcConnector::count_losses(std::uint64_t) {
  return {};
}

void ProcConnector::release(std::uint64_t) {}

std::function<std::uint64_t(int)> ProcConnector::session_probe() const {
  return [](int) -> std::uint64_t { return 0; };
}

void ProcConnector::drain() {
  std::array<char, 4096> buffer;
  for (int i = 0; i < kDatagramsPerTurn; ++i) {
    sockaddr_nl from{};
    socklen_t size = sizeof from;
    const ssize_t n =
        ::recvfrom(socket_.get(), buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
    if (n < 0) {
      if (errno == EINTR) continue;
      if (errno == ENOBUFS) {
        ++overflows_;
        unsure_ = true;
        continue;
      }
      break;
    }
    if (size != sizeof from || from.nl_pid != 0) continue;  // not the kernel
    for (const ConnectorEvent& event :
         decode_connector({buffer.data(), static_cast<std::size_t>(n)}).events) {
      take(event);
    }
  }
  // Reads all of /proc: not for each overflow of a storm.
  if (unsure_ && mono_now() >= repaired_at_ + kRepairUs) repair();
}

void ProcConnector::take(const ConnectorEvent& event) {
  const ExecMembership::Step step = members_.step(event);
  using Kind = ExecMembership::Step::Kind;
  if (step.kind == Kind::kNothing) return;
  if (step.kind == Kind::kFull) return lose(step.session, 1);
  Look look;
  look.event.session = step.session;
  look.event.when = static_cast<MonoUs>(event.time_ns / 1000);
  if (step.kind == Kind::kExit) {
    format::ExitInfo info;
    info.pid = step.pid;
    info.parent = step.parent;
    set_status(info, step.status);
    info.execs = step.execs;
    info.duration_us = std::max<MonoUs>(step.duration, 0);
    look.event.what = info;
  } else {
    format::ExecInfo info;
    info.pid = step.pid;
    info.parent = step.parent;
    info.uid = info.euid = kUnknownId;
    info.argv_missing = info.exe_missing = info.cwd_missing = true;
    look.event.what = std::move(info);
    // At once, so that it is this process and no later one.
    if (open_ < kMaxOpenProcesses) {
      if (auto process = ProcDirectory::open(step.pid)) {
        look.process = std::make_unique<ProcDirectory>(std::move(*process));
        ++open_;
      }
    }
  }
  push(std::move(look));
}

void ProcConnector::push(Look look) {
  const std::uint64_t session = look.event.session;
  Queue& queue = queues_[session];
  if (queue.waiting.size() >= kMaxWaiting) {
    if (look.process) --open_;
    return lose(session, 1);
  }
  queue.waiting.push_back(std::move(look));
  if (!queue.reading) read_next(session);
}

// One batch of a session at a time, so that its events stay in order.
void ProcConnector::read_next(std::uint64_t session) {
  for (;;) {
    const auto queue = queues_.find(session);
    if (queue == queues_.end() || queue->second.reading) return;
    if (queue->second.waiting.empty()) {
      queues_.erase(queue);
      return;
    }
    auto looks = std::make_shared<std::vector<Look>>();
    looks->swap(queue->second.waiting);
    queue->second.reading = true;
    const auto read = [looks] {
      for (Look& look : *looks) {
        if (look.process) read_process(*look.process, std::get<format::ExecInfo>(look.event.what));
      }
    };
    const auto done = [this, looks, session, alive = alive_] {
      if (!*alive) return;
      deliver(*looks, session);
      read_next(session);
    };
    const bool any =
        std::any_of(looks->begin(), looks->end(), [](const Look& look) { return look.process != nullptr; });
    if (any && run_work(loop_, read, done)) return;
    deliver(*looks, session);
  }
}

void ProcConnector::deliver(std::vector<Look>& looks, std::uint64_t session) {
  for (Look& look : looks) {
    if (look.process) {
      look.process.reset();
      --open_;
    }
    ++delivered_;
    if (sink_.event) sink_.event(std::move(look.event));
  }
  queues_[session].reading = false;
}

// The socket had no room: forks, execs and exits are missing, nobody knows how many.
void ProcConnector::repair() {
  unsure_ = false;
  repaired_at_ = mono_now();
  if (sink_.lost) sink_.lost(0, 0);
  const auto gone = members_.retain(
      [](std::int64_t pid) { return ::access(("/proc/" + std::to_string(pid)).c_str(), F_OK) == 0; });
  for (const std::uint64_t session : gone) lose(session, 1);
  std::vector<std::pair<std::int64_t, std::int64_t>> all;  // with their parents
  if (DIR* proc = ::opendir("/proc"); proc != nullptr) {
    while (const dirent* entry = ::readdir(proc)) {
      const auto pid = parse_proc_number(entry->d_name);
      if (!pid) continue;
      if (const auto stat = read_proc_stat(*pid)) all.emplace_back(*pid, stat->parent);
    }
    ::closedir(proc);
  }
  // A child may have a smaller number than its parent: until nothing changes, within reason.
  bool changed = true;
  for (int i = 0; changed && i < kMostPasses; ++i) {
    changed = false;
    for (const auto& [pid, parent] : all) changed = members_.adopt(pid, parent, mono_now()) || changed;
  }
}

void ProcConnector::lose(std::uint64_t session, std::uint64_t count) {
  lost_ += count;
  if (sink_.lost) sink_.lost(session, count);
}

std::string ProcConnector::describe() const {
  return "proc connector (incomplete: no BPF), " + std::to_string(members_.count()) + " processes, " +
         std::to_string(delivered_) + " events, " + std::to_string(lost_) + " lost, " +
         std::to_string(overflows_) + " overflows";
}

}  // namespace opelog::record
