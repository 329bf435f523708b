// The real ledger on a real loop: what its files hold after stops, crashes and power cuts.
#include "seal/ledger_io.h"

#include <gtest/gtest.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <thread>

#include "../format/support_io.h"
#include "made_host_io.h"
#include "seal/checkpoint_reader.h"
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
      ledger->finish(true);
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
  Result<RotatedLog> rotate(const Running& r) const {
    std::optional<Result<RotatedLog>> done;
    r.ledger->rotate_log([&done](Result<RotatedLog> result) { done = std::move(result); });
    for (int turns = 0; turns < 2000 && !done; ++turns) r.loop->run_once(true);
    if (!done) return Error{Code::kGone, "never answered", 0};
    return std::move(*done);
  }
  // What somebody holds at the end who began with the first log key and goes on by checkpoints alone: from
  // one key to the other where both have signed. "" and a failure if one is not signed by the key he holds.
  std::string follow() const {
    const auto first = show_keys(dir_.file("ledger"));
    std::vector<std::string> logs;  // that the ledger has named
    std::string text = slurp(entries());
    for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) {
      const auto entry = parse_entry(text.substr(at, text.find('\n', at) - at));
      if (const auto* key = entry ? std::get_if<KeyEntry>(&entry->body) : nullptr) logs.push_back(key->log);
    }
    std::string held = first ? first->log : "";
    CheckpointReader reader;
    reader.feed(slurp(checkpoints()));
    reader.finish();
    while (const auto found = reader.next()) {
      if (found->note.signatures.size() < 2) continue;  // torn: no witness has seen it
      if (!is_signed_by(found->note, *parse_verifier_key(held))) {
        ADD_FAILURE() << "not signed by the key that was followed:\n" << encode_signed_note(found->note);
        return "";
      }
      // Only forward, in the order of the entries.
      for (auto log = std::find(logs.begin(), logs.end(), held); log != logs.end(); ++log) {
        if (is_signed_by(found->note, *parse_verifier_key(*log))) held = *log;
      }
    }
    return held;
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

TEST_F(LedgerFile, AnotherLogKeyIsHandedOverByACheckpointOfBoth) {
  Running r = run();
  r.settle(checkpoints(), 1);
  const std::string old_key_file = slurp(dir_.file("key"));
  const auto rotated = rotate(r);
  ASSERT_TRUE(rotated.ok()) << rotated.error().message;
  EXPECT_NE(rotated->log, rotated->former);
  EXPECT_EQ(rotated->former, show_keys(dir_.file("ledger"))->log);
  EXPECT_NE(std::find(facts_.begin(), facts_.end(), "ledger-key-rotated"), facts_.end());
  EXPECT_EQ(follow(), rotated->log);
  // Nothing of the other one is left in the file, nor of the epoch that nobody had named yet.
  const std::string key_file = slurp(dir_.file("key"));
  for (std::size_t slot = 0; slot < 3; ++slot)
    EXPECT_EQ(key_file.find(old_key_file.substr(slot * 64 + 16, 32)), std::string::npos) << slot;
  EXPECT_EQ(key_file.substr(192), std::string(64, '\0'));
  // Later ones are signed by the new one alone, also after a stop; and once more.
  r.ledger->add(PolicyEntry{"d"});
  r.stop();
  run().stop();
  const std::string notes = slurp(checkpoints());
  std::size_t used = 0;
  const auto last = parse_signed_note(notes.substr(notes.rfind("opelog/0123\n")), used);
  ASSERT_TRUE(last);
  EXPECT_FALSE(is_signed_by(*last, *parse_verifier_key(rotated->former)));
  Running again = run();
  std::optional<Result<RotatedLog>> second;
  again.ledger->rotate_log([&](Result<RotatedLog> result) { second = std::move(result); });
  EXPECT_EQ(rotate(again).error().code, Code::kExists);
  again.settle(checkpoints(), Running::CountNotes(checkpoints()) + 1);
  again.stop();
  ASSERT_TRUE(second && second->ok());
  EXPECT_EQ((*second)->former, rotated->log);
  EXPECT_EQ(follow(), (*second)->log);
  const LedgerVerdict v = verdict();
  EXPECT_EQ(words(v.findings), (std::vector<std::string>{"off", "off"}));
  EXPECT_EQ(v.integrity(), Integrity::kIntact);
  EXPECT_EQ(v.keys.size(), 3U);
  EXPECT_EQ(v.log, (*second)->log);
}

