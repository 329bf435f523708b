// What `kill -9` leaves: a process that keeps ledger and recordings as the daemon does is killed at random
// moments and started again, many times on one host. Whatever it was doing, verify calls it a crash and
// nothing else, and what it had shown is in the record.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <vector>

#include "../format/support_io.h"
#include "app/host_ledger_io.h"
#include "core/clock_io.h"
#include "format/recording_list_io.h"
#include "made_host_io.h"
#include "seal/host_verdict_io.h"
#include "seal/ledger_init_io.h"
#include "seal/seal_record.h"

namespace opelog::seal {
namespace {

using format::testing::slurp;
using format::testing::TempDir;
using testing::has;
using testing::words;

constexpr std::size_t kMostSessions = 40000;
constexpr std::size_t kAtOnce = 3;

// Outlives the process that is killed.
struct Shown {
  std::atomic<std::size_t> begun{0};
  std::atomic<bool> started{false};                   ///< repaired, and recording
  std::atomic<std::uint64_t> bytes[kMostSessions]{};  ///< of output that the record had accepted
};

std::string name_of(std::size_t session) {
  return "alice_" + std::to_string(20261122000000 + session) + "_192.0.2.7";
}

// What session `session` shows, from its byte `from` on.
std::string output_of(std::size_t session, std::uint64_t from, std::size_t size) {
  std::string text(size, ' ');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + (session + from + i) % 23);
  return text;
}

// The process that is killed.
class Recorder {
 public:
  Recorder(const TempDir& dir, unsigned seed, Shown& shown)
      : random_(seed),
        shown_(shown),
        path_(dir.file("recordings")),
        ledger_(
            loop_, [](const Fact& fact) { must_not_be(fact); }, dir.file("key")) {
    Policy policy;
    policy.seal_ledger = dir.file("ledger");
    policy.append_only = AppendOnly::kOff;
    ledger_.configure(policy, 0);
    auto opened = open_at(AT_FDCWD, path_, O_RDONLY | O_DIRECTORY);
    if (!opened) must_not_be({Level::kError, "no directory", opened.error().message, {}});
    directory_ = std::move(*opened);
  }

  // As the daemon's start.
  void repair() {
    auto names = format::list_names(path_);
    const auto interrupted = ledger_.interrupted();
    const auto known = [&](const std::string& name) {
      return std::any_of(interrupted.begin(), interrupted.end(),
                         [&](const auto& one) { return one.second.recording == name; });
    };
    for (const std::string& name : *names) {
      if (!known(name) && format::remove_unbegun(directory_.get(), name)) continue;
      if (!format::needs_repair(directory_.get(), name)) continue;
      auto done = format::repair_tail(directory_.get(), name, wall_now(), seal_knowledge());
      if (!done) must_not_be({Level::kError, "repair-failed", done.error().message, {}});
    }
    auto found = app::HostLedger::read_interrupted(path_, interrupted);
    for (const std::string& why : found.unfinished) must_not_be({Level::kError, "unfinished", why, {}});
    for (const CrashedEntry& entry : found.entries) ledger_.add(entry);
    shown_.started = true;
  }

  [[noreturn]] void record() {
    for (;;) {
      if (live_.size() < kAtOnce && chance(3))
        begin();
      else if (!live_.empty())
        go_on(live_[random_() % live_.size()]);
      live_.erase(std::remove_if(live_.begin(), live_.end(), [](const Live& l) { return !l.writer; }),
                  live_.end());
      loop_.run_once(false);
      if (chance(8)) ledger_.sync_round()();
      ::usleep(static_cast<useconds_t>(random_() % 2500));
    }
  }

  [[noreturn]] void stop() {
    ledger_.quiesce();
    loop_.run();
    ledger_.finish(true);
    ::_exit(0);
  }

 private:
  struct Live {
    std::size_t session;
    std::unique_ptr<format::RecordingWriter> writer;
    MonoUs now;
    std::uint64_t put;
    bool input;
  };

  static void must_not_be(const Fact& fact) {
    if (fact.level != Level::kError) return;
    (void)!::write(2, fact.text.data(), fact.text.size());
    (void)!::write(2, "\n", 1);
    ::_exit(3);
  }
  void must(const Status& status) const {
    if (!status) must_not_be({Level::kError, "recording", status.error().message, {}});
  }
  bool chance(unsigned one_in) { return random_() % one_in == 0; }

