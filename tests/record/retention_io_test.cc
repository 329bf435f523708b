#include "record/retention_io.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "core/append_only_io.h"
#include "core/clock_io.h"
#include "format/recording_writer_io.h"

namespace opelog::record {
namespace {

constexpr const char* kOld = "alice_20261122140509_192.0.2.7";
constexpr std::int64_t kWeek = 7 * 86400;

/// A directory of recordings with the flag, as the daemon makes them, and a desk to ask.
class RetentionDeskTest : public ::testing::Test {
 protected:
  RetentionDeskTest() {
    std::string pattern = "/var/tmp/opelog-retain-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) std::abort();
    directory_ = pattern;
    fd_ = std::move(open_at(AT_FDCWD, directory_, O_RDONLY | O_DIRECTORY)).value();
    policy_.keep_at_least_s = 86400;
    policy_.keep_for_s = 2 * 86400;
    policy_.max_size_per_user = 1;
    policy_.reserve = 1;
    desk_.configure(directory_, policy_);
  }
  ~RetentionDeskTest() override {
    writers_.clear();
    for (const std::string& name : names()) {
      auto fd = open_at(AT_FDCWD, in(name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
      if (fd) (void)set_append_only(fd->get(), false).ok();
    }
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }

  [[nodiscard]] std::string in(const std::string& name) const { return directory_ + "/" + name; }
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& entry : std::filesystem::directory_iterator(directory_))
      all.push_back(entry.path().filename());
    std::sort(all.begin(), all.end());
    return all;
  }

  format::RecordingWriter& begin(const std::string& name) {
    format::WriterOptions options;
    options.directory = fd_.get();
    options.name = name;
    options.append_only = AppendOnly::kPreferred;
    options.input = true;
    format::SessionInfo info;
    info.id = "0123456789abcdef";
    info.user = "alice";
    auto writer = format::RecordingWriter::create(options, info, 0);
    EXPECT_TRUE(writer.ok());
    (void)*(*writer)->output("hello", 1000);
    writers_.push_back(std::move(*writer));
    return *writers_.back();
  }
  /// A closed one that changed a week ago.
  void make_old(const std::string& name) {
    ASSERT_TRUE(begin(name).end({}, 2000).ok());
    writers_.pop_back();
    for (const char* end : {".log", ".time", ".in"}) age(name + end);
  }
  void age(const std::string& name) {
    auto fd = open_at(AT_FDCWD, in(name), O_RDONLY);
    const auto flag = has_append_only(fd->get());
    if (flag && *flag) (void)set_append_only(fd->get(), false).ok();
    const timespec times[2] = {{wall_now() / kUsPerS - kWeek, 0}, {wall_now() / kUsPerS - kWeek, 0}};
    ASSERT_EQ(::futimens(fd->get(), times), 0);
    if (flag && *flag) (void)set_append_only(fd->get(), true).ok();
  }
  void put(const std::string& name, const std::string& bytes, mode_t mode = 0640) {
    std::ofstream(in(name)) << bytes;
    ASSERT_EQ(::chmod(in(name).c_str(), mode), 0);
    age(name);
  }
  void pack(const std::string& name) {
    for (const char* end : {".log.zst", ".time.zst", ".in.zst"}) put(name + end, "compressed", 0600);
  }

  Result<std::int64_t> answer_of(const std::function<void(RetentionDesk::Reply)>& request) {
    std::optional<Result<std::int64_t>> answer;
    request([&answer](Result<std::int64_t> result) { answer = std::move(result); });
    while (!answer) loop_.run_once(true);
    return std::move(*answer);
  }
  Result<std::int64_t> prune(const std::string& name, format::PruneReason why = format::PruneReason::kAge) {
    return answer_of([&](RetentionDesk::Reply reply) { desk_.prune(name, why, std::move(reply)); });
  }
  Result<std::int64_t> compressed(const std::string& name) {
    return answer_of([&](RetentionDesk::Reply reply) { desk_.compressed(name, std::move(reply)); });
  }
  Code code_of(Result<std::int64_t> result) { return result ? Code::kGone : result.error().code; }