// The files written to since it was made, one name for each run of writes to one file.
class WriteOrder {
 public:
  explicit WriteOrder(const std::vector<std::string>& directories) {
    for (const std::string& directory : directories)
      EXPECT_GE(::inotify_add_watch(fd_.get(), directory.c_str(), IN_MODIFY), 0);
  }
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    alignas(inotify_event) char buffer[16384];
    const ssize_t size = ::read(fd_.get(), buffer, sizeof buffer);
    for (ssize_t at = 0; at < size;) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer + at);
      if (names.empty() || names.back() != event->name) names.emplace_back(event->name);
      at += static_cast<ssize_t>(sizeof *event + event->len);
    }
    return names;
  }

 private:
  Fd fd_ = Fd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
};

// The writes of a rotation in their order, and what a crash leaves between each two of them and in the middle
// of each.
TEST_F(LedgerFile, ACrashAnywhereInARotationLeavesAChain) {
  run().stop();
  Running r = run();
  const std::string key = slurp(dir_.file("key")), lines = slurp(entries()), notes = slurp(checkpoints());
  const WriteOrder order({dir_.path(), dir_.file("ledger")});
  const auto rotated = rotate(r);
  ASSERT_TRUE(rotated.ok()) << rotated.error().message;
  EXPECT_EQ(order.names(), (std::vector<std::string>{"key", "entries", "checkpoints", "key"}));
  r.kill();
  const std::string all_keys = slurp(dir_.file("key")), all_lines = slurp(entries()),
                    all_notes = slurp(checkpoints());
  ASSERT_EQ(key.size(), 192U);
  ASSERT_EQ(all_keys.size(), 256U);
  const std::string log = all_keys.substr(128, 64), empty(64, '\0');
  struct Slot {
    std::size_t index;
    std::string bytes;
  };
  struct State {
    std::string what, key, lines, notes;
  };
  State now{"nothing", key, lines, notes};
  std::vector<State> states{now};
  const auto write_slot = [&](const std::string& what, const Slot& slot) {
    const auto with = [&](std::size_t bytes) {
      std::string file = now.key;
      file.resize(std::max(file.size(), slot.index * 64 + bytes), '\0');
      return file.replace(slot.index * 64, bytes, slot.bytes.substr(0, bytes));
    };
    states.push_back({what + ", torn", with(30), now.lines, now.notes});
    now.key = with(64);
    now.what = what;
    states.push_back(now);
  };
  write_slot("the coming log key", {3, log});
  write_slot("a fresh epoch", {1, all_keys.substr(64, 64)});
  for (std::size_t size = lines.size() + 1; size <= all_lines.size();
       size += size + 9 < all_lines.size() ? 9 : 1)
    states.push_back(
        {"the entry, " + std::to_string(size - lines.size()), now.key, all_lines.substr(0, size), notes});
  now.lines = all_lines;
  for (std::size_t size = notes.size() + 1; size <= all_notes.size(); ++size) {
    const bool line_ends =
        all_notes[size - 1] == '\n' || (size < all_notes.size() && all_notes[size] == '\n');
    if (line_ends || size % 41 == 0)
      states.push_back({"the note, " + std::to_string(size - notes.size()), now.key, now.lines,
                        all_notes.substr(0, size)});
  }
  now.notes = all_notes;
  write_slot("the log key's place", {2, log});
  write_slot("the coming one's place", {3, empty});
  write_slot("the epoch after", {0, all_keys.substr(0, 64)});
  EXPECT_EQ(now.key, all_keys);
  ASSERT_GT(states.size(), 40U);
  for (const State& state : states) {
    SCOPED_TRACE(state.what);
    put_key(state.key);
    spill(entries(), state.lines);
    spill(checkpoints(), state.notes);
    for (int i = 0; i < 2; ++i) run("another boot").stop();
    const LedgerVerdict v = verdict();
    ASSERT_EQ(v.integrity(), Integrity::kIntact) << ::testing::PrintToString(words(v.findings));
    EXPECT_FALSE(has(v.findings, "keys-lost"));
    // Who follows holds what the ledger names, and both sign no longer.
    EXPECT_EQ(follow(), v.log);
    EXPECT_EQ(v.log == rotated->log, state.lines == all_lines);
    const std::string after = slurp(checkpoints());
    std::size_t used = 0;
    const auto last = parse_signed_note(after.substr(after.rfind("opelog/0123\n")), used);
    ASSERT_TRUE(last);
    EXPECT_EQ(last->signatures.size(), 2U);
    if (HasFailure()) return;
  }
}