  void begin() {
    const std::size_t session = shown_.begun++;
    if (session >= kMostSessions) must_not_be({Level::kError, "too-many", "too many sessions", {}});
    format::SessionInfo info = format::testing::sample_info();
    info.id = std::to_string(1000000000000000 + session);
    format::WriterOptions options;
    options.directory = directory_.get();
    options.name = name_of(session);
    options.append_only = AppendOnly::kOff;
    options.input = chance(4);
    options.opened = [&](const std::string& name) { return ledger_.open_session(info, name, path_); };
    constexpr MonoUs kBegun = 5000000;
    auto writer = format::RecordingWriter::create(options, info, kBegun);
    if (!writer) must(writer.error());
    live_.push_back({session, std::move(*writer), kBegun, 0, options.input});
  }

  void go_on(Live& live) {
    live.now += static_cast<MonoUs>(random_() % 1200000);
    if (chance(5)) {
      format::EndInfo end;
      end.exit_code = 3;
      must(live.writer->end(end, live.now));
      live.writer.reset();
      return;
    }
    if (chance(12)) must(live.writer->gap({"output", "made by a test", 7, 0}, live.now));
    if (live.input && chance(2)) {
      if (auto put = live.writer->input("typed", live.now); !put) must(put.error());
    }
    // Some so long that a write of it can be interrupted.
    const std::size_t size = chance(20) ? 60000 : 1 + random_() % 300;
    auto put = live.writer->output(output_of(live.session, live.put, size), live.now);
    if (!put) must(put.error());
    live.put += *put;
    shown_.bytes[live.session] = live.put;
    if (const auto due = live.writer->flush_deadline(); due && *due <= live.now)
      must(live.writer->flush(live.now));
  }

  std::mt19937 random_;
  Shown& shown_;
  std::string path_;
  Loop loop_;
  app::HostLedger ledger_;
  Fd directory_;
  std::vector<Live> live_;
};

class Killed : public ::testing::TestWithParam<int> {
 protected:
  Killed()
      : random_(seed()),
        shown_(new (::mmap(nullptr, sizeof(Shown), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))
                   Shown) {
    std::filesystem::create_directory(dir_.file("recordings"));
  }
  ~Killed() override { ::munmap(shown_, sizeof(Shown)); }

  // 2,000 in all eight; OPELOG_SESSIONS=1250 makes ten thousand of them.
  static std::size_t wanted() {
    if (const char* wanted = std::getenv("OPELOG_SESSIONS")) return std::strtoul(wanted, nullptr, 10);
    return OPELOG_SAMPLE > 1 ? 30 : 250;
  }
  static unsigned seed() {
    const char* given = std::getenv("OPELOG_SEED");
    const unsigned seed =
        given != nullptr ? static_cast<unsigned>(std::strtoul(given, nullptr, 10)) : std::random_device()();
    std::printf("OPELOG_SEED=%u\n", seed);
    return seed + static_cast<unsigned>(GetParam());
  }

  // Runs one until it is killed, `us` after its beginning or after its start is over.
  void run_and_kill(std::uint64_t us, bool started) {
    shown_->started = false;
    const unsigned own = static_cast<unsigned>(random_());
    const pid_t pid = ::fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
      Recorder recorder(dir_, own, *shown_);
      recorder.repair();
      recorder.record();
    }
    while (started && !shown_->started && ::waitpid(pid, nullptr, WNOHANG) == 0) ::usleep(200);
    ::usleep(static_cast<useconds_t>(us));
    ASSERT_EQ(::kill(pid, SIGKILL), 0);
    int status = 0;
    ASSERT_EQ(::waitpid(pid, &status, 0), pid);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "it ended by itself: " << status;
  }
  // And one that stops in order.
  void run_and_stop() {
    const pid_t pid = ::fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
      Recorder recorder(dir_, 0, *shown_);
      recorder.repair();
      recorder.stop();
    }
    int status = 0;
    ASSERT_EQ(::waitpid(pid, &status, 0), pid);
    ASSERT_EQ(status, 0);
  }

  LedgerVerdict ledger() const {
    auto keys = show_keys(dir_.file("ledger"));
    if (!keys) return {};
    auto pins = parse_pins(keys->first, "shown");
    auto verdict = verify_ledger(dir_.file("ledger"), *pins);
    EXPECT_TRUE(verdict.ok());
    return std::move(*verdict);
  }
  SessionVerdict verdict(const std::string& name, const LedgerVerdict& ledger) const {
    auto verdict = verify_recording(dir_.file("recordings"), name, &ledger);
    EXPECT_TRUE(verdict.ok());
    return std::move(*verdict);
  }

  TempDir dir_;
  std::mt19937 random_;
  Shown* shown_;
};

