// The real ledger on a real loop: what its files hold after stops, crashes and power cuts.
#include "seal/ledger_io.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <thread>

#include "../format/support_io.h"
#include "made_host_io.h"
#include "seal/host_verdict_io.h"
#include "seal/ledger_init_io.h"

namespace opelog::seal {
namespace {

using format::testing::slurp;
using format::testing::spill;
using format::testing::TempDir;
using testing::has;
using testing::words;

class LedgerFile : public ::testing::Test {
 protected:
  LedgerStart start(const std::string& boot = "boot") const {
    LedgerStart s;
    s.place.directory = dir_.file("ledger");
    s.place.key_file = dir_.file("key");
    s.place.append_only = AppendOnly::kOff;
    s.place.host_id = "0123";
    s.boot_id = boot;
    s.version = "test";
    return s;
  }
  struct Running {
    std::unique_ptr<Loop> loop = std::make_unique<Loop>();
    std::unique_ptr<Ledger> ledger;
    // Until all is signed.
    void settle(const std::string& checkpoints, std::size_t count) const {
      for (int turns = 0; turns < 2000; ++turns) {
        if (CountNotes(checkpoints) >= count) return;
        loop->run_once(true);
      }
      ADD_FAILURE() << "never signed";
    }
    static std::size_t CountNotes(const std::string& path) {
      if (!std::filesystem::exists(path)) return 0;
      const std::string text = slurp(path);
      std::size_t n = 0;
      for (std::size_t at = 0; (at = text.find("opelog-epoch", at)) != std::string::npos; ++at) ++n;
      return n;
    }
    void stop() {
      ledger->quiesce();
      loop->run();
      ledger->finish();
      ledger.reset();
    }
    // As by kill -9: what is in memory is gone. The work under way may have ended or not.
    void kill() {
      ledger->quiesce();
      loop->run();
      ledger.reset();
    }
  };
  Running run(const std::string& boot = "boot") {
    Running r;
    const FactSink sink = [this](const Fact& fact) { facts_.push_back(fact.event); };
    auto opened = Ledger::open(*r.loop, sink, start(boot));
    // The thread that signed for the one before may not have let go of its descriptors yet.
    for (int i = 0; i < 500 && !opened && opened.error().code == Code::kExists; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      opened = Ledger::open(*r.loop, sink, start(boot));
    }
    EXPECT_TRUE(opened.ok()) << (opened ? "" : opened.error().message);
    if (opened) r.ledger = std::move(*opened);
    return r;
  }
  LedgerVerdict verdict() const {
    auto keys = show_keys(dir_.file("ledger"));
    EXPECT_TRUE(keys.ok());
    auto pins = parse_pins(keys->first, "shown");
    auto v = verify_ledger(dir_.file("ledger"), *pins);
    EXPECT_TRUE(v.ok());
    return std::move(*v);
  }
  void put_key(const std::string& bytes) const {
    spill(dir_.file("key"), bytes);
    ASSERT_EQ(::chmod(dir_.file("key").c_str(), 0600), 0);
  }
  std::string entries() const { return dir_.file("ledger/entries"); }
  std::string checkpoints() const { return dir_.file("ledger/checkpoints"); }

