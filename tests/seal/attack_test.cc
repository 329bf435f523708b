// Threat rows 12 and 13 as a table: a recording and its ledger are damaged in every way, and every damage is
// named; nothing intact ever is. Recordings and ledger are made by the code that makes real ones.
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "made_host_io.h"
#include "seal/sealed_timing.h"

namespace opelog::seal {
namespace {

using testing::Files;
using testing::has;
using testing::MadeHost;
using testing::words;
using End = MadeHost::Script::End;

constexpr bool kSlow = OPELOG_SAMPLE > 1;  // under the sanitizers

std::string joined(const std::vector<std::string>& list) {
  std::string text;
  for (const std::string& word : list) text += word + " ";
  return text;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line + "\n");
  return lines;
}

std::string together(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line;
  return text;
}

bool is_seal(const std::string& line) {
  return line.find(" OPELOG_SEAL ") != std::string::npos;
}

// One small recording with input, and a second one beside it.
class Attack : public ::testing::Test {
 protected:
  Attack() {
    MadeHost::Script script;
    script.input = true;
    script.chunks = 1;
    name_ = host_.record(script);
    script.chunks = 3;
    other_ = host_.record(script);
    host_.checkpoint();
    ledger_ = host_.ledger();
  }
  SessionVerdict verdict(const Files& files) const { return MadeHost::verdict(name_, files, &ledger_); }
  Files files() const { return host_.recordings.at(name_); }
  const std::string& time() const { return *host_.recordings.at(name_)[1]; }

  // Of all that is said of the host.
  SessionVerdict verdict_named(const std::string& name) const {
    for (const SessionVerdict& v : host_.all()) {
      if (v.recording == name) return v;
    }
    return {};
  }

  // Damaged, and by one of these words.
  void expect_named(const Files& damaged, const std::vector<std::string>& allowed,
                    const std::string& what) const {
    const SessionVerdict v = verdict(damaged);
    EXPECT_EQ(v.integrity(), Integrity::kAltered) << what << ": " << joined(words(v.findings));
    EXPECT_TRUE(
        std::any_of(allowed.begin(), allowed.end(), [&](const auto& word) { return has(v.findings, word); }))
        << what << ": " << joined(words(v.findings));
  }