TEST_P(Killed, AtAnyMomentItIsACrashAndNoTampering) {
  std::size_t kills = 0;
  while (shown_->begun < wanted()) {
    // In the middle of its start, of recording, or of signing a checkpoint.
    const bool started = random_() % 4 != 0;
    const std::uint64_t us = !started             ? random_() % 8000
                             : random_() % 8 != 0 ? random_() % 80000
                                                  : 480000 + random_() % 100000;
    ASSERT_NO_FATAL_FAILURE(run_and_kill(us, started));
    ++kills;
    // Nobody has repaired anything yet.
    const LedgerVerdict now = ledger();
    if (now.entries == 0) continue;
    ASSERT_NE(now.integrity(), Integrity::kAltered) << ::testing::PrintToString(words(now.findings));
    for (const auto& [no, session] : now.sessions) {
      if (session.closed || session.crashed) continue;
      const SessionVerdict v = verdict(session.recording, now);
      ASSERT_NE(v.integrity(), Integrity::kAltered) << ::testing::PrintToString(words(v.findings));
      // Whole, if it was killed between the final seal and that entry.
      ASSERT_LE(v.completeness(), Completeness::kIncomplete) << ::testing::PrintToString(words(v.findings));
    }
  }
  ASSERT_NO_FATAL_FAILURE(run_and_stop());

  const LedgerVerdict ledger = this->ledger();
  EXPECT_EQ(ledger.integrity(), Integrity::kIntact) << ::testing::PrintToString(words(ledger.findings));
  for (const Finding& f : ledger.findings)
    EXPECT_TRUE(f.what == "unclean-boot" || f.what == "torn-entry") << f.what;
  auto names = format::list_names(dir_.file("recordings"));
  ASSERT_TRUE(names.ok());
  EXPECT_TRUE(absent_sessions(ledger, *names).empty());
  std::size_t crashed = 0;
  for (const std::string& name : *names) {
    const SessionVerdict v = verdict(name, ledger);
    ASSERT_EQ(v.integrity(), Integrity::kIntact) << name << ::testing::PrintToString(words(v.findings));
    for (const Finding& f : v.findings)
      ASSERT_TRUE(f.what == "crash" || f.what == "tail-unsealed" || f.what == "gap") << name << f.what;
    // Whole, if it was killed between the final seal and the entry.
    const bool closed = ledger.find(name)->closed.has_value();
    ASSERT_NE(closed, ledger.find(name)->crashed.has_value()) << name;
    ASSERT_TRUE(!closed || !has(v.findings, "crash")) << name;
    if (has(v.findings, "crash")) ++crashed;
  }
  EXPECT_EQ(ledger.sessions.size(), names->size());
  EXPECT_GT(crashed, 0U);
  for (std::size_t i = 0; i < shown_->begun; ++i) {
    if (shown_->bytes[i] == 0) continue;
    const std::string log = slurp(dir_.file("recordings/" + name_of(i) + ".log"));
    const std::string data = log.substr(log.find('\n') + 1);
    ASSERT_GE(data.size(), shown_->bytes[i]) << i;
    ASSERT_EQ(data, output_of(i, 0, data.size())) << i;
  }
  std::printf("%zu sessions, %zu kills, %zu crashed, %zu findings of the ledger\n", names->size(), kills,
              crashed, ledger.findings.size());
}
INSTANTIATE_TEST_SUITE_P(Random, Killed, ::testing::Range(0, 8));

}  // namespace
}  // namespace opelog::seal
