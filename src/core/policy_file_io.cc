#include "core/policy_file_io.h"

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <optional>
#include <set>

#include "core/clock_io.h"
#include "core/fd_io.h"
#include "core/policy_parse.h"
#include "core/sha256.h"
#include "core/yaml_tree.h"

namespace opelog {
namespace {

Status check_trust(const std::string& path, const struct stat& st) {
  if (st.st_uid != 0) {
    return Error{
        Code::kDenied,
        path + ": belongs to uid " + std::to_string(st.st_uid) + ", not to root: chown root:root " + path, 0};
  }
  if ((st.st_mode & 022) != 0) {
    return Error{Code::kDenied, path + ": others than root can write it: chmod go-w " + path, 0};
  }
  return {};
}

// All that changes when somebody touches the file; ctime covers content, owner, mode and replacement.
struct Signature {
  bool exists = false;
  dev_t device = 0;
  ino_t inode = 0;
  timespec changed{};
  off_t size = 0;
  bool operator==(const Signature& o) const {
    return exists == o.exists && device == o.device && inode == o.inode &&
           changed.tv_sec == o.changed.tv_sec && changed.tv_nsec == o.changed.tv_nsec && size == o.size;
  }
};

Signature signature(const struct stat& st) {
  return {true, st.st_dev, st.st_ino, st.st_ctim, st.st_size};
}

Signature signature_of(const std::string& path) {
  struct stat st {};
  return ::stat(path.c_str(), &st) == 0 ? signature(st) : Signature{};
}

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

struct Content {
  std::string bytes;
  struct stat st {};
};

// Through one descriptor: what was checked is what is read.
Result<Content> read_checked(const std::string& path, Trust trust, std::size_t limit) {
  // O_NONBLOCK: a FIFO in its place must not stop the loop.
  auto fd = open_at(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (!fd) return std::move(fd).error();
  Content content;
  if (::fstat(fd->get(), &content.st) != 0) return error_from_errno(errno, path);
  if (!S_ISREG(content.st.st_mode)) {
    return Error{Code::kInvalid, path + ": not a regular file; it must be a text file", 0};
  }
  if (trust == Trust::kRoot) {
    if (auto trusted = check_trust(path, content.st); !trusted) return trusted.error();
  }
  char buffer[16384];
  for (;;) {
    const ssize_t n = ::read(fd->get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return error_from_errno(errno, path);
    if (n == 0) break;
    content.bytes.append(buffer, static_cast<std::size_t>(n));
    if (content.bytes.size() > limit) {
      return Error{
          Code::kLimit,
          path + ": larger than " + std::to_string(limit) + " bytes; check that this is the right file", 0};
    }
  }
  struct stat after {};
  if (::fstat(fd->get(), &after) != 0) return error_from_errno(errno, path);
  if (!(signature(content.st) == signature(after))) {
    return Error{Code::kIo, path + ": changed while being read; try again", 0};
  }
  return content;
}

}  // namespace

Result<std::string> read_root_file(const std::string& path, std::size_t limit) {
  auto content = read_checked(path, Trust::kRoot, limit);
  if (!content) return std::move(content).error();
  return std::move(content->bytes);
}

Result<LoadedPolicy> load_policy(const std::string& path, Trust trust) {
  auto content = read_checked(path, trust, kYamlMaxBytes);
  if (!content) return std::move(content).error();
  auto policy = parse_policy(content->bytes, path);
  if (!policy) return std::move(policy).error();
  const timespec& mtime = content->st.st_mtim;
  return LoadedPolicy{std::move(*policy), sha256_hex(content->bytes), path,
                      static_cast<WallUs>(mtime.tv_sec) * kUsPerS + mtime.tv_nsec / 1000};
}

// ---- PolicyWatcher

struct PolicyWatcher::State {
  State(Loop& loop, std::string file, Handler handler)
      : path(std::move(file)), on_change(std::move(handler)), settle(loop, [this] { look(); }) {}

  void arm();
  void drain();
  void look();

  std::string path;
  Handler on_change;
  Fd inotify;
  std::set<int> watches;
  Signature seen;
  std::optional<MonoUs> first_event;  ///< of those not yet looked at
  Timer settle;
  std::unique_ptr<Poll> poll;  ///< last: stopped before what it uses goes
};

// Watches the directory of the name and that of a symlink's target; where one is missing, the nearest
// directory above that exists, so that its creation is seen.
void PolicyWatcher::State::arm() {
  // One inode may be asked for twice (a symlink's target beside it): masks add up.
  constexpr std::uint32_t kNames =
      IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_MASK_ADD;
  constexpr std::uint32_t kFiles = kNames | IN_CLOSE_WRITE | IN_MODIFY | IN_ATTRIB | IN_DELETE;
  std::set<int> wanted;
  const auto watch_nearest = [&](std::string directory, std::uint32_t events) {
    for (;;) {
      const int wd = ::inotify_add_watch(inotify.get(), directory.c_str(), events);
      if (wd >= 0) {
        wanted.insert(wd);
        return;
      }
      if (directory == "/" || directory == ".") return;
      directory = directory_of(directory);
    }
  };
  const std::string directory = directory_of(path);
  watch_nearest(directory, kFiles);
  // The directory itself may be exchanged: the one above sees the new one arrive.
  if (directory != "/" && directory != ".") watch_nearest(directory_of(directory), kNames);
  char real[PATH_MAX];
  if (::realpath(path.c_str(), real) != nullptr) watch_nearest(directory_of(real), kFiles);
  for (const int wd : watches) {
    if (wanted.count(wd) == 0) ::inotify_rm_watch(inotify.get(), wd);
  }
  watches = std::move(wanted);
}

// What happened is not asked: every event, an overflow too, only means "look again".
void PolicyWatcher::State::drain() {
  alignas(inotify_event) char buffer[16384];
  bool any = false;
  while (::read(inotify.get(), buffer, sizeof buffer) > 0) any = true;
  if (!any) return;
  const MonoUs now = mono_now();
  if (!first_event) first_event = now;
  const MonoUs latest = *first_event + MonoUs{kLongestSettleMs} * kUsPerMs;
  settle.start_at(std::min<MonoUs>(now + MonoUs{kSettleMs} * kUsPerMs, latest), now);
}

void PolicyWatcher::State::look() {
  first_event.reset();
  arm();  // before looking: a change after the look raises an event then
  const Signature now = signature_of(path);
  if (now == seen) return;
  seen = now;
  // The handler may destroy the watcher: nothing is touched after it, and the copy outlives it.
  const Handler handler = on_change;
  handler();
}

Result<std::unique_ptr<PolicyWatcher>> PolicyWatcher::open(Loop& loop, const std::string& path,
                                                           Handler handler) {
  auto state = std::make_unique<State>(loop, path, std::move(handler));
  state->inotify = Fd(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!state->inotify) return error_from_errno(errno, "watch " + path);
  state->arm();
  if (state->watches.empty())
    return Error{Code::kIo, "watch " + path + ": no directory above it can be watched", errno};
  state->seen = signature_of(path);
  auto poll = Poll::open(loop, state->inotify.get(), [s = state.get()](int, int) { s->drain(); });
  if (!poll) return std::move(poll).error();
  state->poll = std::move(*poll);
  if (auto watching = state->poll->watch(Poll::kReadable); !watching) return watching.error();
  return std::unique_ptr<PolicyWatcher>(new PolicyWatcher(std::move(state)));
}

PolicyWatcher::PolicyWatcher(std::unique_ptr<State> state) : state_(std::move(state)) {}
PolicyWatcher::~PolicyWatcher() = default;

std::vector<std::string> missing_commands(const Policy& policy, const std::string& file) {
  std::vector<std::string> missing;
  for (std::size_t i = 0; i < policy.on_event.size(); ++i) {
    const auto& command = policy.on_event[i].command;
    if (command.empty()) continue;
    // Not access(2): who looks may be somebody who may not execute it, or not look.
    struct stat st {};
    const bool there = ::stat(command.front().c_str(), &st) == 0;
    if (there ? S_ISREG(st.st_mode) && (st.st_mode & 0111) != 0 : errno != ENOENT && errno != ENOTDIR)
      continue;
    missing.push_back(file + ": on_event[" + std::to_string(i) + "].command: " + command.front() +
                      (there ? ": is no program that can be executed" : ": there is no such program"));
  }
  return missing;
}

}  // namespace opelog
