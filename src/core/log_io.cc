#include "core/log_io.h"

#include <fcntl.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>

#include "core/clock_io.h"
#include "core/fd_io.h"
#include "core/journal_entry.h"

namespace opelog {
namespace {

constexpr MonoUs kReopenCheckUs = kUsPerS;  ///< a stat a second at most, however much is logged
constexpr const char* kPattern = "%Y-%m-%dT%H:%M:%S.%e%z %l %n[%P]: %v";

spdlog::level::level_enum spdlog_level(Level level) noexcept {
  switch (level) {
    case Level::kDebug:
      return spdlog::level::debug;
    case Level::kInfo:
      return spdlog::level::info;
    case Level::kWarning:
      return spdlog::level::warn;
    case Level::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

// What sinks could not write. The first failure is said on stderr, the number is for `opelog status`.
class Failures {
 public:
  void add(const std::string& what) noexcept {
    if (count_.fetch_add(1) > 0) return;
    say("opelog: a log entry was lost: " + what + " (said once)\n");
  }
  static void say(std::string_view text) noexcept { (void)write_all(STDERR_FILENO, text); }
  [[nodiscard]] std::uint64_t count() const noexcept { return count_.load(); }

 private:
  std::atomic<std::uint64_t> count_{0};
};

// A line with one write(2). spdlog's own stderr sink goes through stdio, whose lock and buffer a fork shares.
class LineSink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit LineSink(Failures& failures) : failures_(failures) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    write_line(std::string_view(line.data(), line.size()));
  }
  void flush_() override {}
  virtual void write_line(std::string_view line) = 0;

  /// 0, or an errno; `torn` (if given) then tells a line written in part, and 0 ends a torn one.
  static int write_once(int fd, std::string_view line, bool* torn = nullptr) {
    ssize_t n;
    do {
      n = ::write(fd, line.data(), line.size());
    } while (n < 0 && errno == EINTR);
    if (n < 0) return errno;  // nothing written: whatever was torn still is
    const bool whole = static_cast<std::size_t>(n) == line.size();
    if (torn != nullptr) *torn = !whole;
    return whole ? 0 : ENOSPC;
  }

  Failures& failures_;
};

class StderrSink final : public LineSink {
  using LineSink::LineSink;
  void write_line(std::string_view line) override {
    if (const int err = write_once(STDERR_FILENO, line))
      failures_.add(std::string("stderr: ") + std::strerror(err));
  }
};

// `group` as in Log::open(). Owner and mode of a file that is there already are the administrator's.
Result<Fd> open_log_file(const std::string& path, unsigned group) {
  // O_NONBLOCK: a FIFO planted in its place is refused and not waited for.
  constexpr int kFlags = O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK;
  auto fd = open_at(AT_FDCWD, path, kFlags | O_EXCL, 0600);
  if (fd) {
    // The umask of a daemon takes the group's right away. Without the group the file stays root's: still a
    // log.
    if (group == kKeepGroup || ::fchown(fd->get(), static_cast<uid_t>(-1), group) == 0)
      (void)::fchmod(fd->get(), 0640);
    return fd;
  }
  if (fd.error().err != EEXIST) return fd;
  fd = open_at(AT_FDCWD, path, kFlags, 0600);
  if (!fd) return fd;
  struct stat st {};
  if (::fstat(fd->get(), &st) != 0) return error_from_errno(errno, path);
  if (!S_ISREG(st.st_mode))
    return Error{Code::kInvalid, path + ": not a regular file; name another in log.file", 0};
  return fd;
}

class FileSink final : public LineSink {
 public:
  FileSink(Failures& failures, std::string path, unsigned group, Fd fd)
      : LineSink(failures), path_(std::move(path)), group_(group), fd_(std::move(fd)), checked_(mono_now()) {}

  void reopen() {
    const std::lock_guard<std::mutex> lock(mutex_);
    open_again();
  }

 private:
  void write_line(std::string_view line) override {
    const MonoUs now = mono_now();
    if (now - checked_ >= kReopenCheckUs) {
      checked_ = now;
      if (moved()) open_again();
    }
    // After a line written in part: the next one begins on a line of its own.
    const std::string joined = torn_ ? "\n" + std::string(line) : std::string();
    const int err = write_once(fd_.get(), torn_ ? std::string_view(joined) : line, &torn_);
    if (err != 0) failures_.add(path_ + ": " + std::strerror(err));
  }

  bool moved() const {
    struct stat named {
    }, open{};
    return ::stat(path_.c_str(), &named) != 0 || ::fstat(fd_.get(), &open) != 0 ||
           named.st_ino != open.st_ino || named.st_dev != open.st_dev;
  }

