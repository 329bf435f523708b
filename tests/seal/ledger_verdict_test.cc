// The ledger damaged in every way of threat rows 12 and 13.
#include "seal/ledger_verdict.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "made_host_io.h"

namespace opelog::seal {
namespace {

using testing::has;
using testing::MadeHost;
using testing::words;

class LedgerAttack : public ::testing::Test {
 protected:
  LedgerAttack() {
    for (int i = 0; i < 3; ++i) {
      MadeHost::Script script;
      script.chunks = 1;
      names_.push_back(host_.record(script));
      host_.checkpoint();
    }
  }
  void expect(const char* what, Integrity integrity = Integrity::kAltered) const {
    const LedgerVerdict l = host_.ledger();
    EXPECT_TRUE(has(l.findings, what))
        << what << " not among " << ::testing::PrintToString(words(l.findings));
    EXPECT_EQ(l.integrity(), integrity) << what;
    // Nothing passes by a ledger that is not whole.
    if (integrity == Integrity::kAltered) {
      EXPECT_NE(host_.verdict(names_[0]).integrity(), Integrity::kIntact) << what;
    }
  }
  MadeHost host_;
  std::vector<std::string> names_;
};

TEST_F(LedgerAttack, AWholeOneHasNoFindings) {
  const LedgerVerdict l = host_.ledger();
  EXPECT_EQ(words(l.findings), std::vector<std::string>{});
  EXPECT_EQ(l.integrity(), Integrity::kIntact);
  EXPECT_EQ(l.entries, host_.entries.size());
  EXPECT_EQ(l.signed_entries, l.entries);
  EXPECT_EQ(l.sessions.size(), 3U);
}

TEST_F(LedgerAttack, EveryEntryRemovedRepeatedSwappedOrChanged) {
  const std::vector<std::string> whole = host_.entries;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    host_.entries = whole;
    host_.entries.erase(host_.entries.begin() + static_cast<std::ptrdiff_t>(i));
    expect(i + 1 == whole.size() ? "ledger-cut" : "ledger-altered");
    host_.entries = whole;
    host_.entries.insert(host_.entries.begin() + static_cast<std::ptrdiff_t>(i), whole[i]);
    if (i + 1 < whole.size()) expect("ledger-altered");
    host_.entries = whole;
    if (i + 1 < whole.size()) {
      std::swap(host_.entries[i], host_.entries[i + 1]);
      expect("ledger-altered");
    }
    for (std::size_t at = 0; at < whole[i].size(); at += 3 * OPELOG_SAMPLE) {
      host_.entries = whole;
      host_.entries[i][at] = static_cast<char>(host_.entries[i][at] ^ 1);
      const LedgerVerdict l = host_.ledger();
      ASSERT_EQ(l.integrity(), Integrity::kAltered) << i << " " << at;
      ASSERT_TRUE(has(l.findings, "ledger-altered")) << i << " " << at;
    }
  }
}

TEST_F(LedgerAttack, CheckpointsRemovedSwappedOrChanged) {
  const std::vector<std::string> whole = host_.checkpoints;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    host_.checkpoints = whole;
    host_.checkpoints.erase(host_.checkpoints.begin() + static_cast<std::ptrdiff_t>(i));
    if (i + 1 < whole.size())
      expect("key-chain-broken");
    else
      expect("unsigned-tail", Integrity::kIntact);  // what it signed is unproven; see below
    for (std::size_t at = 0; at < whole[i].size(); at += 5) {
      host_.checkpoints = whole;
      host_.checkpoints[i][at] = static_cast<char>(host_.checkpoints[i][at] ^ 1);
      const LedgerVerdict l = host_.ledger();
      // The second signature, of the log key, proves nothing to us.
      const std::size_t second = whole[i].find("\xe2\x80\x94 opelog/0123456789abcdef0123456789abcdef ");
      if (at < second) {
        ASSERT_EQ(l.integrity(), Integrity::kAltered) << i << " " << at;
      }
    }
  }
  host_.checkpoints = whole;
  std::swap(host_.checkpoints[0], host_.checkpoints[1]);
  expect("key-chain-broken");
  host_.checkpoints = whole;
  host_.checkpoints.pop_back();
  EXPECT_TRUE(has(host_.verdict(names_[2]).findings, "unsigned"));
  EXPECT_EQ(host_.verdict(names_[2]).integrity(), Integrity::kUnproven);
  EXPECT_EQ(host_.verdict(names_[0]).integrity(), Integrity::kIntact);
}

TEST_F(LedgerAttack, CutAndRolledBack) {
  const auto seen = host_.ledger().last;
  const std::vector<std::string> whole = host_.entries;
  host_.entries.resize(whole.size() - 3);
  expect("ledger-cut");
  host_.entries = whole;
  // Entries and checkpoints together, to an earlier state: only what lies elsewhere shows it.
  host_.checkpoints.resize(2);
  host_.entries.resize(8);
  LedgerVerdict l = host_.ledger();
  EXPECT_EQ(l.integrity(), Integrity::kIntact);
  std::vector<SessionVerdict> sessions = {MadeHost::verdict(names_[2], host_.recordings.at(names_[2]), &l)};
  EXPECT_TRUE(has(sessions[0].findings, "not-in-ledger"));
  compare_with_recordings(l, sessions);
  EXPECT_TRUE(has(l.findings, "ledger-rolled-back"));
  EXPECT_TRUE(has(sessions[0].findings, "ledger-damaged"));
  EXPECT_EQ(l.integrity(), Integrity::kAltered);
  host_.pins[0].seen = Pin::Seen{seen->size, seen->root};
  expect("ledger-rolled-back");
}

