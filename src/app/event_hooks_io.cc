#include "app/event_hooks_io.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <mutex>
#include <set>
#include <utility>

#include "core/clock_io.h"
#include "format/json_text.h"

namespace opelog::app {

// Those that are not awaited yet, each the leader of its process group.
class RunningCommands {
 public:
  void began(pid_t pid) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (over_)
      ::kill(-pid, SIGKILL);
    else
      pids_.insert(pid);
  }
  /// Before its number can be another's.
  void ended(pid_t pid) {
    const std::lock_guard<std::mutex> lock(mutex_);
    pids_.erase(pid);
  }
  void end_all() {
    const std::lock_guard<std::mutex> lock(mutex_);
    over_ = true;
    for (const pid_t pid : pids_) ::kill(-pid, SIGKILL);
  }

 private:
  std::mutex mutex_;
  std::set<pid_t> pids_;
  bool over_ = false;
};

namespace {

constexpr std::int64_t kTellUs = 60 * kUsPerS;

const char* level_word(Level level) {
  switch (level) {
    case Level::kDebug:
      return "debug";
    case Level::kInfo:
      return "info";
    case Level::kWarning:
      return "warning";
    case Level::kError:
      return "error";
  }
  return "";
}

// Whole before the command begins, so nobody has to write it while that runs.
Result<Fd> standard_input(const std::string& event) {
  Fd file(::memfd_create("opelog-event", MFD_CLOEXEC));
  if (!file) return error_from_errno(errno, "make the event's file");
  if (::write(file.get(), event.data(), event.size()) != static_cast<ssize_t>(event.size()) ||
      ::lseek(file.get(), 0, SEEK_SET) != 0)
    return error_from_errno(errno, "write the event's file");
  return file;
}

class SpawnSettings {
 public:
  SpawnSettings() {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawnattr_init(&attributes_);
    // A session of its own, so that all it started can be ended; signals as a program expects them.
    sigset_t none, all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setsigdefault(&attributes_, &all);
    ::posix_spawnattr_setflags(&attributes_,
                               POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~SpawnSettings() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  Result<pid_t> start(const std::vector<std::string>& command, int input) {
    ::posix_spawn_file_actions_adddup2(&actions_, input, STDIN_FILENO);
    ::posix_spawn_file_actions_addopen(&actions_, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    // Its complaints go where the daemon's go.
    std::vector<char*> argv;
    for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    static char kPath[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    static char kLanguage[] = "LC_ALL=C.UTF-8";
    char* environment[] = {kPath, kLanguage, nullptr};
    pid_t pid = -1;
    const int rc = ::posix_spawn(&pid, argv[0], &actions_, &attributes_, argv.data(), environment);
    if (rc != 0) return error_from_errno(rc, "run " + command[0]);
    return pid;
  }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

// On a thread. An Error if it did not run to an exit status of 0.
Status run_hook(const std::vector<std::string>& command, const std::string& event, RunningCommands& running) {
  auto input = standard_input(event);
  if (!input) return std::move(input).error();
  SpawnSettings settings;
  auto pid = settings.start(command, input->get());
  if (!pid) return std::move(pid).error();
  running.began(*pid);
  bool late = false;
  if (Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, *pid, 0))); pidfd) {
    const MonoUs end = mono_now() + kHookTimeMs * kUsPerMs;
    for (;;) {
      pollfd ended{pidfd.get(), POLLIN, 0};
      const auto left = (end - mono_now()) / kUsPerMs;
      if (left <= 0) {
        late = true;
        break;
      }
      if (::poll(&ended, 1, static_cast<int>(left)) > 0) break;
    }
  }
  if (late) ::kill(-*pid, SIGKILL);
  siginfo_t dead{};
  while (::waitid(P_PID, static_cast<id_t>(*pid), &dead, WEXITED | WNOWAIT) < 0 && errno == EINTR) {
  }
  running.ended(*pid);
  int status = 0;
  while (::waitpid(*pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (late)
    return Error{Code::kLimit, command[0] + ": ended after " + std::to_string(kHookTimeMs / 1000) + " s", 0};
  if (WIFSIGNALED(status))
    return Error{Code::kIo, command[0] + ": ended by signal " + std::to_string(WTERMSIG(status)), 0};
  if (WEXITSTATUS(status) != 0)
    return Error{Code::kIo, command[0] + ": exit status " + std::to_string(WEXITSTATUS(status)), 0};
  return {};
}

}  // namespace

std::string event_json(const Fact& fact, WallUs now) {
  format::JsonObject fields;
  std::size_t size = 0;
  for (const auto& [key, value] : fact.fields) {
    // \u00XX at worst; the text and the words around are of the daemon's own.
    size += 6 * (key.size() + value.size()) + 8;
    if (size > kHookMaxBytes / 2) break;
    fields.text(key, value);
  }
  auto object = format::JsonObject()
                    .text("time", format_utc(now))
                    .text("level", level_word(fact.level))
                    .text("event", fact.event)
                    .text("text", std::string_view(fact.text).substr(0, kHookMaxBytes / 16))
                    .raw("fields", std::move(fields).take());
  return std::move(object).take() + "\n";
}

EventHooks::EventHooks(Loop& loop, FactSink facts)
    : loop_(loop), facts_(std::move(facts)), commands_(std::make_shared<RunningCommands>()) {}
EventHooks::~EventHooks() {
  commands_->end_all();
}

void EventHooks::configure(const std::vector<EventHook>& hooks) {
  hooks_ = hooks;
}

void EventHooks::tell(const Fact& fact) {
  std::string event;
  for (const EventHook& hook : hooks_) {
    if (!hears(hook, fact)) continue;
    if (event.empty()) event = event_json(fact, wall_now());
    if (!hook.socket.empty()) {
      send(hook.socket, event);
    } else if (waiting_.size() >= kHookQueue) {
      drop("more events than its commands take");
    } else {
      waiting_.push_back({hook.command, event});
      begin();
    }
  }
}

void EventHooks::send(const std::string& path, const std::string& event) {
  if (!socket_) {
    socket_ = Fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket_) return drop(error_from_errno(errno, "socket").message);
  }
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);  // the policy bounds it
  if (::sendto(socket_.get(), event.data(), event.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
               reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0)
    drop(error_from_errno(errno, path).message);
}

void EventHooks::begin() {
  while (running_ < kHooksAtOnce && !waiting_.empty()) {
    auto job = std::make_shared<Job>(std::move(waiting_.front()));
    waiting_.pop_front();
    auto done = std::make_shared<Status>();
    const Status started = run_work(
        loop_, [job, done, commands = commands_] { *done = run_hook(job->command, job->event, *commands); },
        [this, done, alive = std::weak_ptr<bool>(alive_)] {
          if (alive.expired()) return;
          --running_;
          if (!*done) drop(done->error().message);
          begin();
        },
        AtLoopEnd::kLeave);
    if (!started) return drop(started.error().message);
    ++running_;
  }
}

// The fact goes to the log only: no hook hears of kHookEvent.
void EventHooks::drop(const std::string& why) {
  ++dropped_;
  const MonoUs now = mono_now();
  if (told_ > 0 && now - told_at_ < kTellUs) return;
  facts_({Level::kWarning,
          kHookEvent,
          "a hook of on_event did not hear of an event: " + why,
          {{"events", std::to_string(dropped_ - told_)}}});
  told_ = dropped_;
  told_at_ = now;
}

}  // namespace opelog::app
