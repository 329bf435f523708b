#include "core/log_io.h"

#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <csignal>
#include <thread>

#include "scoped_dir.h"

namespace opelog {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

Fact fact(const std::string& text, Level level = Level::kInfo) {
  return {level, "test-event", text, {{"k", "v"}}};
}

// What is written to stderr while it lives, taken through a file.
class CapturedStderr {
 public:
  CapturedStderr() : file_(dir_.path("stderr")) {
    Fd to = *open_at(AT_FDCWD, file_, O_WRONLY | O_CREAT | O_APPEND, 0600);
    saved_ = *duplicate(STDERR_FILENO);
    ::dup2(to.get(), STDERR_FILENO);
  }
  ~CapturedStderr() { ::dup2(saved_.get(), STDERR_FILENO); }
  [[nodiscard]] std::string text() const { return slurp(file_); }

 private:
  ScopedDir dir_;
  std::string file_;
  Fd saved_;
};

// A socket that stands for journald or syslogd.
class FakeDaemon {
 public:
  explicit FakeDaemon(const std::string& path)
      : path_(path), fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    if (::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) std::abort();
  }
  ~FakeDaemon() { ::unlink(path_.c_str()); }
  /// The next datagram; "" if there is none.
  std::string next() const {
    std::string bytes(1 << 17, '\0');
    const ssize_t n = ::recv(fd_.get(), bytes.data(), bytes.size(), 0);
    bytes.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
    return bytes;
  }

 private:
  std::string path_;
  Fd fd_;
};

LogConfig to_file(const std::string& path, Level level = Level::kInfo) {
  return {LogTarget::kFile, path, level};
}

TEST(LogFile, ALineHoldsTimeLevelProgramAndFact) {
  ScopedDir dir;
  auto log = *Log::open(to_file(dir.path("l")), "opelogd");
  log->write(fact("hello", Level::kWarning));
  EXPECT_THAT(
      slurp(dir.path("l")),
      MatchesRegex("20[0-9-]+T[0-9:.]+[+-][0-9:]+ warning opelogd\\[[0-9]+\\]: test-event: hello k=v\n"));
  struct stat st {};
  ASSERT_EQ(::stat(dir.path("l").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0137, 0u) << "others read nothing";
}

TEST(LogFile, ANewFileIsReadableForItsGroupWhateverTheUmaskAndAnOldOneStaysAsItIs) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root gives a file to another group";
  ScopedDir dir;
  const auto facts_of = [&dir](const char* name) {
    struct stat st {};
    ::stat(dir.path(name).c_str(), &st);
    return std::pair(st.st_mode & 07777U, st.st_gid);
  };
  const mode_t before = ::umask(0077);
  auto log = *Log::open(to_file(dir.path("l")), "p", {}, 4);
  EXPECT_EQ(facts_of("l"), std::pair(0640U, gid_t{4}));
  ASSERT_EQ(::rename(dir.path("l").c_str(), dir.path("l.1").c_str()), 0);
  log->reopen();
  EXPECT_EQ(facts_of("l"), std::pair(0640U, gid_t{4})) << "also one that is made after a rotation";
  ASSERT_EQ(::chmod(dir.path("l").c_str(), 0600), 0);
  ASSERT_EQ(::chown(dir.path("l").c_str(), 0, 0), 0);
  log = *Log::open(to_file(dir.path("l")), "p", {}, 4);
  EXPECT_EQ(facts_of("l"), std::pair(0600U, gid_t{0}));
  ::umask(before);
}

