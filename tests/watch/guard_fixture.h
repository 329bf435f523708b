// A real guard over real directories on the host's file system, and a real unprivileged user beside it.
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/append_only_io.h"
#include "core/clock_io.h"
#include "core/fd_io.h"
#include "watch/guard_io.h"

namespace opelog::watch {

/// Nobody's uid: needs no passwd entry.
constexpr unsigned kStranger = 54321;

/// A directory of the test's own, removed with everything in it whatever flags it carries.
class TempDirectory {
 public:
  TempDirectory() {
    char name[] = "/var/tmp/opelog-guard-XXXXXX";
    path_ = ::mkdtemp(name) == nullptr ? "" : name;
    ::chmod(path_.c_str(), 0755);
  }
  ~TempDirectory() {
    if (path_.empty()) return;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path_, ignored)) {
      if (!entry.is_symlink() && entry.is_regular_file()) clear(entry.path());
    }
    std::filesystem::remove_all(path_, ignored);
  }
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;

  static void clear(const std::string& path) {
    auto fd = open_at(AT_FDCWD, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (fd) (void)set_append_only(fd->get(), false);
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline std::size_t open_descriptors() {
  std::size_t n = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++n;
  return n;
}

class GuardTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can set the append-only flag";
    if (auto probed = probe_append_only(temp_.path()); !probed) GTEST_SKIP() << probed.error().message;
    ASSERT_EQ(::mkdir(directory().c_str(), 0755), 0);
    ASSERT_EQ(::chmod(directory().c_str(), 01777), 0);
    { Loop first; }  // libuv keeps a pipe of the process's first loop for ever
    descriptors_ = open_descriptors();
    loop_ = std::make_unique<Loop>();
  }

  void TearDown() override {
    if (loop_ == nullptr) return;
    guard_.reset();
    loop_.reset();  // aborts if a handle is left
    EXPECT_EQ(open_descriptors(), descriptors_);
  }

  [[nodiscard]] std::string directory() const { return temp_.path() + "/guarded"; }
  [[nodiscard]] std::string in(const std::string& name) const { return directory() + "/" + name; }

  void start(std::vector<GuardedDirectory> directories, int sweep_ms = 0, GuardLimits limits = {}) {
    auto guard = Guard::open(
        *loop_, [this](const Fact& fact) { facts_.push_back(fact); }, limits);
    ASSERT_TRUE(guard.ok()) << guard.error().message;
    guard_ = std::move(*guard);
    guard_->configure(directories, sweep_ms);
    ASSERT_TRUE(until([&] { return count("guard-scanned") >= 1 || count("guard-unarmed") >= 1; }))
        << all_facts();
  }
  void start(int settle_ms = 0, int sweep_ms = 0) { start({{directory(), settle_ms}}, sweep_ms); }

  /// Runs the loop until `done`; false after 120 s (a bound for broken code on a busy machine, never waited
  /// for otherwise).
  bool until(const std::function<bool()>& done) {
    const MonoUs give_up = mono_now() + 120 * kUsPerS;
    Timer tick(*loop_, [] {});
    tick.start(1, 1);
    while (!done()) {
      if (mono_now() > give_up) return false;
      loop_->run_once(true);
    }
    return true;
  }
  /// Lets everything that is queued by now be worked off: a marker file is created and awaited.
  void settle() {
    const std::string marker = "marker-" + std::to_string(++markers_);
    write(in(marker), "x");
    ASSERT_TRUE(until([&] { return flagged(marker); })) << all_facts();
  }

  [[nodiscard]] bool flagged(const std::string& name) const { return flagged_path(in(name)); }
  static bool flagged_path(const std::string& path) {
    const auto has = has_append_only(AT_FDCWD, path);
    return has.ok() && *has;
  }
  static void write(const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::app | std::ios::binary) << bytes;
  }
  static std::uint64_t inode_of(const std::string& path) {
    struct stat st {};
    return ::lstat(path.c_str(), &st) == 0 ? st.st_ino : 0;
  }

  [[nodiscard]] int count(const std::string& event) const {
    int n = 0;
    for (const Fact& fact : facts_) n += fact.event == event ? 1 : 0;
    return n;
  }
  static std::string field(const Fact& fact, const std::string& key) {
    for (const auto& [k, v] : fact.fields) {
      if (k == key) return v;
    }
    return "";
  }
  /// The fact about `name`, or nullptr.
  [[nodiscard]] const Fact* fact(const std::string& event, const std::string& name) const {
    for (const Fact& f : facts_) {
      if (f.event == event && field(f, "name") == name) return &f;
    }
    return nullptr;
  }
  [[nodiscard]] std::string all_facts() const {
    std::string out;
    for (const Fact& f : facts_) out += format_fact(f) + "\n";
    return out;
  }

  /// Runs `attempt` in a child as the stranger and pumps the loop meanwhile; its return value.
  int as_stranger(const std::function<int()>& attempt) {
    const pid_t child = ::fork();
    if (child == 0) {
      if (::setgroups(0, nullptr) != 0 || ::setresgid(kStranger, kStranger, kStranger) != 0 ||
          ::setresuid(kStranger, kStranger, kStranger) != 0) {
        ::_exit(111);
      }
      ::_exit(attempt());
    }
    int status = 0;
    const bool ended = until([&] { return ::waitpid(child, &status, WNOHANG) == child; });
    if (!ended) {
      ::kill(child, SIGKILL);
      ::waitpid(child, &status, 0);
      return 112;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  TempDirectory temp_;
  std::unique_ptr<Loop> loop_;
  std::vector<Fact> facts_;
  std::unique_ptr<Guard> guard_;

 private:
  std::size_t descriptors_ = 0;
  int markers_ = 0;
};

}  // namespace opelog::watch
