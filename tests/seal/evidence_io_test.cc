#include "seal/evidence_io.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <set>

#include "../format/support_io.h"
#include "core/clock_io.h"
#include "core/loop_io.h"
#include "format/recording_writer_io.h"
#include "seal/evidence_proof.h"
#include "seal/host_verdict_io.h"
#include "seal/ledger_files_io.h"
#include "seal/ledger_init_io.h"
#include "seal/ledger_io.h"

namespace opelog::seal {
namespace {

using format::testing::run;
using format::testing::slurp;
using format::testing::spill;
using format::testing::TempDir;

constexpr const char* kAlice = "alice_20261122140509_192.0.2.7";
constexpr const char* kBob = "bob_20261122140510_192.0.2.8";
constexpr const char* kHostId = "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f";

// A host of this test: its ledger grows by one checkpoint for each run of its daemon.
class EvidenceHost {
 public:
  // A run that records a session of `name` ("": none), with its end or without.
  void run_daemon(const std::string& name, bool ended = true, bool rotate = false) {
    Loop loop;
    LedgerStart start;
    start.place.directory = ledger();
    start.place.key_file = dir_.file("ledger.key");
    start.place.append_only = AppendOnly::kOff;
    start.place.host_id = kHostId;
    start.boot_id = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";
    start.version = "1";
    auto opened = Ledger::open(
        loop, [](const Fact&) {}, start);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    bool rotated = !rotate;
    if (rotate) (*opened)->rotate_log([&](const Result<RotatedLog>& result) { rotated = result.ok(); });
    for (int turns = 0; turns < 1000 && !rotated; ++turns) loop.run_once(true);
    EXPECT_TRUE(rotated);
    if (!name.empty()) record(**opened, name, ended);
    (*opened)->quiesce();
    loop.run();
    (*opened)->finish(true);
  }

  [[nodiscard]] std::string ledger() const { return dir_.file("ledger"); }
  [[nodiscard]] std::string file(const std::string& name) const { return dir_.file(name); }
  [[nodiscard]] const std::string& recordings() const { return dir_.path(); }

  [[nodiscard]] std::vector<Pin> pins() const {
    const auto keys = show_keys(ledger());
    EXPECT_TRUE(keys.ok());
    return {{*parse_verifier_key(keys->first), std::nullopt}};
  }

  [[nodiscard]] LedgerVerdict verdict() const {
    auto found = verify_ledger(ledger(), pins());
    EXPECT_TRUE(found.ok());
    return *found;
  }

  [[nodiscard]] LedgerProof prove(const std::string& name) const {
    const LedgerVerdict of_ledger = verdict();
    auto proof = prove_by_ledger(ledger(), of_ledger, name, of_ledger.find(name));
    EXPECT_TRUE(proof.ok()) << proof.error().message;
    return *proof;
  }

  [[nodiscard]] std::string evidence(const std::string& name) const { return evidence_of(name, prove(name)); }

  [[nodiscard]] std::string evidence_of(const std::string& name, const LedgerProof& proof) const {
    StoredRecording recording;
    EXPECT_TRUE(recording.open(recordings(), name).ok());
    std::string bytes;
    EXPECT_TRUE(write_evidence(ledger(), proof, recording, [&](std::string_view piece) {
                  bytes += piece;
                  return Status{};
                }).ok());
    return bytes;
  }

  // The verdict on these bytes, as if they had come from elsewhere.
  [[nodiscard]] Result<EvidenceVerdict> check(const std::string& bytes, std::vector<Pin> with) const {
    spill(file("x.evidence"), bytes);
    return verify_evidence(file("x.evidence"), std::move(with));
  }