TEST(LogFile, LevelsBelowTheChosenOneAreLeftOut) {
  ScopedDir dir;
  auto log = *Log::open(to_file(dir.path("l"), Level::kWarning), "p");
  for (const Level level : {Level::kDebug, Level::kInfo, Level::kWarning, Level::kError})
    log->write(fact("x", level));
  const std::string text = slurp(dir.path("l"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
  log->set_level(Level::kDebug);
  log->write(fact("debugging", Level::kDebug));
  EXPECT_THAT(slurp(dir.path("l")), HasSubstr("debugging"));
}

TEST(LogFile, OutsideBytesStayOnOneLine) {
  ScopedDir dir;
  auto log = *Log::open(to_file(dir.path("l")), "p");
  log->write({Level::kInfo, "e", "a\nb\x1B[2J {} %s %v", {{"k", "c\nd"}}});
  EXPECT_THAT(slurp(dir.path("l")), EndsWith("e: a\\x0ab\\x1b[2J {} %s %v k=c\\x0ad\n"));
}

TEST(LogFile, ItAppendsToWhatIsThere) {
  ScopedDir dir;
  spill(dir.path("l"), "old\n");
  (*Log::open(to_file(dir.path("l")), "p"))->write(fact("new"));
  EXPECT_THAT(slurp(dir.path("l")), ::testing::StartsWith("old\n"));
}

TEST(LogFile, LinksDirectoriesAndFifosAreRefused) {
  ScopedDir dir;
  spill(dir.path("victim"), "");
  std::filesystem::create_symlink(dir.path("victim"), dir.path("link"));
  ASSERT_EQ(::mkfifo(dir.path("fifo").c_str(), 0600), 0);
  for (const auto& path :
       {dir.path("link"), dir.path(), dir.path("fifo"), dir.path("missing/l"), std::string("/dev/null")}) {
    const int before = count_descriptors();
    EXPECT_FALSE(Log::open(to_file(path), "p").ok()) << path;
    EXPECT_EQ(count_descriptors(), before) << path;
  }
}

TEST(LogFile, AfterReopenTheNewFileTakesTheLines) {
  ScopedDir dir;
  auto log = *Log::open(to_file(dir.path("l")), "p");
  log->write(fact("first"));
  std::filesystem::rename(dir.path("l"), dir.path("l.1"));
  log->write(fact("second"));
  log->reopen();
  log->write(fact("third"));
  EXPECT_THAT(slurp(dir.path("l.1")), HasSubstr("second"));
  EXPECT_THAT(slurp(dir.path("l")), HasSubstr("third"));
  EXPECT_EQ(slurp(dir.path("l")).find("second"), std::string::npos);
}

// Real time, because the check is bound to a real second; it only has to happen at last.
TEST(LogFile, ARotatedFileIsNoticedWithoutBeingTold) {
  ScopedDir dir;
  auto log = *Log::open(to_file(dir.path("l")), "p");
  log->write(fact("first"));
  std::filesystem::rename(dir.path("l"), dir.path("l.1"));
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(120);
  while (!std::filesystem::exists(dir.path("l")) && std::chrono::steady_clock::now() < until) {
    log->write(fact("later"));
    std::this_thread::yield();
  }
  EXPECT_THAT(slurp(dir.path("l")), HasSubstr("later"));
}

TEST(LogFile, IfTheNewOneCannotBeOpenedTheOldOneGoesOn) {
  ScopedDir dir;
  auto log = *Log::open(to_file(dir.path("l")), "p");
  CapturedStderr captured;
  std::filesystem::rename(dir.path("l"), dir.path("l.1"));
  std::filesystem::create_directory(dir.path("l"));
  log->reopen();
  log->write(fact("still here"));
  EXPECT_EQ(log->failures(), 1u);
  EXPECT_THAT(slurp(dir.path("l.1")), HasSubstr("still here"));
  EXPECT_THAT(captured.text(), HasSubstr("a log entry was lost"));
}

TEST(LogFile, AFullDiskIsCountedSaidOnceAndSurvived) {
  ScopedDir dir;
  auto log = *Log::open(to_file(dir.path("l")), "p");
  log->write(fact("before"));
  const auto size = static_cast<rlim_t>(std::filesystem::file_size(dir.path("l")));
  // The file size limit stands for a full disk: a part of the line fits, then nothing.
  struct rlimit old {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  auto* old_handler = std::signal(SIGXFSZ, SIG_IGN);
  const std::size_t stderr_lines = [&] {
    CapturedStderr captured;
    struct rlimit small {
      size + 5, old.rlim_max
    };
    EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    for (int i = 0; i < 10; ++i) log->write(fact("lost"));
    EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &old), 0);
    const std::string said = captured.text();
    return static_cast<std::size_t>(std::count(said.begin(), said.end(), '\n'));
  }();
  std::signal(SIGXFSZ, old_handler);
  EXPECT_EQ(log->failures(), 10u);
  EXPECT_LE(stderr_lines, 1u) << "the first loss only (it may itself not fit)";
  log->write(fact("after"));
  const std::string text = slurp(dir.path("l"));
  std::stringstream lines(text);
  std::string before, torn, after, none;
  std::getline(lines, before);
  std::getline(lines, torn);
  std::getline(lines, after);
  EXPECT_THAT(before, EndsWith("test-event: before k=v"));
  EXPECT_EQ(torn.size(), 5u) << "the torn line is ended: " << text;
  EXPECT_THAT(after, MatchesRegex("20[0-9-]+T[0-9:.]+[+-][0-9:]+ info p\\[[0-9]+\\]: test-event: after k=v"));
  EXPECT_FALSE(std::getline(lines, none)) << text;
}

TEST(LogFile, ManyThreadsNeverMixTheirLines) {
  ScopedDir dir;
  auto log = *Log::open(to_file(dir.path("l")), "p");
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) log->write(fact(std::string(200, 'x')));
    });
  }
  for (auto& thread : threads) thread.join();
  std::stringstream lines(slurp(dir.path("l")));
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count)
    EXPECT_THAT(line, EndsWith(std::string(200, 'x') + " k=v"));
  EXPECT_EQ(count, 800);
}

