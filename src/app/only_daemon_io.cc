#include "app/only_daemon_io.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <optional>
#include <sstream>
#include <utility>

#include "core/clock_io.h"
#include "record/proc_directory_io.h"

namespace opelog::app {
namespace {

// One that was killed is gone within milliseconds.
constexpr MonoUs kMomentUs = 2 * kUsPerS;

struct Holder {
  std::int64_t pid = 0;
  std::uint64_t started = 0;  ///< clock ticks after boot
};

// nullopt: there is none, or it has ended and only other threads of it are left.
std::optional<record::ProcStat> stat_of(std::int64_t pid) {
  const auto process = record::ProcDirectory::open(pid);
  if (!process) return std::nullopt;
  auto stat = process->stat();
  if (!stat || stat->exiting) return std::nullopt;
  return std::move(*stat);
}

// nullopt: it has not named itself yet.
std::optional<Holder> holder_of(int fd) {
  std::array<char, 64> text{};
  if (::pread(fd, text.data(), text.size() - 1, 0) <= 0) return std::nullopt;
  Holder holder;
  std::istringstream words(text.data());
  if (!(words >> holder.pid >> holder.started)) return std::nullopt;
  return holder;
}

bool runs(const Holder& holder) {
  const auto stat = stat_of(holder.pid);
  return stat && stat->started == holder.started;
}

bool is_at(int fd, const std::string& path) {
  struct stat open {
  }, there{};
  return ::fstat(fd, &open) == 0 && ::lstat(path.c_str(), &there) == 0 && open.st_dev == there.st_dev &&
         open.st_ino == there.st_ino;
}

bool lock(int fd, int how) {
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  return ::fcntl(fd, how, &whole) == 0;
}

void name_us(int fd) {
  const auto self = stat_of(::getpid());
  if (!self) return;
  const std::string line = std::to_string(self->pid) + " " + std::to_string(self->started) + "\n";
  if (::ftruncate(fd, 0) == 0) (void)!::pwrite(fd, line.data(), line.size(), 0);
}

}  // namespace

Result<OnlyDaemon> become_the_only_daemon(const std::string& run_directory, Another another) {
  const std::string path = run_directory + "/daemon.lock";
  OnlyDaemon only;
  const MonoUs begun = mono_now();
  Holder ended;            // the holder as it was last found ended ...
  MonoUs ended_since = 0;  // ... and since when without a break; 0: it runs
  for (bool said = false;;) {
    // Opened each time: it may have been made anew.
    auto file = open_at(AT_FDCWD, path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
    if (!file) return only;  // where nothing can be made there are no sockets of another daemon either
    // One at a time from here on, so that nobody sees a lock whose holder has not named itself yet.
    auto turn = open_at(AT_FDCWD, path + ".turn", O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
    if (!turn || !lock(turn->get(), F_OFD_SETLKW)) return only;
    if (!is_at(file->get(), path)) continue;
    if (lock(file->get(), F_OFD_SETLK)) {
      name_us(file->get());
      only.lock = std::move(*file);
      return only;
    }
    if (errno != EAGAIN && errno != EACCES) return only;
    const auto holder = holder_of(file->get());
    const MonoUs now = mono_now();
    const std::string who = holder ? "process " + std::to_string(holder->pid) : std::string("a process");
    if (!holder || runs(*holder)) {
      ended_since = 0;
      if (now - begun >= kMomentUs) {
        if (another == Another::kRefuse)
          return Error{Code::kExists, "another opelogd runs (" + who + "); stop it first", 0};
        if (!std::exchange(said, true))
          std::fprintf(stderr, "opelogd: another opelogd (%s) has not ended yet: waiting for it\n",
                       who.c_str());
      }
    } else if (ended_since == 0 || holder->pid != ended.pid || holder->started != ended.started) {
      ended = *holder;
      ended_since = now;
    } else if (now - ended_since >= kMomentUs) {
      only.left = "what is left of a former opelogd, " + who +
                  ", is in calls that do not come back; it is not waited for any more";
      if (::unlink(path.c_str()) != 0) return only;
      continue;
    }
    turn->reset();
    const timespec pause{0, 5'000'000};
    (void)::nanosleep(&pause, nullptr);
  }
}

}  // namespace opelog::app
