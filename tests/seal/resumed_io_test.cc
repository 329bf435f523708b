// A recorder that is killed at a write of its own choice, and another one that goes on with the same files,
// memory and chain of seals: at whatever write it was, verify finds nothing, and the timing speaks of every
// byte.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>

#include "../format/support_io.h"
#include "app/host_ledger_io.h"
#include "core/clock_io.h"
#include "format/timing_record.h"
#include "made_host_io.h"
#include "seal/host_verdict_io.h"
#include "seal/ledger_init_io.h"

namespace opelog::seal {
namespace {

using format::testing::slurp;
using format::testing::TempDir;
using testing::words;

constexpr MonoUs kResumedBegun = 5000000;
constexpr std::size_t kResumedSteps = 14;

enum class KilledAt { kBefore, kHalf, kAfter };

// Outlives the process that is killed.
struct Survives {
  format::WriterMemory memory;
  std::size_t step = 0;  ///< begun
  std::uint64_t shown = 0;
  long writes = -1;  ///< -1: not counted yet
  long fatal = -1;   ///< number of the write that is the last
  KilledAt how = KilledAt::kBefore;
};
Survives* survives = nullptr;

std::ptrdiff_t mortal_write(int fd, const void* data, std::size_t size) {
  if (survives->writes < 0 || survives->writes++ != survives->fatal) return ::write(fd, data, size);
  if (survives->how == KilledAt::kHalf) (void)!::write(fd, data, (size + 1) / 2);
  if (survives->how == KilledAt::kAfter) (void)!::write(fd, data, size);
  (void)::raise(SIGKILL);
  return -1;
}

class RecorderOfOne {
 public:
  explicit RecorderOfOne(const TempDir& dir)
      : dir_(dir),
        ledger_(
            loop_, [](const Fact&) {}, dir.file("key")) {
    Policy policy;
    policy.seal_ledger = dir.file("ledger");
    policy.append_only = AppendOnly::kOff;
    ledger_.configure(policy, 0);
  }

  bool begin() {
    const format::SessionInfo info = format::testing::sample_info();
    auto directory = open_at(AT_FDCWD, dir_.file("recordings"), O_RDONLY | O_DIRECTORY);
    format::WriterOptions options;
    options.directory = directory->get();
    options.name = "one";
    options.append_only = AppendOnly::kOff;
    options.input = true;
    options.memory = &survives->memory;
    options.write = mortal_write;
    options.opened = [&](const std::string& name) { return ledger_.open_session(info, name, "/logs"); };
    auto made = format::RecordingWriter::create(options, info, kResumedBegun);
    if (!made) return false;
    writer_ = std::move(*made);
    survives->writes = 0;
    return true;
  }

  /// Some time after the other one was killed.
  std::string resume() {
    away_ = 2100000;
    format::ResumeOptions options;
    for (const auto& [file, suffix] : {std::pair{0, ".log"}, std::pair{1, ".time"}, std::pair{2, ".in"}}) {
      auto fd = open_at(AT_FDCWD, dir_.file(std::string("recordings/one") + suffix), O_WRONLY | O_APPEND);
      if (!fd) return fd.error().message;
      options.files[static_cast<std::size_t>(file)] = std::move(*fd);
    }
    options.name = "one";
    options.begun = kResumedBegun;
    options.memory = &survives->memory;
    options.sealer = [this](const format::SealerMark& mark, std::array<std::uint64_t, 3>& covered) {
      return ledger_.resume_session(mark, covered);
    };
    auto resumed = format::RecordingWriter::resume(std::move(options), at(survives->step));
    if (!resumed) return resumed.error().message;
    writer_ = std::move(*resumed);
    return writer_->ending() || writer_->note("OPELOG_RESUMED", "{}", at(survives->step)) ? "" : "no note";
  }

  /// Sessions that the ledger holds for interrupted.
  [[nodiscard]] std::size_t interrupted() const { return ledger_.interrupted().size(); }

  /// From the step on that was not begun yet.
  void go_on() {
    for (; survives->step < kResumedSteps; ++survives->step) step(survives->step);
    const MonoUs late = at(kResumedSteps) + away_;
    flush_if_due(late);
    format::EndInfo end;
    end.exit_code = 3;
    (void)writer_->end(end, late).ok();
    writer_.reset();
    ledger_.sync_round()();
    ledger_.quiesce();
    loop_.run();
    ledger_.finish(true);
  }

 private:
  [[nodiscard]] MonoUs at(std::size_t step) const {
    return kResumedBegun + away_ + static_cast<MonoUs>(step) * 430000;
  }
  void flush_if_due(MonoUs now) {
    if (const auto due = writer_->flush_deadline(); due && *due <= now) (void)writer_->flush(now).ok();
  }
  void step(std::size_t step) {
    const MonoUs now = at(step);
    if (step % 5 == 3) (void)writer_->resized(30, static_cast<int>(80 + step), now).ok();
    if (step % 4 == 2) (void)writer_->input("typed", now).ok();
    for (int i = 0; i < 3; ++i) {
      const std::string text(100 + step, static_cast<char>('a' + step));
      if (auto put = writer_->output(text, now + i * 20000)) survives->shown += *put;
    }
    flush_if_due(now + 300000);
  }