  MadeHost host_;
  std::string name_, other_;
  LedgerVerdict ledger_;
};

TEST_F(Attack, WhatNobodyTouchedPasses) {
  for (const std::string& name : {name_, other_}) {
    const SessionVerdict v = host_.verdict(name);
    EXPECT_EQ(joined(words(v.findings)), "") << name;
    EXPECT_EQ(v.integrity(), Integrity::kIntact);
    EXPECT_EQ(v.completeness(), Completeness::kComplete);
    const Files& f = host_.recordings.at(name);
    EXPECT_EQ(v.sealed + lines_of(*f[1]).back().size(), f[0]->size() + f[1]->size() + f[2]->size());
  }
  EXPECT_EQ(joined(words(ledger_.findings)), "");
  EXPECT_EQ(ledger_.integrity(), Integrity::kIntact);
}

// All bits; under the sanitizers a sample.
class FlippedBit : public Attack, public ::testing::WithParamInterface<int> {};
TEST_P(FlippedBit, IsNamedWhereItIs) {
  for (std::size_t file = 0; file < 3; ++file) {
    const std::string whole = *files()[file];
    for (std::size_t at = 0; at < whole.size(); ++at) {
      if (kSlow && static_cast<int>(at % 32) != 4 * GetParam()) continue;
      Files damaged = files();
      (*damaged[file])[at] = static_cast<char>((*damaged[file])[at] ^ (1 << GetParam()));
      const SessionVerdict v = verdict(damaged);
      ASSERT_EQ(v.integrity(), Integrity::kAltered) << "file " << file << " byte " << at;
      ASSERT_TRUE(std::any_of(v.findings.begin(), v.findings.end(),
                              [&](const Finding& f) {
                                return f.file == file && f.from <= at && at < f.to && f.what == "altered";
                              }))
          << "file " << file << " byte " << at << ": " << joined(words(v.findings));
    }
  }
}
INSTANTIATE_TEST_SUITE_P(Bits, FlippedBit, ::testing::Range(0, 8));

TEST_F(Attack, EveryTruncationIsACut) {
  for (std::size_t file = 0; file < 3; ++file) {
    const std::string whole = *files()[file];
    for (std::size_t size = 0; size < whole.size(); size += kSlow ? 7 : 1) {
      Files damaged = files();
      damaged[file]->resize(size);
      const SessionVerdict v = verdict(damaged);
      ASSERT_EQ(v.integrity(), Integrity::kAltered) << file << " " << size;
      ASSERT_EQ(v.completeness(), Completeness::kCut)
          << file << " " << size << ": " << joined(words(v.findings));
      ASSERT_TRUE(has(v.findings, "cut-tail")) << file << " " << size << ": " << joined(words(v.findings));
    }
    Files damaged = files();
    damaged[file].reset();
    expect_named(damaged, {"file-missing"}, "a removed file");
  }
}

TEST_F(Attack, EveryCutHeadIsOne) {
  for (std::size_t file = 0; file < 3; ++file) {
    const std::string whole = *files()[file];
    for (const std::size_t size : {std::size_t{1}, std::size_t{5}, whole.size() / 3}) {
      Files damaged = files();
      damaged[file]->erase(0, size);
      const SessionVerdict v = verdict(damaged);
      EXPECT_TRUE(has(v.findings, "cut-head")) << file << " " << size << ": " << joined(words(v.findings));
      EXPECT_EQ(v.completeness(), Completeness::kCut);
    }
  }
}

TEST_F(Attack, LinesRemovedRepeatedAndSwapped) {
  const std::vector<std::string> lines = lines_of(time());
  for (std::size_t i = 0; i < lines.size(); ++i) {
    auto removed = lines, repeated = lines, swapped = lines;
    removed.erase(removed.begin() + static_cast<std::ptrdiff_t>(i));
    repeated.insert(repeated.begin() + static_cast<std::ptrdiff_t>(i), lines[i]);
    Files damaged = files();
    damaged[1] = together(removed);
    const bool last = i + 1 == lines.size();
    expect_named(damaged,
                 last                ? std::vector<std::string>{"cut-tail"}
                 : i == 0            ? std::vector<std::string>{"cut-head"}
                 : is_seal(lines[i]) ? std::vector<std::string>{"seals-missing"}
                                     : std::vector<std::string>{"missing-bytes"},
                 "removed: " + lines[i]);
    damaged[1] = together(repeated);
    expect_named(damaged,
                 is_seal(lines[i]) && !last ? std::vector<std::string>{"repeated"}
                                            : std::vector<std::string>{"inserted-bytes"},
                 "repeated: " + lines[i]);
    if (last || lines[i] == lines[i + 1]) continue;
    std::swap(swapped[i], swapped[i + 1]);
    damaged[1] = together(swapped);
    EXPECT_EQ(verdict(damaged).integrity(), Integrity::kAltered) << lines[i];
  }
}

TEST_F(Attack, BytesPutInAreToldFromBytesTakenOut) {
  Files damaged = files();
  damaged[0]->insert(damaged[0]->size() - 3, "never shown");
  expect_named(damaged, {"inserted-bytes"}, "into .log");
  damaged = files();
  *damaged[0] += "never shown";
  expect_named(damaged, {"inserted-bytes"}, "behind .log");
  damaged = files();
  damaged[0]->erase(damaged[0]->size() - 9, 2);
  expect_named(damaged, {"missing-bytes"}, "out of .log");
  damaged = files();
  *damaged[1] += "H 0.000000 OPELOG_NOTE never\n";
  expect_named(damaged, {"inserted-bytes"}, "behind .time");
}

// Of what the seal before it covers: what ran later cannot say when it was.
TEST_F(Attack, AnAlterationIsAfterTheCommandBeforeIt) {
  MadeHost host;
  const std::string name = host.record({.commands = true});
  host.checkpoint();
  const LedgerVerdict ledger = host.ledger();
  const std::vector<std::pair<std::string, std::string>> wanted = {
      {"aaa0", ""}, {"bbb1", "command-0"}, {"ccc2", "command-1"}};
  for (const auto& [text, command] : wanted) {
    Files damaged = host.recordings.at(name);
    (*damaged[0])[damaged[0]->find(text)] = 'X';
    const SessionVerdict v = MadeHost::verdict(name, damaged, &ledger);
    ASSERT_TRUE(has(v.findings, "altered")) << text << ": " << joined(words(v.findings));
    EXPECT_EQ(v.findings.front().command, command) << text;
  }
}

TEST_F(Attack, RecordingsSwapped) {
  const Files mine = files(), others = host_.recordings.at(other_);
  expect_named(others, {"renamed"}, "all files of another");
  for (std::size_t file = 0; file < 3; ++file) {
    Files damaged = mine;
    damaged[file] = others[file];
    expect_named(damaged,
                 file == 1 ? std::vector<std::string>{"renamed"}
                           : std::vector<std::string>{"altered", "inserted-bytes"},
                 "one file of another");
  }
  // A seal of another session put in.
  Files damaged = mine;
  auto lines = lines_of(*mine[1]);
  const auto foreign = lines_of(*others[1]);
  lines.insert(lines.end() - 1, *std::find_if(foreign.begin(), foreign.end(), is_seal));
  damaged[1] = together(lines);
  expect_named(damaged, {"spliced"}, "a seal of another session");
}

TEST_F(Attack, ASessionDeletedIsMissing) {
  host_.recordings.erase(name_);
  const auto all = host_.all();
  const auto gone = std::find_if(all.begin(), all.end(), [&](const auto& v) { return v.recording == name_; });
  ASSERT_NE(gone, all.end());
  EXPECT_EQ(joined(words(gone->findings)), "missing-session ");
  EXPECT_EQ(gone->completeness(), Completeness::kGone);
  EXPECT_EQ(gone->integrity(), Integrity::kAltered);

  host_.add(PrunedEntry{name_, "age", {}});
  host_.checkpoint();
  const auto pruned = host_.all();
  const auto now =
      std::find_if(pruned.begin(), pruned.end(), [&](const auto& v) { return v.recording == name_; });
  ASSERT_NE(now, pruned.end());
  EXPECT_EQ(joined(words(now->findings)), "pruned ");
  EXPECT_EQ(now->integrity(), Integrity::kIntact);
}

TEST_F(Attack, AnUnsealedFileNeverPasses) {
  Files plain = files();
  std::vector<std::string> kept;
  for (const std::string& line : lines_of(*plain[1])) {
    if (!is_seal(line) && line.find(" OPELOG_OPENED") == std::string::npos) kept.push_back(line);
  }
  plain[1] = together(kept);
  expect_named(plain, {"cut-tail"}, "under the name of a sealed one");
  const SessionVerdict v = MadeHost::verdict("another_name", plain, &ledger_);
  EXPECT_EQ(joined(words(v.findings)), "unsealed ");
  EXPECT_EQ(v.integrity(), Integrity::kUnproven);
}

TEST_F(Attack, WithoutLedgerOrPinNothingPasses) {
  const SessionVerdict alone = MadeHost::verdict(name_, files(), nullptr);
  EXPECT_EQ(joined(words(alone.findings)), "no-ledger ");
  EXPECT_EQ(alone.integrity(), Integrity::kUnproven);
  host_.pins.clear();
  EXPECT_EQ(joined(words(host_.ledger().findings)), "unpinned ");
  EXPECT_EQ(host_.verdict(name_).integrity(), Integrity::kUnproven);
  host_.pins = MadeHost().pins;  // another host's key under the same name
  EXPECT_EQ(host_.verdict(name_).integrity(), Integrity::kUnproven);
}

// ---- the end, cut back

TEST_F(Attack, SealsOfNothingCutAway) {
  MadeHost::Script script;
  script.end = End::kCrash;
  script.chunks = 4;
  const std::string name = host_.record(script);
  Files files = host_.recordings.at(name);
  // What the ledger heard of while it lived, of the last seal but one.
  SealedTiming timing;
  timing.feed(*files[1]);
  timing.finish();
  ASSERT_GE(timing.seals.size(), 4U);
  EXPECT_EQ(joined(words(host_.verdict(name).findings)), "unsigned tail-unsealed crash ");
  host_.checkpoint();
  EXPECT_EQ(joined(words(host_.verdict(name).findings)), "tail-unsealed crash ");

  // Back to the first seal, and then ended as by a crash: the crashed entry knows the sizes.
  files[1]->resize(timing.seals[1].begin);
  const LedgerVerdict ledger = host_.ledger();
  const SessionVerdict v = MadeHost::verdict(name, files, &ledger);
  EXPECT_TRUE(has(v.findings, "cut-tail")) << joined(words(v.findings));
  // Its bytes changed, behind the last seal.
  files = host_.recordings.at(name);
  files[1]->back() = ' ';
  EXPECT_TRUE(has(MadeHost::verdict(name, files, &ledger).findings, "altered"));
}

TEST_F(Attack, ALiveOneCutBackToAnEarlierSeal) {
  MadeHost::Script script;
  script.end = End::kLive;
  script.chunks = 4;
  const std::string name = host_.record(script);
  Files files = host_.recordings.at(name);
  SealedTiming timing;
  timing.feed(*files[1]);
  timing.finish();
  const SealLine& third = timing.seals.at(2);
  host_.add(SealedEntry{3, third.seal.n, {}, third.seal.sizes});
  host_.checkpoint();
  // The entry's hash is not the seal's: the ledger knows another seal of that number.
  EXPECT_TRUE(has(host_.verdict(name).findings, "altered"));
  files[1]->resize(timing.seals[0].end);
  const LedgerVerdict ledger = host_.ledger();
  EXPECT_TRUE(has(MadeHost::verdict(name, files, &ledger).findings, "cut-tail"));
}

// ---- what is no tampering, though it looks like it at first

TEST_F(Attack, KilledBeforeTheHeaderItIsACrash) {
  MadeHost::Script script;
  script.end = End::kLive;
  script.chunks = 0;
  const std::string name = host_.record(script);
  // What repairing an empty .time makes of it.
  Files& files = host_.recordings.at(name);
  files[0] = "Script started on 2026-11-22 14:05:09+00:00 [<not executed on terminal>]\n";
  files[1] = "H 0.000000 OPELOG_REPAIR {}\nH 0.000000 OPELOG_END {\"reason\":\"crash\"}\n";
  CrashedEntry crashed;
  crashed.no = 3;
  crashed.sizes = {files[0]->size(), files[1]->size(), 0};
  Sha256 log(kFileDomains[0]), time(kFileDomains[1]);
  log.update(*files[0]);
  time.update(*files[1]);
  crashed.log = log.digest();
  crashed.time = time.digest();
  crashed.in = empty_digest(2);
  host_.add(crashed);
  host_.checkpoint();
  EXPECT_EQ(joined(words(host_.verdict(name).findings)), "tail-unsealed crash ");
  // But what the daemon found then must still be there.
  files[1]->back() = ' ';
  EXPECT_EQ(host_.verdict(name).integrity(), Integrity::kAltered);
}

TEST_F(Attack, RemovedInPartByPolicyItIsPruned) {
  host_.add(PrunedEntry{name_, "age", {}});
  host_.checkpoint();
  EXPECT_EQ(joined(words(host_.verdict(name_).findings)), "") << "the entry comes before the removal";
  host_.recordings.at(name_)[0].reset();
  EXPECT_EQ(joined(words(host_.verdict(name_).findings)), "pruned ");
  host_.recordings.at(other_)[0].reset();
  EXPECT_TRUE(has(host_.verdict(other_).findings, "file-missing"));
}

TEST_F(Attack, ASessionThatAPowerCutTookWithAllFilesIsLost) {
  MadeHost::Script script;
  script.end = End::kLive;
  const std::string name = host_.record(script);
  host_.recordings.erase(name);
  host_.add(BootEntry{"another boot", "test", false});
  CrashedEntry crashed;
  crashed.no = 3;
  crashed.missing = true;
  host_.add(crashed);
  host_.checkpoint();
  const auto all = host_.all();
  const auto gone = std::find_if(all.begin(), all.end(), [&](const auto& v) { return v.recording == name; });
  ASSERT_NE(gone, all.end());
  EXPECT_EQ(joined(words(gone->findings)), has(gone->findings, "lost") ? "lost " : "missing-session ");
  // The ledger heard of its first seal, so it was on the disk for a while.
  EXPECT_EQ(has(gone->findings, "lost"), !host_.ledger().sessions.at(3).sealed.has_value());
}

// Between the start after a power cut and its entry of what it found: neither passed nor called a cut.
TEST_F(Attack, WhatAPowerCutMayHaveTakenIsUnsettledUntilItIsEntered) {
  MadeHost::Script script;
  script.end = End::kLive;
  const std::string name = host_.record(script);
  Files& found = host_.recordings.at(name);
  const Files whole = found;
  const auto words_of = [&](const std::string& of) { return joined(words(host_.verdict(of).findings)); };
  found[0]->resize(found[0]->size() - 50);
  host_.checkpoint();
  EXPECT_EQ(words_of(name), "cut-tail tail-unsealed no-end ") << "no start yet";
  host_.add(BootEntry{"boot", "test", false});
  host_.checkpoint();
  EXPECT_EQ(words_of(name), "cut-tail tail-unsealed no-end ") << "the same boot loses nothing";
  host_.add(BootEntry{"another boot", "test", false});
  host_.checkpoint();
  EXPECT_EQ(words_of(name), "unsettled tail-unsealed no-end ");
  EXPECT_EQ(host_.verdict(name).integrity(), Integrity::kUnproven);
  EXPECT_EQ(host_.verdict(name).completeness(), Completeness::kIncomplete);
  const std::size_t second_seal = lines_of(*whole[1]).size();
  ASSERT_GT(second_seal, 3U);

  // The seals that the ledger knows of.
  found = whole;
  found[1]->resize(whole[1]->find(" OPELOG_SEAL ") - 10);
  EXPECT_EQ(words_of(name), host_.ledger().sessions.at(3).sealed ? "tail-unsealed unsettled no-end " : "");
  // Nothing else is explained so.
  found = whole;
  (*found[0])[found[0]->size() / 2] ^= 1;
  EXPECT_EQ(host_.verdict(name).integrity(), Integrity::kAltered);
  found = whole;
  found[0].reset();
  EXPECT_TRUE(has(host_.verdict(name).findings, "file-missing"));
  Files& ended = host_.recordings.at(name_);
  ended[0]->resize(ended[0]->size() - 5);
  EXPECT_TRUE(has(host_.verdict(name_).findings, "cut-tail")) << "the ledger says how it ended";

  // What is entered then counts.
  found = whole;
  CrashedEntry crashed;
  crashed.no = 3;
  crashed.sizes = {whole[0]->size(), whole[1]->size(), 0};
  host_.add(crashed);
  host_.checkpoint();
  found[0]->resize(found[0]->size() - 50);
  EXPECT_TRUE(has(host_.verdict(name).findings, "cut-tail"));
  EXPECT_FALSE(has(host_.verdict(name).findings, "unsettled"));
}

TEST_F(Attack, WhatWasSealedLongAgoIsNeverUnsettled) {
  MadeHost::Script script;
  script.end = End::kLive;
  script.chunks = 90;
  const std::string name = host_.record(script);
  host_.add(BootEntry{"another boot", "test", false});
  host_.checkpoint();
  Files& found = host_.recordings.at(name);
  const std::size_t size = found[0]->size();
  found[0]->resize(size - 60);
  EXPECT_TRUE(has(host_.verdict(name).findings, "unsettled"));
  found[0]->resize(size / 4);
  EXPECT_TRUE(has(host_.verdict(name).findings, "cut-tail"));
}

TEST_F(Attack, ASessionWithoutFilesIsUnsettledIfItHadJustBegun) {
  MadeHost::Script script;
  script.end = End::kLive;
  script.chunks = 0;
  const std::string name = host_.record(script);
  host_.recordings.erase(name);
  host_.checkpoint();
  EXPECT_EQ(joined(words(verdict_named(name).findings)), "missing-session ");
  host_.add(BootEntry{"another boot", "test", false});
  host_.checkpoint();
  EXPECT_EQ(joined(words(verdict_named(name).findings)), "unsettled ");
  host_.add(SealedEntry{3, 1, {}, {}});
  host_.checkpoint();
  EXPECT_EQ(joined(words(verdict_named(name).findings)), "missing-session ")
      << "it was on the disk for a while";
}

TEST_F(Attack, TheNameOfAnAbandonedSessionIsNoRecordingsOfTheLedger) {
  OpenedEntry opened;
  opened.no = 3;
  opened.recording = "given_up";
  host_.add(opened);
  host_.add(ClosedEntry{3, 0, {}, {}, kAbandoned, {}, {}});
  host_.checkpoint();
  Files plain = files();
  plain[1] = "H 0.000000 OPELOG_SESSION {}\n";
  const LedgerVerdict ledger = host_.ledger();
  EXPECT_EQ(joined(words(MadeHost::verdict("given_up", plain, &ledger).findings)), "unsealed ");
  EXPECT_EQ(joined(words(verdict_named("given_up").findings)), "abandoned ");
}

TEST_F(Attack, NobodyIsAbandonedAfterwardsOrWithoutASignature) {
  MadeHost::Script script;
  script.end = End::kLive;
  script.chunks = 0;
  const std::string name = host_.record(script);
  host_.checkpoint();
  host_.recordings.erase(name);
  host_.add(ClosedEntry{3, 0, {}, {}, kAbandoned, {}, {}});
  EXPECT_EQ(joined(words(verdict_named(name).findings)), "missing-session ") << "not signed";
  host_.checkpoint();
  EXPECT_EQ(joined(words(verdict_named(name).findings)), "abandoned ");

  const std::string later = host_.record(script);
  host_.recordings.erase(later);
  for (int i = 0; i < 40; ++i) host_.add(HeartbeatEntry{});
  host_.add(ClosedEntry{4, 0, {}, {}, kAbandoned, {}, {}});
  host_.checkpoint();
  EXPECT_EQ(joined(words(verdict_named(later).findings)), "missing-session ") << "too late for that";
}

TEST_F(Attack, FilesThatWereGoneAfterACrashDoNotComeBack) {
  MadeHost::Script script;
  script.end = End::kLive;
  const std::string name = host_.record(script);
  host_.add(BootEntry{"boot", "test", false});
  CrashedEntry crashed;
  crashed.no = 3;
  crashed.missing = true;
  host_.add(crashed);
  host_.checkpoint();
  EXPECT_TRUE(has(host_.verdict(name).findings, "inserted-bytes"));
}

// Rotated within a second of its end, and the daemon was killed before it had entered that.
TEST_F(Attack, AWholeRecordingMayHaveLainElsewhereAfterACrash) {
  MadeHost::Script script;
  script.end = End::kElsewhere;
  const std::string name = host_.record(script);
  host_.checkpoint();
  EXPECT_EQ(joined(words(host_.verdict(name).findings)), "");
  *host_.recordings.at(name)[0] += "x";
  EXPECT_EQ(joined(words(host_.verdict(name).findings)), "inserted-bytes ");
  host_.recordings.at(name)[0]->resize(40);
  EXPECT_TRUE(has(host_.verdict(name).findings, "cut-tail"));
}

TEST_F(Attack, ManyForeignSealsCostNoManyVerifications) {
  // Of each the signature would be looked at, and each be named.
  Files damaged = files();
  const auto lines = lines_of(*damaged[1]);
  std::string foreign = *std::find_if(lines.begin(), lines.end(), is_seal);
  foreign.replace(foreign.find("\"s\":1"), 5, "\"s\":9");
  std::string many;
  for (int i = 0; i < 1500; ++i) many += foreign;
  damaged[1]->insert(0, many);
  const SessionVerdict v = verdict(damaged);
  EXPECT_EQ(v.integrity(), Integrity::kAltered);
  EXPECT_EQ(std::count_if(v.findings.begin(), v.findings.end(),
                          [](const Finding& f) { return f.what == "spliced"; }),
            1000);
}

// ---- the chain, signed anew

TEST(Resigned, ByALaterKeyIsNamed) {
  std::vector<SigningKey> keys;
  for (int i = 0; i < 4; ++i) keys.push_back(std::move(*SigningKey::generate()));
  const auto make = [&](std::size_t signer_of_second) {
    OpenedEntry opened;
    opened.no = 1;
    opened.recording = "r";
    opened.key = keys[0].public_key();
    const std::string entry = encode_entry({0, 1, opened});
    std::string time = "H 0.000000 OPELOG_SESSION {}\nH 0.000000 OPELOG_OPENED " + entry + "\n";
    Digest prev = leaf_hash(entry);
    std::size_t from = 0;
    for (std::size_t n = 1; n <= 3; ++n) {
      time += "H 0.000000 OPELOG_NOTE n" + std::to_string(n) + "\n";
      Seal seal;
      seal.no = 1;
      seal.n = n;
      seal.sizes.time = time.size();
      for (std::size_t i = 0; i < 3; ++i) seal.digests[i] = empty_digest(i);
      Sha256 hash(kFileDomains[1]);
      hash.update(std::string_view(time).substr(from));
      seal.digests[1] = hash.digest();
      seal.next = keys[n].public_key();
      const std::string message = seal_message(seal, leaf_hash(entry), prev);
      seal.signature = *keys[n == 2 ? signer_of_second : n - 1].sign(message);
      from = time.size();
      time += "H 0.000000 OPELOG_SEAL " + encode_seal(seal) + "\n";
      prev = sha256(message);
    }
    return Files{std::nullopt, time, std::nullopt};
  };
  EXPECT_EQ(joined(words(MadeHost::verdict("r", make(1), nullptr).findings)), "no-ledger no-end ");
  EXPECT_EQ(joined(words(MadeHost::verdict("r", make(2), nullptr).findings)), "no-ledger resigned no-end ");
  EXPECT_EQ(joined(words(MadeHost::verdict("r", make(3), nullptr).findings)), "no-ledger resigned no-end ");
}

}  // namespace
}  // namespace opelog::seal
