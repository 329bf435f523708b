#include "record/process_facts_io.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "record/proc_directory_io.h"
#include "record/proc_text.h"

namespace opelog::record {
namespace {

#ifdef SO_PEERPIDFD
constexpr int kSoPeerPidfd = SO_PEERPIDFD;
#elif defined(__sparc__)
constexpr int kSoPeerPidfd = 0x0056;
#elif defined(__hppa__)
constexpr int kSoPeerPidfd = 0x404B;
#else
constexpr int kSoPeerPidfd = 77;  // asm-generic/socket.h of Linux 6.5; older headers lack it
#endif

constexpr int kMaxAttempts =
    3;  ///< a chain that loses a parent (daemonising) is read anew at most this often

Error gone() {
  return Error{Code::kGone, "the process at the other end has ended", 0};
}

// An unset or absent number (kernel without audit) is -1.
std::uint32_t read_number(const ProcDirectory& directory, const char* file) {
  constexpr std::uint32_t kUnset = 0xffffffff;
  auto text = directory.read(file);
  if (!text) return kUnset;
  auto number = parse_proc_number(*text);
  return number ? *number : kUnset;
}

struct Walk {
  std::vector<format::Ancestor> ancestry;
  std::vector<std::uint64_t> started;
  std::vector<std::string> mounts;  ///< mount namespace of each
  bool cut = false;
};

// Each parent is opened first; that the child still names it afterwards, and that it can still be read
// through the descriptor, proves that what was read is the parent's. A program that may not be seen is an
// error, but for init, which some security modules hide and which no login is told apart by.
Result<Walk> walk_ancestors(const ProcDirectory& peer, ProcStat child_stat) {
  Walk walk;
  ProcDirectory const* child = &peer;
  Result<ProcDirectory> held = gone();
  while (child_stat.parent > 0) {
    if (walk.ancestry.size() == kMaxAncestors) {
      walk.cut = true;
      break;
    }
    auto parent = ProcDirectory::open(child_stat.parent);
    if (!parent) return std::move(parent).error();
    auto again = child->stat();
    if (!again) return std::move(again).error();
    if (again->parent != child_stat.parent) return gone();
    auto exe = parent->exe();
    if (!exe && (child_stat.parent != 1 || exe.error().code == Code::kGone)) return std::move(exe).error();
    // A process that is about to end has no program any more, for the moment before its children get another
    // parent: to believe that would call the sshd that a user has just killed "not sshd". Read anew, or
    // refused.
    if (exe && exe->empty() && child_stat.parent != 1) return gone();
    auto status = parent->status();
    if (!status) return std::move(status).error();
    walk.mounts.push_back(parent->link("ns/mnt"));
    auto stat = parent->stat();
    if (!stat) return std::move(stat).error();
    walk.ancestry.push_back(
        format::Ancestor{stat->pid, status->real_uid, exe ? std::move(exe).value() : std::string()});
    walk.started.push_back(stat->started);
    child_stat = std::move(stat).value();
    held = std::move(parent);
    child = &held.value();
  }
  return walk;
}

// A user can give any file any path in a mount namespace of his own. A path is believed where root lives: in
// the namespace of pid 1, in ours, or of a root process above (sshd in a service's sandbox, pam_namespace).
std::vector<std::string> believable_exes(const Walk& walk) {
  std::vector<std::string> trusted;
  for (const std::int64_t pid : {std::int64_t{1}, std::int64_t{::getpid()}}) {
    if (auto process = ProcDirectory::open(pid)) trusted.push_back(process->link("ns/mnt"));
  }
  for (std::size_t i = 0; i < walk.ancestry.size(); ++i) {
    if (walk.ancestry[i].uid == 0) trusted.push_back(walk.mounts[i]);
  }
  std::vector<std::string> exes;
  for (std::size_t i = 0; i < walk.ancestry.size(); ++i) {
    const auto& mounts = walk.mounts[i];
    const bool believed =
        !mounts.empty() && std::find(trusted.begin(), trusted.end(), mounts) != trusted.end();
    exes.push_back(believed ? walk.ancestry[i].exe : std::string());
  }
  return exes;
}

ShimProof prove_shim(const ProcDirectory& peer, const ProcStatus& status, const std::string& shim_path) {
  // AT_STATX_DONT_SYNC: a stranger's executable may lie on a file system of his own that never answers.
  struct statx wanted {
  }, actual{}, directory{};
  if (::statx(AT_FDCWD, shim_path.c_str(), 0, STATX_INO, &wanted) != 0) {
    return {false, error_from_errno(errno, shim_path).message};
  }
  if (::statx(peer.fd(), "exe", AT_STATX_DONT_SYNC, STATX_INO, &actual) != 0) {
    return {false, error_from_errno(errno, "its program cannot be seen").message};
  }
  if (wanted.stx_ino != actual.stx_ino || wanted.stx_dev_major != actual.stx_dev_major ||
      wanted.stx_dev_minor != actual.stx_dev_minor) {
    return {false, "its program is " + executable_path(peer.link("exe")) + ", not " + shim_path};
  }
  // The directory /proc/PID itself always belongs to the process's user; what is in it to root, once not
  // dumpable.
  if (::statx(peer.fd(), "fd", AT_SYMLINK_NOFOLLOW, STATX_UID, &directory) != 0) {
    return {false, error_from_errno(errno, "its descriptors cannot be seen").message};
  }
  if (directory.stx_uid != 0) {
    return {false, "its memory is open to its user (dumpable): is " + shim_path +
                       " mode 2711 and not on a nosuid mount"};
  }
  if (status.tracer != 0) return {false, "it is traced by process " + std::to_string(status.tracer)};
  return {true, {}};
}

Result<ProcessFacts> read_once(const PeerCredentials& peer, const std::string& shim_path) {
  auto directory = ProcDirectory::open(peer.pid);
  if (!directory) return std::move(directory).error();
  // Alive now, so the directory opened above is this process's: its number was never free in between.
  if (!still_running(peer)) return gone();
  auto stat = directory->stat();
  if (!stat) return std::move(stat).error();
  auto status = directory->status();
  if (!status) return std::move(status).error();

  ProcessFacts facts;
  auto exe = directory->exe();
  if (!exe) return std::move(exe).error();
  facts.exe = std::move(exe).value();
  facts.started = stat->started;
  facts.real_uid = status->real_uid;
  facts.loginuid = read_number(*directory, "loginuid");
  facts.audit_session = read_number(*directory, "sessionid");
  facts.tty = terminal_path(stat->terminal);
  facts.leads_session = stat->session == stat->pid;
  facts.shim = prove_shim(*directory, *status, shim_path);
  auto walk = walk_ancestors(*directory, *stat);
  if (!walk) return std::move(walk).error();
  facts.ancestor_exes = believable_exes(*walk);
  facts.ancestry = std::move(walk->ancestry);
  facts.ancestry_started = std::move(walk->started);
  facts.ancestry_cut = walk->cut;
  // Once more at the end: a tracer may have come meanwhile.
  status = directory->status();
  if (!status) return std::move(status).error();
  facts.traced = status->tracer != 0;
  if (facts.traced && facts.shim.proven) {
    facts.shim = {false, "it is traced by process " + std::to_string(status->tracer)};
  }
  return facts;
}

}  // namespace

Result<PeerCredentials> peer_credentials(int socket) {
  ucred credentials{};
  socklen_t length = sizeof credentials;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) {
    return error_from_errno(errno, "credentials of the peer");
  }
  if (credentials.pid <= 0) {
    return Error{Code::kDenied, "the peer lives in a pid namespace that cannot be seen from here", 0};
  }
  PeerCredentials peer{credentials.pid, credentials.uid, credentials.gid, Fd()};