  const TempDir& dir_;
  MonoUs away_ = 0;  ///< nobody recorded for that long
  Loop loop_;
  app::HostLedger ledger_;
  std::unique_ptr<format::RecordingWriter> writer_;
};

class Resumable : public ::testing::Test {
 protected:
  void SetUp() override {
    void* memory =
        ::mmap(nullptr, sizeof(Survives), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    survives = new (memory) Survives;
  }
  void TearDown() override { ::munmap(survives, sizeof(Survives)); }

  // Whether it came to its end.
  static bool record_until(const TempDir& dir, long fatal, KilledAt how) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      survives->fatal = fatal;
      survives->how = how;
      RecorderOfOne recorder(dir);
      if (!recorder.begin()) ::_exit(9);
      recorder.go_on();
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(pid, &status, 0);
    EXPECT_TRUE((WIFEXITED(status) && WEXITSTATUS(status) == 0) ||
                (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL))
        << status;
    return WIFEXITED(status);
  }
};

class Resumed : public Resumable, public ::testing::WithParamInterface<KilledAt> {};

TEST_P(Resumed, AtAnyWriteTheRecordingGoesOnAndNothingIsFound) {
  long fatal = 0;
  for (;; fatal += OPELOG_SAMPLE > 1 ? 7 : 1) {
    TearDown();
    SetUp();
    TempDir dir;
    std::filesystem::create_directory(dir.file("recordings"));
    if (record_until(dir, fatal, GetParam())) break;
    {
      RecorderOfOne next(dir);
      ASSERT_EQ(next.interrupted(), 1U) << fatal;
      ASSERT_EQ(next.resume(), "") << fatal;
      ASSERT_EQ(next.interrupted(), 0U) << fatal;
      next.go_on();
    }
    auto keys = show_keys(dir.file("ledger"));
    ASSERT_TRUE(keys.ok());
    auto ledger = verify_ledger(dir.file("ledger"), *parse_pins(keys->first, "shown"));
    ASSERT_TRUE(ledger.ok());
    EXPECT_EQ(words(ledger->findings), std::vector<std::string>{"unclean-boot"}) << fatal;
    auto verdict = verify_recording(dir.file("recordings"), "one", &*ledger);
    ASSERT_TRUE(verdict.ok());
    ASSERT_EQ(words(verdict->findings), std::vector<std::string>{}) << fatal;
    ASSERT_EQ(verdict->integrity(), Integrity::kIntact) << fatal;

    const std::string log = slurp(dir.file("recordings/one.log"));
    const std::uint64_t payload = log.size() - (log.find('\n') + 1);
    ASSERT_GE(payload, survives->shown) << fatal;
    const std::string timing = slurp(dir.file("recordings/one.time"));
    const std::string behind = timing.substr(timing.rfind(" OPELOG_END "));
    ASSERT_EQ(std::count(behind.begin(), behind.end(), '\n'), 2) << fatal << behind;
    format::TimingScanner scanner;
    format::TimingRecord record;
    scanner.feed(timing);
    std::uint64_t output = 0, input = 0;
    while (scanner.next(record) == format::TimingScanner::Outcome::kRecord) {
      if (const auto* shown = std::get_if<format::OutputRecord>(&record)) output += shown->size;
      if (const auto* typed = std::get_if<format::InputRecord>(&record)) input += typed->size;
    }
    ASSERT_EQ(scanner.problem(), "") << fatal;
    ASSERT_EQ(output, payload) << fatal;
    const std::string in = slurp(dir.file("recordings/one.in"));
    ASSERT_EQ(input, in.size() - (in.find('\n') + 1)) << fatal;
  }
  EXPECT_GT(fatal, 40) << "too few writes to mean anything";
}
INSTANTIATE_TEST_SUITE_P(Killed, Resumed,
                         ::testing::Values(KilledAt::kBefore, KilledAt::kHalf, KilledAt::kAfter));

// Found out only when the sealer is there: the ledger still has the session to be ended.
TEST_F(Resumable, SealsOfMoreThanThereIsAreRefused) {
  TempDir dir;
  std::filesystem::create_directory(dir.file("recordings"));
  ASSERT_FALSE(record_until(dir, 30, KilledAt::kAfter));
  format::SealerMark& mark = survives->memory.sealers[survives->memory.mark.get().sealer];
  constexpr std::size_t kCovered = 32 + 3 * 8;  // behind the secret and three numbers
  std::fill_n(mark.bytes.begin() + kCovered, 8, std::uint8_t{0x7f});
  RecorderOfOne next(dir);
  ASSERT_EQ(next.interrupted(), 1U);
  EXPECT_NE(next.resume().find("changed while nobody recorded"), std::string::npos);
  EXPECT_EQ(next.interrupted(), 1U);
}

TEST_F(Resumable, FilesThatSomebodyChangedMeanwhileAreRefused) {
  for (const char* suffix : {".log", ".time", ".in"}) {
    for (const bool longer : {true, false}) {
      TearDown();
      SetUp();
      TempDir dir;
      std::filesystem::create_directory(dir.file("recordings"));
      ASSERT_FALSE(record_until(dir, 30, KilledAt::kAfter));
      const std::string file = dir.file(std::string("recordings/one") + suffix);
      const auto size = std::filesystem::file_size(file);
      std::filesystem::resize_file(file, longer ? size + 1000 : size - 40);
      RecorderOfOne next(dir);
      const std::string refused = next.resume();
      // More of what was shown or typed may have been on its way: no more can be said of those than that they
      // are there.
      if (longer && std::string_view(suffix) != ".time")
        EXPECT_EQ(refused, "") << suffix;
      else
        EXPECT_NE(refused.find("changed while nobody recorded"), std::string::npos) << suffix << refused;
      EXPECT_EQ(next.interrupted(), refused.empty() ? 0U : 1U)
          << suffix << ": it is to be entered as crashed";
    }
  }
}

}  // namespace
}  // namespace opelog::seal