TEST_F(LedgerFile, ADiskThatTakesNothingKeepsARotationWaiting) {
  for (int i = 0; i < 6; ++i) run().stop();
  ASSERT_GT(slurp(checkpoints()).size(), slurp(entries()).size() + 800);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto old = std::signal(SIGXFSZ, SIG_IGN);
  rlimit full = before;
  // First no entry, then no whole checkpoint.
  Running refused = run();
  full.rlim_cur = slurp(entries()).size();
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &full), 0);
  EXPECT_FALSE(rotate(refused).ok());
  refused.kill();
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  Running r = run();
  full.rlim_cur = slurp(checkpoints()).size() + 10;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &full), 0);
  const auto waits = rotate(r);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, old);
  ASSERT_FALSE(waits.ok());
  EXPECT_NE(waits.error().message.find("the new key stands in the ledger"), std::string::npos)
      << waits.error().message;
  // A crash here: the key that the ledger names is in the file.
  r.kill();
  run().stop();
  const LedgerVerdict v = verdict();
  EXPECT_EQ(v.integrity(), Integrity::kIntact);
  EXPECT_EQ(v.keys.size(), 2U);
  EXPECT_EQ(follow(), v.log);
  EXPECT_NE(v.log, show_keys(dir_.file("ledger"))->log);
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

TEST_F(LedgerFile, ALogKeyThatAloneIsLostIsEnteredAndBreaksNothing) {
  run().stop();
  std::string keys = slurp(dir_.file("key"));
  const std::size_t slot = keys.find(keys.substr(0, 8), 1);
  ASSERT_LT(2 * slot, keys.size());
  keys.replace(2 * slot, 8, 8, 'x');
  put_key(keys);
  const std::string former = verdict().log;
  for (int i = 0; i < 3; ++i) run().stop();
  EXPECT_EQ(std::count(facts_.begin(), facts_.end(), "ledger-log-lost"), 1);
  const LedgerVerdict v = verdict();
  EXPECT_EQ(v.integrity(), Integrity::kIntact) << ::testing::PrintToString(words(v.findings));
  EXPECT_TRUE(has(v.findings, "keys-lost")) << "stated";
  EXPECT_EQ(v.keys.size(), 2U);
  EXPECT_NE(v.log, former);
  const std::string notes = slurp(checkpoints());
  std::size_t used = 0;
  const auto last = parse_signed_note(notes.substr(notes.rfind("opelog/0123\n")), used);
  ASSERT_TRUE(last);
  EXPECT_TRUE(is_signed_by(*last, *parse_verifier_key(v.log)));
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
  EXPECT_FALSE(r.ledger->open_session(info, "refused", "/logs").ok());
  EXPECT_FALSE(r.ledger->open_session(info, "refused too", "/logs").ok());
  EXPECT_NE(r.ledger->problem(), "");
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, old);
  auto opened = r.ledger->open_session(info, "recorded", "/logs");
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
  auto first = r.ledger->open_session(info, "one", "/logs");
  auto second = r.ledger->open_session(info, "two", "/logs");
  ASSERT_TRUE(first.ok() && second.ok());
  second->sealer->closed({});
  first->sealer.reset();
  second->sealer.reset();
  r.kill();
  Running again = run();
  EXPECT_EQ(again.ledger->interrupted(), (std::map<std::uint64_t, OpenSession>{{1, {"one", "/logs"}}}));
  auto third = again.ledger->open_session(info, "three", "/logs");
  ASSERT_TRUE(third.ok());
  again.stop();
  EXPECT_EQ(verdict().sessions.rbegin()->first, 3U);
}

}  // namespace
}  // namespace opelog::seal