TEST(LogFile, OpeningAndClosingLeavesNoDescriptor) {
  ScopedDir dir;
  const int before = count_descriptors();
  for (int i = 0; i < 3; ++i) {
    auto log = *Log::open(to_file(dir.path("l")), "p");
    log->write(fact("x"));
    log->reopen();
  }
  EXPECT_EQ(count_descriptors(), before);
}

TEST(LogStderr, WritesLinesThere) {
  CapturedStderr captured;
  auto log = *Log::open({LogTarget::kStderr, "", Level::kInfo}, "p");
  log->write(fact("hello"));
  log->reopen();
  EXPECT_THAT(captured.text(), EndsWith("test-event: hello k=v\n"));
}

TEST(LogJournal, EntriesGoToJournald) {
  ScopedDir dir;
  FakeDaemon journald(dir.path("journal"));
  auto log =
      *Log::open({LogTarget::kJournal, "", Level::kInfo}, "opelogd", {dir.path("journal"), dir.path("none")});
  log->write(fact("hello"));
  EXPECT_EQ(
      journald.next(),
      "MESSAGE=test-event: hello k=v\nPRIORITY=6\nSYSLOG_IDENTIFIER=opelogd\nEVENT=test-event\nOPELOG_K=v\n");
  EXPECT_EQ(log->failures(), 0u);
}

TEST(LogJournal, AbsentItFallsBackToSyslogAndIsFoundAgain) {
  ScopedDir dir;
  FakeDaemon syslogd(dir.path("syslog"));
  CapturedStderr captured;
  auto log = *Log::open({LogTarget::kJournal, "", Level::kInfo}, "opelogd",
                        {dir.path("journal"), dir.path("syslog")});
  log->write(fact("one"));
  EXPECT_THAT(syslogd.next(),
              MatchesRegex("<30>[A-Z][a-z]+ [ 0-9]+ [0-9:]+ opelogd\\[[0-9]+\\]: test-event: one k=v"));
  FakeDaemon journald(dir.path("journal"));
  log->write(fact("two"));
  EXPECT_THAT(journald.next(), HasSubstr("MESSAGE=test-event: two k=v\n"));
  EXPECT_EQ(syslogd.next(), "");
  EXPECT_EQ(log->failures(), 0u);
}

TEST(LogJournal, WithNeitherDaemonStderrTakesTheEntries) {
  ScopedDir dir;
  CapturedStderr captured;
  auto log = *Log::open({LogTarget::kJournal, "", Level::kInfo}, "p", {dir.path("none"), dir.path("none")});
  log->write(fact("one"));
  log->write(fact("two"));
  const std::string text = captured.text();
  EXPECT_THAT(text, HasSubstr("test-event: one"));
  EXPECT_THAT(text, HasSubstr("test-event: two"));
  EXPECT_EQ(text.find("absent"), text.rfind("absent")) << "said once";
}

// A stopped journald must not stop the program: its queue fills, then entries are lost and counted.
TEST(LogJournal, ADaemonThatStandsStillDoesNotBlockUs) {
  ScopedDir dir;
  FakeDaemon journald(dir.path("journal"));
  CapturedStderr captured;
  auto log =
      *Log::open({LogTarget::kJournal, "", Level::kInfo}, "p", {dir.path("journal"), dir.path("none")});
  for (int i = 0; i < 5000; ++i) log->write(fact("x"));
  EXPECT_GT(log->failures(), 0u);
  const std::string said = captured.text();
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1);
  while (!journald.next().empty()) {
  }
  log->write(fact("again"));
  EXPECT_THAT(journald.next(), HasSubstr("MESSAGE=test-event: again k=v\n"));
}

TEST(LogSyslog, LinesGoToSyslog) {
  ScopedDir dir;
  FakeDaemon syslogd(dir.path("syslog"));
  auto log = *Log::open({LogTarget::kSyslog, "", Level::kInfo}, "p", {dir.path("none"), dir.path("syslog")});
  log->write(fact("hello", Level::kError));
  EXPECT_THAT(syslogd.next(), ::testing::StartsWith("<27>"));
}

}  // namespace
}  // namespace opelog