  // If the new one cannot be opened, the old one (renamed, but whole) goes on taking lines.
  void open_again() {
    auto fresh = open_log_file(path_, group_);
    if (!fresh) return failures_.add(fresh.error().message);
    fd_ = std::move(*fresh);
    torn_ = false;
  }

  std::string path_;
  unsigned group_;
  Fd fd_;
  MonoUs checked_;
  bool torn_ = false;
};

// One datagram without waiting and without a connection, so that a restarted log daemon is found again.
class DatagramSocket {
 public:
  explicit DatagramSocket(const std::string& path) {
    address_.sun_family = AF_UNIX;
    if (path.size() < sizeof address_.sun_path) std::memcpy(address_.sun_path, path.c_str(), path.size() + 1);
    fd_ = Fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  }

  /// 0 or an errno.
  int send(std::string_view bytes) noexcept {
    ssize_t n;
    do {
      n = ::sendto(fd_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                   reinterpret_cast<const sockaddr*>(&address_), sizeof address_);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? errno : 0;
  }

 private:
  sockaddr_un address_{};
  Fd fd_;
};

}  // namespace

struct Log::Native {
  Native(const LogConfig& config, std::string program, const LogSockets& sockets)
      : target(config.target), name(std::move(program)), journal(sockets.journal), syslog(sockets.syslog) {}

  void set_logger(std::shared_ptr<LineSink> sink) {
    logger = std::make_unique<spdlog::logger>(name, std::move(sink));
    // The pattern's time stamps come from spdlog, the clock of the log lines only.
    logger->set_formatter(std::make_unique<spdlog::pattern_formatter>(kPattern));
    logger->set_level(spdlog::level::trace);  // Log::write() has chosen already
    logger->set_error_handler([this](const std::string& what) { failures.add(what); });
  }

  void write(const Fact& fact);
  bool send(DatagramSocket& socket, const std::string& bytes, const char* fallback);

  LogTarget target;
  std::string name;
  std::atomic<Level> level{Level::kInfo};
  Failures failures;
  DatagramSocket journal, syslog;
  std::atomic<bool> fell_back{false};
  FileSink* file = nullptr;  ///< owned by the logger
  std::unique_ptr<spdlog::logger> logger;
};

// Whether the entry needs no other sink: taken, or lost because the daemon's queue is full (then its
// fallback, fed by the same daemon, would wait too).
bool Log::Native::send(DatagramSocket& socket, const std::string& bytes, const char* fallback) {
  const int err = socket.send(bytes);
  if (err == 0) return true;
  if (err == EAGAIN || err == ENOBUFS || err == EMSGSIZE) {
    failures.add(std::string("the log daemon does not take it: ") + std::strerror(err));
    return true;
  }
  if (!fell_back.exchange(true))
    Failures::say(std::string("opelog: the log daemon is absent, using ") + fallback + "\n");
  return false;
}

void Log::Native::write(const Fact& fact) {
  if (target == LogTarget::kJournal && send(journal, encode_journal_entry(fact, name), "syslog")) return;
  if (target == LogTarget::kJournal || target == LogTarget::kSyslog) {
    const std::string when = format_local(wall_now(), "%b %e %H:%M:%S");
    if (send(syslog, encode_syslog_line(fact, name, ::getpid(), when), "stderr")) return;
  }
  logger->log(spdlog_level(fact.level), format_fact(cut_fact(fact)));
}

Log::Log(std::unique_ptr<Native> native) : native_(std::move(native)) {}
Log::~Log() = default;

Result<std::unique_ptr<Log>> Log::open(const LogConfig& config, const std::string& program,
                                       const LogSockets& sockets, unsigned group) {
  try {
    auto native = std::make_unique<Native>(config, program, sockets);
    native->level = config.level;
    if (config.target == LogTarget::kFile) {
      auto fd = open_log_file(config.file, group);
      if (!fd) return std::move(fd).error();
      auto sink = std::make_shared<FileSink>(native->failures, config.file, group, std::move(*fd));
      native->file = sink.get();
      native->set_logger(std::move(sink));
    } else {
      native->set_logger(std::make_shared<StderrSink>(native->failures));
    }
    return std::unique_ptr<Log>(new Log(std::move(native)));
  } catch (const std::exception& e) {
    return Error{Code::kIo, std::string("open the log: ") + e.what(), 0};
  }
}

void Log::write(const Fact& fact) noexcept {
  if (fact.level < native_->level.load()) return;
  try {
    native_->write(fact);
  } catch (...) {
    native_->failures.add("out of memory");
  }
}

void Log::set_level(Level level) noexcept {
  native_->level = level;
}

void Log::reopen() noexcept {
  if (native_->file == nullptr) return;
  try {
    native_->file->reopen();
  } catch (...) {
    native_->failures.add("out of memory");
  }
}

std::uint64_t Log::failures() const noexcept {
  return native_->failures.count();
}

}  // namespace opelog