  int pidfd = -1;
  length = sizeof pidfd;
  if (::getsockopt(socket, SOL_SOCKET, kSoPeerPidfd, &pidfd, &length) == 0) {
    peer.pidfd = Fd(pidfd);  // close-on-exec by the kernel's own choice
  } else {
    if (errno == ESRCH || errno == EINVAL) return gone();  // reaped already
    // A kernel before 6.5. The pid is that of the connect(2); if its process ended and the number was given
    // anew, the new one is not at the other end any more, which read_process_facts() notices by its program.
    pidfd = static_cast<int>(::syscall(SYS_pidfd_open, peer.pid, 0));
    if (pidfd < 0) {
      return errno == ESRCH ? gone() : error_from_errno(errno, "pidfd of the peer");
    }
    peer.pidfd = Fd(pidfd);
    struct stat owner {};
    const auto path = "/proc/" + std::to_string(peer.pid);
    if (::stat(path.c_str(), &owner) != 0) return gone();
    if (owner.st_uid != peer.uid) return gone();
  }
  if (!still_running(peer)) return gone();
  return peer;
}

bool still_running(const PeerCredentials& peer) noexcept {
  if (::syscall(SYS_pidfd_send_signal, peer.pidfd.get(), 0, nullptr, 0) != 0 && errno != EPERM) return false;
  pollfd ended{peer.pidfd.get(), POLLIN, 0};  // readable once it is a zombie
  return ::poll(&ended, 1, 0) == 0;
}

Result<ServingProcess> read_serving_process(std::int64_t pid) {
  auto directory = ProcDirectory::open(pid);
  if (!directory) return std::move(directory).error();
  auto stat = directory->stat();
  if (!stat) return std::move(stat).error();
  auto status = directory->status();
  if (!status) return std::move(status).error();
  auto exe = directory->exe();
  if (!exe) return std::move(exe).error();
  auto walk = walk_ancestors(*directory, *stat);
  if (!walk) return std::move(walk).error();
  walk->ancestry.insert(walk->ancestry.begin(), format::Ancestor{stat->pid, status->real_uid, *exe});
  walk->started.insert(walk->started.begin(), stat->started);
  walk->mounts.insert(walk->mounts.begin(), directory->link("ns/mnt"));

  ServingProcess serving;
  serving.parent = stat->parent;
  serving.login.exe = std::move(*exe);
  serving.login.started = stat->started;
  serving.login.real_uid = status->real_uid;
  serving.login.ancestor_exes = believable_exes(*walk);
  serving.login.ancestry = std::move(walk->ancestry);
  serving.login.ancestry_started = std::move(walk->started);
  serving.login.ancestry_cut = walk->cut;
  return serving;
}

Result<ProcessFacts> read_process_facts(const PeerCredentials& peer, const std::string& shim_path) {
  Result<ProcessFacts> facts = gone();
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    facts = read_once(peer, shim_path);
    if (!still_running(peer)) return gone();
    if (facts || facts.error().code != Code::kGone) break;
  }
  return facts;
}

Fd open_process(std::int64_t pid, std::uint64_t started) {
  if (pid <= 0) return {};
  Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(pid), 0)));
  if (!pidfd) return {};
  const auto stat = read_proc_stat(pid);
  return stat && stat->started == started ? std::move(pidfd) : Fd();
}

}  // namespace opelog::record