 private:
  void record(Ledger& ledger, const std::string& name, bool ended) {
    format::WriterOptions options = format::testing::options_for(dir_, name);
    options.input = true;
    format::SessionInfo info = format::testing::sample_info();
    info.ancestry.clear();
    options.opened = [&](const std::string& chosen) {
      return ledger.open_session(info, chosen, dir_.path());
    };
    auto writer = format::RecordingWriter::create(options, info, 1000);
    ASSERT_TRUE(writer.ok()) << writer.error().message;
    ASSERT_TRUE((*writer)->output("hello " + name + "\r\n", 2000).ok());
    ASSERT_TRUE((*writer)->input("ls\r", 3000).ok());
    ASSERT_TRUE((*writer)->flush(2 * kUsPerS).ok());
    ASSERT_TRUE((*writer)->output("more\r\n", 3 * kUsPerS).ok());
    if (!ended) return;
    ASSERT_TRUE((*writer)->end(format::EndInfo(), 4 * kUsPerS).ok());
  }

  TempDir dir_;
};

// Alice between two others' runs: what is before and behind her in the ledger.
const EvidenceHost& evidence_host() {
  static const auto host = [] {
    auto made = std::make_unique<EvidenceHost>();
    made->run_daemon(kBob);
    made->run_daemon(kAlice);
    made->run_daemon("");
    return made;
  }();
  return *host;
}

bool passes(const Result<EvidenceVerdict>& verdict) {
  return verdict.ok() && verdict->ledger.integrity() == Integrity::kIntact &&
         verdict->session.integrity() == Integrity::kIntact &&
         verdict->session.completeness() == Completeness::kComplete;
}

std::set<std::string> finding_words(const std::vector<Finding>& findings) {
  std::set<std::string> found;
  for (const Finding& f : findings) found.insert(f.what);
  return found;
}

std::map<std::string, format::TarMember> members_of(const std::string& bytes) {
  const format::ReadAt read = [&](char* data, std::size_t size, std::uint64_t at) -> Result<std::size_t> {
    const std::size_t got =
        std::min<std::uint64_t>(size, bytes.size() - std::min<std::uint64_t>(at, bytes.size()));
    bytes.copy(data, got, at);
    return got;
  };
  std::map<std::string, format::TarMember> members;
  auto tar = format::TarReader::open(read, bytes.size());
  EXPECT_TRUE(tar.ok());
  for (;;) {
    auto member = tar->next();
    EXPECT_TRUE(member.ok());
    if (!member.ok() || !*member) return members;
    members[(*member)->name] = **member;
  }
}

std::string archive(const std::vector<std::pair<std::string, std::string>>& files) {
  std::string bytes;
  format::TarWriter tar([&](std::string_view piece) {
    bytes += piece;
    return Status{};
  });
  for (const auto& [name, content] : files) {
    EXPECT_TRUE(tar.begin(name, content.size(), 0).ok());
    EXPECT_TRUE(tar.write(content).ok());
  }
  EXPECT_TRUE(tar.finish().ok());
  return bytes;
}

// What archive() takes to make the evidence again.
std::vector<std::pair<std::string, std::string>> parts_of(const std::string& bytes) {
  const auto members = members_of(bytes);
  std::vector<std::pair<std::string, std::string>> parts;
  for (const char* first : {"proof.json", "checkpoints"}) {
    const format::TarMember& m = members.at(first);
    parts.emplace_back(m.name, bytes.substr(m.offset, m.size));
  }
  for (const auto& [name, m] : members) {
    if (name != "proof.json" && name != "checkpoints")
      parts.emplace_back(name, bytes.substr(m.offset, m.size));
  }
  return parts;
}

TEST(Evidence, ProvesASessionByThePinAlone) {
  const EvidenceHost& host = evidence_host();
  const std::string bytes = host.evidence(kAlice);
  const auto verdict = host.check(bytes, host.pins());
  ASSERT_TRUE(verdict.ok()) << verdict.error().message;
  EXPECT_TRUE(passes(verdict)) << ::testing::PrintToString(finding_words(verdict->session.findings))
                               << ::testing::PrintToString(finding_words(verdict->ledger.findings));
  EXPECT_EQ(verdict->session.recording, kAlice);
  EXPECT_EQ(verdict->session.no, 2U);
  EXPECT_EQ(verdict->session.seals, 2U);
  // The key, her boot, opened, first sealed, closed; by the second of three checkpoints.
  EXPECT_EQ(verdict->ledger.proven, 5U);
  EXPECT_EQ(verdict->ledger.checkpoints, 2U);
  EXPECT_EQ(host.verdict().checkpoints, 3U);
  EXPECT_EQ(bytes, host.evidence(kAlice)) << "the same every time";
}

TEST(Evidence, IsATarThatHoldsTheRecordingAsItWasRecorded) {
  const EvidenceHost& host = evidence_host();
  const std::string name = kAlice;
  spill(host.file("plain.tar"), host.evidence(kAlice));
  EXPECT_TRUE(is_evidence(host.file("plain.tar"))) << "also under another name";
  EXPECT_FALSE(is_evidence(host.file(name + ".log")));
  EXPECT_FALSE(is_evidence(host.file("nothing")));
  EXPECT_EQ(run({"tar", "tf", host.file("plain.tar")}).out,
            "proof.json\ncheckpoints\n" + name + ".log\n" + name + ".time\n" + name + ".in\n");
  for (const char* end : {".log", ".time", ".in"})
    EXPECT_EQ(run({"tar", "xOf", host.file("plain.tar"), name + end}).out, slurp(host.file(name + end)));
  const std::string checkpoints = run({"tar", "xOf", host.file("plain.tar"), "checkpoints"}).out;
  EXPECT_EQ(checkpoints, slurp(host.ledger() + "/checkpoints").substr(0, checkpoints.size()));
}

TEST(Evidence, OfACompressedRecordingIsTheSame) {
  EvidenceHost host;
  host.run_daemon(kAlice);
  const std::string plain = host.evidence(kAlice);
  for (const char* end : {".log", ".time", ".in"})
    EXPECT_EQ(run({"zstd", "-q", "--rm", host.file(kAlice + std::string(end))}).status, 0);
  EXPECT_EQ(host.evidence(kAlice), plain);
}

// Bytes of an archive that say nothing: their change changes no evidence.
std::vector<bool> meaningless(const std::string& bytes) {
  std::vector<bool> nothing(bytes.size());
  const auto mark = [&](std::uint64_t from, std::uint64_t to) {
    for (std::uint64_t i = from; i < to; ++i) nothing[i] = true;
  };
  std::uint64_t end = 0;
  for (const auto& [name, m] : members_of(bytes)) {
    const std::uint64_t whole = (m.offset + m.size + 511) / 512 * 512;
    mark(m.offset + m.size, whole);  // padding
    mark(m.offset - 512 + 148,
         m.offset - 512 + 156);  // a header's checksum, where it can be spelled otherwise
    end = std::max(end, whole);
  }
  mark(end, bytes.size());
  // Signatures that verify does not ask for: of the host's log key, for witnesses.
  const std::string log_signature = std::string("\xE2\x80\x94 opelog/") + kHostId + " ";
  const format::TarMember notes = members_of(bytes).at("checkpoints");
  for (std::size_t at = notes.offset; (at = bytes.find(log_signature, at)) < notes.offset + notes.size; ++at)
    mark(at, bytes.find('\n', at));
  return nothing;
}

// A bit of every byte: all bits of a recording are in attack_test.cc. In parts, for a second core.
constexpr std::size_t kFlipParts = 2;
class EvidenceFlips : public ::testing::TestWithParam<std::size_t> {};

TEST_P(EvidenceFlips, NoFlippedByteOfAnyPartPasses) {
  const EvidenceHost& host = evidence_host();
  const std::string bytes = host.evidence(kAlice);
  const std::vector<Pin> pins = host.pins();
  const std::vector<bool> nothing = meaningless(bytes);
  const std::string path = host.file("flipped" + std::to_string(GetParam()) + ".evidence");
  spill(path, bytes);
  const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  for (std::size_t at = GetParam(); at < bytes.size(); at += kFlipParts * (OPELOG_SAMPLE == 1 ? 1 : 29)) {
    const char flipped = static_cast<char>(bytes[at] ^ (1 << (at / kFlipParts % 8)));
    ASSERT_EQ(::pwrite(fd, &flipped, 1, static_cast<off_t>(at)), 1);
    const auto verdict = verify_evidence(path, pins);
    ASSERT_TRUE(nothing[at] || !passes(verdict)) << "byte " << at;
    ASSERT_TRUE(verdict.ok() || verdict.error().code == Code::kInvalid) << verdict.error().message;
    ASSERT_EQ(::pwrite(fd, &bytes[at], 1, static_cast<off_t>(at)), 1);
  }
  ::close(fd);
  EXPECT_TRUE(passes(verify_evidence(path, pins)));
}

INSTANTIATE_TEST_SUITE_P(Parts, EvidenceFlips, ::testing::Range<std::size_t>(0, kFlipParts));

TEST(Evidence, NoTruncationPasses) {
  const EvidenceHost& host = evidence_host();
  const std::string bytes = host.evidence(kAlice);
  const std::string path = host.file("cut.evidence");
  spill(path, bytes);
  for (std::size_t cut = 1; cut <= bytes.size(); cut += OPELOG_SAMPLE) {
    const std::size_t size = bytes.size() - cut;
    ASSERT_EQ(::truncate(path.c_str(), static_cast<off_t>(size)), 0);
    const auto verdict = verify_evidence(path, host.pins());
    ASSERT_FALSE(verdict.ok()) << size;
    ASSERT_EQ(verdict.error().code, Code::kInvalid) << size;
  }
}

TEST(Evidence, IsNothingWithoutTheRightPin) {
  const EvidenceHost& host = evidence_host();
  EvidenceHost other;
  other.run_daemon("");
  for (const auto& pins : {std::vector<Pin>{}, other.pins()}) {
    const auto verdict = host.check(host.evidence(kAlice), pins);
    ASSERT_TRUE(verdict.ok());
    EXPECT_EQ(verdict->session.integrity(), Integrity::kUnproven);
    EXPECT_EQ(finding_words(verdict->session.findings), std::set<std::string>{"unpinned"});
    EXPECT_EQ(finding_words(verdict->ledger.findings), std::set<std::string>{"unpinned"});
  }
}

TEST(Evidence, IsComparedWithWhatAPinHasSeen) {
  const EvidenceHost& host = evidence_host();
  const LedgerProof proof = host.prove(kAlice);
  const std::string bytes = host.evidence(kAlice);
  const auto with = [&](std::uint64_t size, const Digest& root) {
    std::vector<Pin> pins = host.pins();
    pins.front().seen = Pin::Seen{size, root};
    return host.check(bytes, pins);
  };
  const auto good = host.check(bytes, host.pins());
  ASSERT_TRUE(good.ok() && good->ledger.last);
  EXPECT_TRUE(passes(with(proof.size, good->ledger.last->root)));
  EXPECT_EQ(finding_words(with(proof.size, Digest{})->ledger.findings),
            std::set<std::string>{"ledger-forked"});
  EXPECT_EQ(finding_words(with(proof.size, Digest{})->session.findings),
            std::set<std::string>{"ledger-damaged"});
  EXPECT_EQ(finding_words(with(proof.size - 1, Digest{})->ledger.findings),
            std::set<std::string>{"ledger-forked"});
  EXPECT_TRUE(passes(with(proof.size + 1, Digest{}))) << "what is behind the proof it cannot tell";
}

TEST(Evidence, OfAnotherSessionProvesNothing) {
  const EvidenceHost& host = evidence_host();
  auto alice = parts_of(host.evidence(kAlice)), bob = parts_of(host.evidence(kBob));
  auto proof = *parse_proof(bob[0].second);
  proof.recording = kAlice;
  // Bob's entries, by Alice's checkpoints: their paths are of another tree.
  auto swapped = alice;
  swapped[0].second = encode_proof(proof);
  auto verdict = host.check(archive(swapped), host.pins());
  ASSERT_TRUE(verdict.ok()) << verdict.error().message;
  EXPECT_EQ(finding_words(verdict->ledger.findings),
            (std::set<std::string>{"ledger-altered", "unpinned", "key-chain-broken"}));
  EXPECT_EQ(finding_words(verdict->session.findings),
            (std::set<std::string>{"not-in-ledger", "unpinned", "ledger-damaged"}));
  // With his checkpoints too: all is proven, but it is another's.
  swapped[1] = bob[1];
  verdict = host.check(archive(swapped), host.pins());
  ASSERT_TRUE(verdict.ok());
  EXPECT_EQ(finding_words(verdict->ledger.findings), std::set<std::string>{"ledger-rolled-back"});
  EXPECT_EQ(finding_words(verdict->session.findings),
            (std::set<std::string>{"ledger-damaged", "not-in-ledger"}));
  // His recording under her name.
  for (std::size_t i = 2; i < 5; ++i) swapped[i].second = bob[i].second;
  verdict = host.check(archive(swapped), host.pins());
  ASSERT_TRUE(verdict.ok());
  EXPECT_EQ(finding_words(verdict->session.findings), std::set<std::string>{"renamed"});
}

TEST(Evidence, LeftOutPartsShow) {
  const EvidenceHost& host = evidence_host();
  const auto parts = parts_of(host.evidence(kAlice));
  const auto without = [&](const std::string& name) {
    auto left = parts;
    left.erase(std::find_if(left.begin(), left.end(), [&](const auto& p) { return p.first == name; }));
    return host.check(archive(left), host.pins());
  };
  for (const char* name : {"proof.json", "checkpoints"})
    EXPECT_EQ(without(name).error().code, Code::kInvalid);
  for (const char* end : {".log", ".time", ".in"}) {
    const auto verdict = without(kAlice + std::string(end));
    ASSERT_TRUE(verdict.ok());
    EXPECT_EQ(finding_words(verdict->session.findings).count("file-missing"), 1U) << end;
  }
  // The last checkpoint: then nothing is proven by the tree before.
  auto fewer = parts;
  fewer[1].second.erase(fewer[1].second.find("opelog/", fewer[1].second.find("\n\n") + 200));
  const auto verdict = host.check(archive(fewer), host.pins());
  EXPECT_FALSE(passes(verdict));
  // Each entry: her boot, the seal and the close are not needed, key and opening are.
  const EvidenceProof proof = *parse_proof(parts[0].second);
  ASSERT_EQ(proof.entries.size(), 5U);
  const std::vector<bool> passing = {false, true, false, true, true};
  for (std::size_t i = 0; i < passing.size(); ++i) {
    EvidenceProof less = proof;
    less.entries.erase(less.entries.begin() + static_cast<std::ptrdiff_t>(i));
    auto changed = parts;
    changed[0].second = encode_proof(less);
    EXPECT_EQ(passes(host.check(archive(changed), host.pins())), passing[i]) << i;
  }
  // Nor in another order, nor twice.
  EvidenceProof twice = proof;
  twice.entries.push_back(twice.entries.back());
  auto changed = parts;
  changed[0].second = encode_proof(twice);
  EXPECT_FALSE(passes(host.check(archive(changed), host.pins())));
}

TEST(Evidence, OfASessionWithoutEndIsIncomplete) {
  EvidenceHost host;
  host.run_daemon(kAlice, false);
  const auto verdict = host.check(host.evidence(kAlice), host.pins());
  ASSERT_TRUE(verdict.ok());
  EXPECT_EQ(verdict->session.integrity(), Integrity::kIntact);
  EXPECT_EQ(finding_words(verdict->session.findings), (std::set<std::string>{"tail-unsealed", "no-end"}));
}

TEST(Evidence, HostileArchivesAreNamed) {
  const EvidenceHost& host = evidence_host();
  const auto parts = parts_of(host.evidence(kAlice));
  const auto refused = [&](const std::vector<std::pair<std::string, std::string>>& files) {
    const auto verdict = host.check(archive(files), host.pins());
    return !verdict.ok() && verdict.error().code == Code::kInvalid;
  };
  auto more = parts;
  more.emplace_back("extra", "x");
  EXPECT_TRUE(refused(more)) << "a file that does not belong there";
  more.back() = parts.back();
  EXPECT_TRUE(refused(more)) << "one twice";
  more.back() = {"../" + parts.back().first, "x"};
  EXPECT_TRUE(refused(more));
  auto first = parts;
  std::swap(first[0], first[1]);
  EXPECT_TRUE(refused(first)) << "the proof is the first";
  for (const std::string& text :
       {std::string(), std::string("{}\n"), std::string("[") + std::string(100000, '['),
        parts[0].second + " ", "{ " + parts[0].second.substr(1), std::string(2 << 20, ' ')}) {
    auto changed = parts;
    changed[0].second = text;
    EXPECT_TRUE(refused(changed)) << text.substr(0, 20);
  }
  EXPECT_TRUE(refused({}));
  for (const std::string& bytes : {std::string(), std::string(512, '\0'), std::string(5000, 'x')})
    EXPECT_EQ(host.check(bytes, host.pins()).error().code, Code::kInvalid);
  EXPECT_EQ(verify_evidence(host.file("nothing.evidence"), {}).error().code, Code::kNotFound);
}

TEST(Evidence, ProofsOfAllSmallTreesLeadToTheirRoots) {
  std::vector<Digest> leaves;
  MerkleTree tree;
  for (std::uint64_t size = 1; size <= 40; ++size) {
    leaves.push_back(leaf_hash(std::to_string(size)));
    tree.append(leaves.back());
    std::vector<std::uint64_t> all(size);
    for (std::uint64_t i = 0; i < size; ++i) all[i] = i;
    const auto paths = inclusion_proofs(leaves, all);
    for (std::uint64_t i = 0; i < size; ++i)
      ASSERT_TRUE(proves_inclusion(leaves[i], i, size, paths[i], tree.root())) << i << " of " << size;
  }
}

// The log key is another one before the session, and again behind it.
TEST(Evidence, HoldsTheKeysOfEveryRotationAndPasses) {
  EvidenceHost host;
  host.run_daemon(kBob);
  const std::vector<Pin> pinned = host.pins();
  host.run_daemon("", true, true);
  host.run_daemon(kAlice, true, true);
  host.run_daemon("", true, true);
  const LedgerProof proof = host.prove(kAlice);
  std::vector<std::string> why;
  for (const ProvenEntry& entry : proof.proof.entries) {
    const auto parsed = parse_entry(entry.line);
    ASSERT_TRUE(parsed);
    if (const auto* key = std::get_if<KeyEntry>(&parsed->body)) why.push_back(key->why);
  }
  EXPECT_EQ(why, (std::vector<std::string>{"init", "rotated", "rotated"}));
  EXPECT_TRUE(passes(host.check(host.evidence(kAlice), pinned)));
  EXPECT_TRUE(passes(host.check(host.evidence(kBob), pinned)));
}

// A host whose key was rotated every year of a century still has evidence files.
TEST(Evidence, AProofTakesManyKeys) {
  EXPECT_GE(kMaxProvenEntries, 200U);
  EvidenceProof proof{kAlice, {}};
  for (std::uint64_t i = 0; i < kMaxProvenEntries; ++i)
    proof.entries.push_back(
        {encode_entry({i, 1, KeyEntry{std::string(100, 'k'), i, {}, "rotated"}}), std::vector<Digest>(20)});
  const std::string text = encode_proof(proof);
  EXPECT_LT(text.size(), kMaxProofBytes);
  ASSERT_TRUE(parse_proof(text));
  proof.entries.push_back(proof.entries.back());
  EXPECT_FALSE(parse_proof(encode_proof(proof)));
}

}  // namespace
}  // namespace opelog::seal