  TempDir dir_;
  std::vector<std::string> facts_;
};

TEST_F(LedgerFile, StopsAndStartsAreOneChain) {
  for (int i = 0; i < 3; ++i) {
    Running r = run();
    r.ledger->add(PolicyEntry{"d" + std::to_string(i)});
    r.settle(checkpoints(), static_cast<std::size_t>(2 * i + 1));
    r.stop();
  }
  const LedgerVerdict v = verdict();
  EXPECT_EQ(v.integrity(), Integrity::kIntact) << ::testing::PrintToString(words(v.findings));
  EXPECT_EQ(words(v.findings), (std::vector<std::string>{"off", "off"}));
  EXPECT_EQ(v.checkpoints, 6U);
  EXPECT_EQ(v.signed_entries, v.entries);
  struct stat st {};
  ASSERT_EQ(::stat(dir_.file("key").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0600U);
}

TEST_F(LedgerFile, ACrashIsASeamAndNoBreak) {
  for (int i = 0; i < 4; ++i) {
    Running r = run();
    r.ledger->add(PolicyEntry{"d"});
    if (i % 2 == 0) r.settle(checkpoints(), static_cast<std::size_t>(i / 2 + 1));
    r.kill();
  }
  run().stop();
  const LedgerVerdict v = verdict();
  EXPECT_EQ(v.integrity(), Integrity::kIntact) << ::testing::PrintToString(words(v.findings));
  EXPECT_EQ(words(v.findings), (std::vector<std::string>(4, "unclean-boot")));
}

TEST_F(LedgerFile, APowerCutAtAnyByteOfEitherFileBreaksNoChain) {
  Running r = run();
  r.ledger->add(PolicyEntry{"d"});
  r.settle(checkpoints(), 1);
  const std::string first_note = slurp(checkpoints()), first_entries = slurp(entries()),
                    key = slurp(dir_.file("key"));
  r.ledger->add(PolicyEntry{"e"});
  r.kill();
  const std::string all = slurp(entries());
  ASSERT_GT(all.size(), first_entries.size());
  // Entries beyond the checkpoint: any part of them may be on the disk.
  for (std::size_t size = first_entries.size(); size <= all.size(); ++size) {
    spill(entries(), all.substr(0, size));
    spill(checkpoints(), first_note);
    put_key(key);
    run("another boot").stop();
    const LedgerVerdict v = verdict();
    ASSERT_EQ(v.integrity(), Integrity::kIntact) << size << ::testing::PrintToString(words(v.findings));
    ASSERT_TRUE(has(v.findings, "unclean-boot"));
  }
  // The next checkpoint, in part: the key file is still the one before it.
  spill(entries(), all);
  spill(checkpoints(), first_note);
  put_key(key);
  {
    Running again = run();
    again.settle(checkpoints(), 2);
    again.kill();
  }
  const std::string notes = slurp(checkpoints()), more = slurp(entries());
  // Every place around the end of its first signature, every fifth otherwise.
  const std::size_t signature = notes.find('\n', notes.find("\n\n", first_note.size()) + 2);
  for (std::size_t size = first_note.size(); size < notes.size(); ++size) {
    if (size % 5 != 0 && (size + 3 < signature || size > signature + 6)) continue;
    spill(entries(), more);
    spill(checkpoints(), notes.substr(0, size));
    put_key(key);
    run("another boot").stop();
    const LedgerVerdict v = verdict();
    ASSERT_EQ(v.integrity(), Integrity::kIntact) << size << ::testing::PrintToString(words(v.findings));
  }
}

TEST_F(LedgerFile, LostKeysAreEnteredAndBreakTheChain) {
  run().stop();
  std::filesystem::remove(dir_.file("key"));
  run().stop();
  EXPECT_NE(std::find(facts_.begin(), facts_.end(), "ledger-keys-lost"), facts_.end());
  const LedgerVerdict v = verdict();
  EXPECT_TRUE(has(v.findings, "keys-lost"));
  EXPECT_TRUE(has(v.findings, "key-chain-broken"));
}

TEST_F(LedgerFile, AChangeWhileNobodyWroteIsStatedAtTheStart) {
  run().stop();
  std::string text = slurp(entries());
  text.replace(text.find("\"boot\""), 6, "\"toob\"");
  spill(entries(), text);
  run().stop();
  EXPECT_NE(std::find(facts_.begin(), facts_.end(), "ledger-damaged"), facts_.end());
  EXPECT_EQ(verdict().integrity(), Integrity::kAltered);
}

TEST_F(LedgerFile, HasOneWriter) {
  Running r = run();
  auto second = Ledger::open(
      *r.loop, [](const Fact&) {}, start());
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, Code::kExists);
  r.stop();
}

TEST_F(LedgerFile, MadeBeforehandItIsTheSame) {
  auto made = make_ledger(dir_.file("ledger"), dir_.file("key"), 0, 1);
  ASSERT_TRUE(made.ok() || made.error().code == Code::kNotFound);
  if (!made) GTEST_FAIL() << made.error().message;
  EXPECT_FALSE(make_ledger(dir_.file("ledger"), dir_.file("key"), 0, 1).ok());
}

// A disk that takes no more: here a limit on the size of files.
TEST_F(LedgerFile, ASessionThatCannotBeEnteredIsNotMissedLater) {
  Running r = run();
  r.settle(checkpoints(), 1);
  format::SessionInfo info;
  info.id = "00000000000000aa";
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto old = std::signal(SIGXFSZ, SIG_IGN);
  rlimit full = before;
  full.rlim_cur = slurp(entries()).size() + 20;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &full), 0);
  EXPECT_FALSE(r.ledger->open_session(info, "refused").ok());
  EXPECT_FALSE(r.ledger->open_session(info, "refused too").ok());
  EXPECT_NE(r.ledger->problem(), "");
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, old);
  auto opened = r.ledger->open_session(info, "recorded");
  ASSERT_TRUE(opened.ok());
  ASSERT_TRUE(opened->sealer->seal(1, true).ok());
  opened->sealer->closed({});
  opened->sealer.reset();
  r.stop();
  const LedgerVerdict v = verdict();
  EXPECT_EQ(v.integrity(), Integrity::kIntact) << ::testing::PrintToString(words(v.findings));
  const auto absent = absent_sessions(v, {"recorded"});
  ASSERT_EQ(absent.size(), 1U);
  EXPECT_EQ(words(absent[0].findings), std::vector<std::string>{"abandoned"});
}

TEST_F(LedgerFile, SessionsOpenedAreKnownAgain) {
  Running r = run();
  format::SessionInfo info;
  info.id = "00000000000000aa";
  auto first = r.ledger->open_session(info, "one");
  auto second = r.ledger->open_session(info, "two");
  ASSERT_TRUE(first.ok() && second.ok());
  second->sealer->closed({});
  first->sealer.reset();
  second->sealer.reset();
  r.kill();
  Running again = run();
  EXPECT_EQ(again.ledger->interrupted(), (std::map<std::uint64_t, std::string>{{1, "one"}}));
  auto third = again.ledger->open_session(info, "three");
  ASSERT_TRUE(third.ok());
  again.stop();
  EXPECT_EQ(verdict().sessions.rbegin()->first, 3U);
}

}  // namespace
}  // namespace opelog::seal