  std::string directory_;
  Fd fd_;
  Retention policy_;
  std::vector<std::unique_ptr<format::RecordingWriter>> writers_;
  std::vector<Fact> facts_;
  std::vector<std::uint64_t> told_;
  Loop loop_;
  RetentionDesk desk_{loop_, [this](const Fact& fact) { facts_.push_back(fact); },
                      [this](std::uint64_t inode) { told_.push_back(inode); }};
};

TEST_F(RetentionDeskTest, PrunesEveryFileOfARecordingAndSaysSo) {
  make_old(kOld);
  put(std::string(kOld) + ".log.1.gz", "rotated");
  put(std::string(kOld) + ".in-20261126.zst", "rotated");
  put("alice_20261122140509_192.0.2.70.log", "another");
  struct stat st {};
  ASSERT_EQ(::stat(in(std::string(kOld) + ".log").c_str(), &st), 0);
  const auto before = std::filesystem::file_size(in(std::string(kOld) + ".time"));
  const auto bytes = prune(kOld, format::PruneReason::kUserSize);
  ASSERT_TRUE(bytes.ok()) << bytes.error().message;
  EXPECT_GT(static_cast<std::uint64_t>(*bytes), before);
  EXPECT_EQ(names(), std::vector<std::string>{"alice_20261122140509_192.0.2.70.log"});
  EXPECT_NE(std::find(told_.begin(), told_.end(), st.st_ino), told_.end());
  ASSERT_EQ(facts_.size(), 1U);
  EXPECT_EQ(facts_[0].event, "recording-pruned");
  const std::vector<std::pair<std::string, std::string>> fields = {
      {"recording", kOld}, {"session", "0123456789abcdef"},  {"user", "alice"}, {"why", "user-size"},
      {"files", "5"},      {"bytes", std::to_string(*bytes)}};
  EXPECT_EQ(facts_[0].fields, fields);
  EXPECT_EQ(code_of(prune(kOld)), Code::kNotFound);
}

TEST_F(RetentionDeskTest, RefusesWhatMustStay) {
  make_old(kOld);
  begin("live_20261122140509_c");
  ASSERT_TRUE(begin("young_20261122140509_c").end({}, 2000).ok());
  writers_.pop_back();
  put("others_20261122140509_c.log", "x");
  ASSERT_EQ(::chown(in("others_20261122140509_c.log").c_str(), 65534, 65534), 0);
  put("linked_20261122140509_c.log", "x");
  ASSERT_EQ(::symlink("/etc/passwd", in("linked_20261122140509_c.time").c_str()), 0);
  const auto all = names();
  for (const char* name : {"", ".", "..", "../etc", "/etc/passwd", ".hidden", "a\nb"})
    EXPECT_EQ(code_of(prune(name)), Code::kInvalid) << name;
  EXPECT_EQ(code_of(prune("absent")), Code::kNotFound);
  EXPECT_EQ(code_of(prune("live_20261122140509_c")), Code::kExists);
  EXPECT_EQ(code_of(prune("young_20261122140509_c")), Code::kDenied);
  EXPECT_EQ(code_of(prune("others_20261122140509_c")), Code::kDenied);
  EXPECT_EQ(code_of(prune("linked_20261122140509_c")), Code::kDenied);
  for (const Hold& hold : {Hold{"alice", ""}, Hold{"", "0123456789abcdef"}, Hold{"", kOld}}) {
    policy_.hold = {hold};
    desk_.configure(directory_, policy_);
    EXPECT_EQ(code_of(prune(kOld)), Code::kDenied) << hold.user << hold.session;
    pack(kOld);
    EXPECT_EQ(code_of(compressed(kOld)), Code::kDenied);
    for (const char* end : {".log.zst", ".time.zst", ".in.zst"})
      ::unlink(in(std::string(kOld) + end).c_str());
  }
  EXPECT_EQ(names(), all);
  EXPECT_TRUE(facts_.empty());
  EXPECT_TRUE(told_.empty());
}

TEST_F(RetentionDeskTest, TheHookComesFirstAndMayRefuse) {
  make_old(kOld);
  pack(kOld);
  const auto all = names();
  int asked = 0;
  desk_.before_prune = [&](const RecordingRemoval& removal, format::PruneReason why) -> Status {
    ++asked;
    EXPECT_EQ(names(), all) << "nothing is removed before";
    EXPECT_EQ(removal.recording().name, kOld);
    EXPECT_EQ(removal.files().size(), 6U);
    EXPECT_EQ(why, format::PruneReason::kReserve);
    return Error{Code::kIo, "the ledger is full", 0};
  };
  desk_.before_compressed = [&](const RecordingRemoval& removal) -> Status {
    ++asked;
    EXPECT_EQ(removal.files().size(), 3U);
    EXPECT_EQ(removal.compressed_bytes(), 30U);
    return Error{Code::kIo, "the ledger is full", 0};
  };
  EXPECT_EQ(prune(kOld, format::PruneReason::kReserve).error().message, "the ledger is full");
  EXPECT_EQ(compressed(kOld).error().message, "the ledger is full");
  EXPECT_EQ(asked, 2);
  EXPECT_EQ(names(), all);
  EXPECT_TRUE(facts_.empty());
  desk_.before_prune = nullptr;
  EXPECT_TRUE(prune(kOld).ok());
}

TEST_F(RetentionDeskTest, CompressedFilesTakeThePlainOnesPlace) {
  make_old(kOld);
  const auto flag = has_append_only(AT_FDCWD, in(std::string(kOld) + ".log"));
  pack(kOld);
  const auto bytes = compressed(kOld);
  ASSERT_TRUE(bytes.ok()) << bytes.error().message;
  const std::string name = kOld;
  EXPECT_EQ(names(), (std::vector<std::string>{name + ".in.zst", name + ".log.zst", name + ".time.zst"}));
  EXPECT_EQ(has_append_only(AT_FDCWD, in(name + ".log.zst")).value(), flag.value());
  ASSERT_EQ(facts_.size(), 1U);
  EXPECT_EQ(facts_[0].event, "recording-compressed");
  EXPECT_EQ(facts_[0].fields.back(), (std::pair<std::string, std::string>("compressed", "30")));
  EXPECT_EQ(code_of(compressed(kOld)), Code::kNotFound) << "nothing plain is left";
  EXPECT_TRUE(prune(kOld).ok());
  EXPECT_EQ(names().size(), 0U);
}

TEST_F(RetentionDeskTest, NothingGivesWayToAFileThatMayNotTakeItsPlace) {
  const std::string name = kOld;
  make_old(name);
  const auto refused = [&](Code code, const char* why) {
    const auto all = names();
    EXPECT_EQ(code_of(compressed(name)), code) << why;
    EXPECT_EQ(names(), all) << why;
  };
  refused(Code::kNotFound, "no compressed file");
  put(name + ".log.zst", "compressed", 0600);
  refused(Code::kNotFound, "the timing has none");
  pack(name);
  put(name + ".log.zst", "", 0600);
  refused(Code::kDenied, "empty");
  put(name + ".log.zst", "x", 0604);
  refused(Code::kDenied, "readable for others");
  put(name + ".log.zst", "x", 0600);
  ASSERT_EQ(::chown(in(name + ".log.zst").c_str(), 0, 65534), 0);
  refused(Code::kDenied, "another group");
  ASSERT_EQ(::chown(in(name + ".log.zst").c_str(), 65534, 0), 0);
  refused(Code::kDenied, "another owner");
  ASSERT_EQ(::chown(in(name + ".log.zst").c_str(), 0, 0), 0);
  ASSERT_EQ(::link(in(name + ".log.zst").c_str(), in("second").c_str()), 0);
  refused(Code::kDenied, "a second name");
  ::unlink(in("second").c_str());
  ::unlink(in(name + ".log.zst").c_str());
  ASSERT_EQ(::symlink((name + ".log").c_str(), in(name + ".log.zst").c_str()), 0);
  refused(Code::kDenied, "a symbolic link");
}

TEST_F(RetentionDeskTest, NothingGoesForAReasonThatThePolicyDoesNotHave) {
  make_old(kOld);
  const auto all = names();
  const auto refused = prune(kOld, format::PruneReason::kSize);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().message, std::string(kOld) + ": the policy has no max_size");
  EXPECT_EQ(names(), all);
}

TEST_F(RetentionDeskTest, OneAtATime) {
  make_old(kOld);
  std::vector<Code> codes;
  for (int i = 0; i < 2; ++i)
    desk_.prune(kOld, format::PruneReason::kAge,
                [&](Result<std::int64_t> result) { codes.push_back(code_of(std::move(result))); });
  while (codes.size() < 2) loop_.run_once(true);
  EXPECT_EQ(codes, (std::vector<Code>{Code::kExists, Code::kGone}));
}

}  // namespace
}  // namespace opelog::record