TEST_F(LedgerAttack, Forked) {
  // The key of the last epoch, stolen before it was erased, signs another story.
  host_.entries.back().replace(host_.entries.back().find("\"t\":"), 5, "\"t\":9");
  host_.checkpoint_again();
  expect("ledger-forked");
}

TEST_F(LedgerAttack, ForkedSinceThePin) {
  const auto seen = host_.ledger().last;
  host_.pins[0].seen = Pin::Seen{seen->size, sha256("another tree")};
  expect("ledger-forked");
}

TEST_F(LedgerAttack, OldDataSignedAnewWithTodaysKey) {
  // An early entry is changed, and one new checkpoint signed over all of it; the old ones are cut away.
  host_.entries[2].replace(host_.entries[2].find("alice"), 5, "mallo");
  host_.checkpoint();
  expect("ledger-altered");
  host_.checkpoints.erase(host_.checkpoints.begin(), host_.checkpoints.end() - 1);
  expect("key-chain-broken");
}

TEST_F(LedgerAttack, NumbersLeftOut) {
  host_.add(OpenedEntry{7, "id", "name", "", "", "", "", "", 0, "", "", "", "", {}});
  host_.checkpoint();
  expect("numbers-not-dense");
}

TEST_F(LedgerAttack, KeysLostAreStatedAndBelievedOnlyWithAPinOfTheirOwn) {
  auto fresh = MadeHost();  // keys that nothing links to these
  const std::uint64_t epoch = host_.checkpoints.size() + 1;
  const VerifierKey key = fresh.pins[0].key;
  host_.add(KeyEntry{"", epoch, key.key, "lost"});
  host_.checkpoint();  // signed by the old chain all the same: links
  LedgerVerdict l = host_.ledger();
  EXPECT_TRUE(has(l.findings, "keys-lost"));
  EXPECT_FALSE(has(l.findings, "key-chain-broken"));
}

TEST_F(LedgerAttack, StopsAndStartsAreTold) {
  host_.add(ShutdownEntry{});
  host_.add(BootEntry{"boot", "test", true});
  host_.add(BootEntry{"boot", "test", false});
  host_.add(ClockEntry{-3600 * kUsPerS});
  host_.checkpoint();
  const LedgerVerdict l = host_.ledger();
  EXPECT_EQ(words(l.findings), (std::vector<std::string>{"off", "unclean-boot", "clock-set"}));
  EXPECT_EQ(l.integrity(), Integrity::kIntact);
}

TEST_F(LedgerAttack, AThousandStopsHideNothing) {
  for (int i = 0; i < 1500; ++i) {
    host_.add(ShutdownEntry{});
    host_.add(BootEntry{"boot", "test", true});
  }
  host_.checkpoint();
  EXPECT_EQ(host_.ledger().integrity(), Integrity::kIntact);
  EXPECT_EQ(host_.ledger().findings.size(), 1000U);
  host_.entries.erase(host_.entries.begin() + 4);
  EXPECT_EQ(host_.ledger().integrity(), Integrity::kAltered);
  expect("ledger-altered");
}

TEST_F(LedgerAttack, GarbageBehindTheCheckpointsIsDamageAndNotKept) {
  host_.checkpoints.push_back(std::string(1 << 20, '\0'));
  expect("ledger-altered");
}

TEST(LedgerVerdict, NothingIsAltogetherUnproven) {
  LedgerVerifier verifier({});
  verifier.end_checkpoints();
  const LedgerVerdict l = verifier.finish();
  EXPECT_TRUE(has(l.findings, "ledger-cut"));
  EXPECT_NE(l.integrity(), Integrity::kIntact);
}

// A `rotated` entry is of the log key: an epoch's key that it names begins no chain, pinned or not.
TEST_F(LedgerAttack, ARotationLinksNoOtherChain) {
  const auto stolen = SigningKey::generate();
  ASSERT_TRUE(stolen.ok());
  host_.add(KeyEntry{encode_verifier_key(log_key(host_.origin, stolen->public_key())), 4,
                     stolen->public_key(), "rotated"});
  host_.pins.push_back({epoch_key(host_.origin, stolen->public_key()), std::nullopt});
  MerkleTree tree;
  for (const std::string& line : host_.entries) tree.append(leaf_hash(line));
  const Checkpoint forged{host_.origin, tree.size(), tree.root(), 4, stolen->public_key(), 1};
  SignedNote note{encode_checkpoint(forged), {}};
  const auto signature = stolen->sign(note.text);
  ASSERT_TRUE(signature.ok());
  add_signature(note, epoch_key(host_.origin, stolen->public_key()), *signature);
  host_.checkpoints.push_back(encode_signed_note(note));
  expect("key-chain-broken");
}

}  // namespace
}  // namespace opelog::seal
