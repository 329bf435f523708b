#include "seal/ledger_verdict.h"

#include <algorithm>
#include <utility>

namespace opelog::seal {
namespace {

// Of the same kind so many are named; a ledger that is not one would fill the memory.
constexpr std::size_t kMaxFindings = 1000;
// A session that could not be begun is closed at once.
constexpr std::int64_t kAbandonedUs = 30 * kUsPerS;

bool is_ascii(std::string_view line) {
  return std::all_of(line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

std::string seconds_text(std::int64_t us) {
  return std::to_string(us / kUsPerS) + " s";
}

}  // namespace

void LedgerVerdict::add(Finding finding) {
  if (finding.what == "unpinned")
    damage = std::max(damage, Integrity::kUnproven);
  else if (damages_ledger(finding.what))
    damage = Integrity::kAltered;
  if (counts_[finding.what]++ < kMaxFindings) findings.push_back(std::move(finding));
}

Integrity LedgerVerdict::integrity() const noexcept {
  return std::max(damage, pinned ? Integrity::kIntact : Integrity::kUnproven);
}

const LedgerSession* LedgerVerdict::find(const std::string& recording) const {
  const auto no = by_recording.find(recording);
  if (no == by_recording.end()) return nullptr;
  const auto session = sessions.find(no->second);
  return session == sessions.end() || session->second.abandoned ? nullptr : &session->second;
}

void LedgerVerifier::found(const char* what, std::string text, std::optional<std::uint64_t> index) {
  Finding finding;
  finding.what = what;
  finding.text = std::move(text);
  finding.index = index;
  verdict_.add(std::move(finding));
}

bool LedgerVerifier::is_pinned(const PublicKey& key) const {
  const VerifierKey wanted = epoch_key(verdict_.origin, key);
  return std::any_of(pins_.begin(), pins_.end(), [&](const Pin& pin) { return pin.key == wanted; });
}

// ---- checkpoints

void LedgerVerifier::feed_checkpoints(std::string_view bytes) {
  if (notes_end_) return;
  notes_.feed(bytes);
  while (auto note = notes_.next()) take_note(std::move(*note));
  if (notes_.rest().size() <= 2 * kMaxNoteFileBytes) return;
  notes_end_ = true;  // no note is as long: nothing behind is read
  found("ledger-altered", "checkpoints: no note at byte " + std::to_string(notes_.offset()));
}

void LedgerVerifier::end_checkpoints() {
  notes_.finish();
  while (auto note = notes_.next()) take_note(std::move(*note));
  if (notes_.rest().empty() || notes_end_) return;
  if (notes_.rest().back() != '\n')
    found("unsigned-tail", "the last checkpoint is not whole yet");
  else
    found("ledger-altered", "checkpoints: no note at byte " + std::to_string(notes_.offset()));
}

void LedgerVerifier::take_note(CheckpointNote note) {
  const std::string where = "the checkpoint at byte " + std::to_string(note.offset);
  if (!note.checkpoint) return found("ledger-altered", where + " is none");
  const Checkpoint& c = *note.checkpoint;
  if (verdict_.origin.empty()) verdict_.origin = c.origin;
  if (c.origin != verdict_.origin) return found("ledger-altered", where + " is of another host: " + c.origin);
  const std::uint64_t number = known_.size();
  const bool again = !epochs_.insert(c.epoch).second;
  if (!known_.empty()) {
    const Checkpoint& before = known_.back().checkpoint;
    if (again || (c.size == before.size && c.root != before.root)) {
      found("ledger-forked", where + " contradicts one before it (epoch " + std::to_string(c.epoch) + ")",
            number);
    } else if (c.size < before.size) {
      found("ledger-forked", where + " counts fewer entries than the one before it", number);
    }
    if (c.epoch != before.epoch + 1 || !is_signed_by(note.note, epoch_key(c.origin, before.next))) {
      // Perhaps a stated loss of keys links it: known when the entries are.
      unlinked_.push_back(std::move(note.note));
      unlinked_at_.push_back(c);
    }
  } else {
    unlinked_.push_back(std::move(note.note));
    unlinked_at_.push_back(c);
  }
  known_.push_back({c, note.offset});
}

// ---- entries

void LedgerVerifier::feed_entries(std::string_view bytes) {
  lines_.feed(bytes, [this](std::string_view line) {
    take_line(line);
    return true;
  });
}

void LedgerVerifier::take_line(std::string_view line) {
  const std::uint64_t index = tree_.size();
  const Digest leaf = leaf_hash(line);
  tree_.append(leaf);
  const bool torn =
      line.size() >= kTornEntry.size() && line.substr(line.size() - kTornEntry.size()) == kTornEntry;
  if (torn) {
    found("torn-entry", "entry " + std::to_string(index) + " was torn by a power cut or a full disk", index);
  } else if (const auto entry = is_ascii(line) ? parse_entry(line) : std::nullopt; !entry) {
    found("ledger-altered", "entry " + std::to_string(index) + " is none", index);
  } else if (entry->index != index) {
    found("ledger-altered", "entry " + std::to_string(index) + " says it is " + std::to_string(entry->index),
          index);
  } else {
    take_entry(*entry, leaf);
  }
  check_roots();
}

void LedgerVerifier::check_key(const KeyEntry& entry, std::uint64_t index) {
  // The checkpoint that this key should have signed.
  const auto at = std::find_if(unlinked_at_.begin(), unlinked_at_.end(),
                               [&](const Checkpoint& c) { return c.epoch == entry.epoch && c.size > index; });
  const bool trusted = is_pinned(entry.next);
  if (index == 0) {
    verdict_.pinned = trusted;
    if (!trusted) found("unpinned", "the ledger's first key is not pinned", index);
  } else if (entry.why == "rotated") {
    return;  // of the log key: it changes nothing in the chain of epochs
  } else {
    found("keys-lost", "the keys were made anew (" + entry.why + ") at entry " + std::to_string(index),
          index);
    if (entry.why == "log-lost") return;
  }
  if (at == unlinked_at_.end()) return;
  const auto position = at - unlinked_at_.begin();
  const bool fits =
      is_signed_by(unlinked_[static_cast<std::size_t>(position)], epoch_key(verdict_.origin, entry.next));
  if (!fits || (index != 0 && !trusted)) return;  // stays unlinked
  unlinked_.erase(unlinked_.begin() + position);
  unlinked_at_.erase(at);
}

void LedgerVerifier::take_entry(const LedgerEntry& entry, const Digest& leaf) {
  const auto session_of = [this](std::uint64_t no) -> LedgerSession* {
    const auto it = verdict_.sessions.find(no);
    return it == verdict_.sessions.end() ? nullptr : &it->second;
  };
  // Null for one that has ended, as the ledger says.
  const auto session_that_runs = [&session_of](std::uint64_t no) -> LedgerSession* {
    LedgerSession* s = session_of(no);
    if (s == nullptr || (!s->closed && !s->crashed)) return s;
    s->contradicted = true;
    return nullptr;
  };
  const auto* key = std::get_if<KeyEntry>(&entry.body);
  if (entry.index == 0 && key == nullptr) found("ledger-altered", "the first entry names no key", 0);
  if (key != nullptr) {
    verdict_.keys.push_back(entry.index);
    verdict_.log = key->log;
    if (verdict_.origin.empty()) {
      // No checkpoint yet: the host's own key says whose ledger it is.
      if (const auto log = parse_verifier_key(key->log)) verdict_.origin = log->name;
    }
    check_key(*key, entry.index);
  } else if (const auto* opened = std::get_if<OpenedEntry>(&entry.body)) {
    if (!by_proofs_ && opened->no != last_no_ + 1)
      found("numbers-not-dense",
            "session " + std::to_string(opened->no) + " follows session " + std::to_string(last_no_),
            entry.index);
    last_no_ = std::max(last_no_, opened->no);
    LedgerSession session;
    session.index = entry.index;
    session.leaf = leaf;
    session.no = opened->no;
    session.recording = opened->recording;
    session.directory = opened->directory;
    session.boot = opened->boot_id;
    session.key = opened->key;
    session.at = entry.at;
    session.boot_index = boot_index_;
    verdict_.by_recording[opened->recording] = opened->no;
    verdict_.sessions.insert_or_assign(opened->no, std::move(session));
  } else if (const auto* sealed = std::get_if<SealedEntry>(&entry.body)) {
    if (LedgerSession* s = session_that_runs(sealed->no)) {
      s->sealed = *sealed;
      s->sealed_index = entry.index;
      s->sealed_at = entry.at;
    }
  } else if (const auto* closed = std::get_if<ClosedEntry>(&entry.body)) {
    // The first one counts: whoever can have entries signed today cannot change what was said of the past.
    if (LedgerSession* s = session_that_runs(closed->no)) {
      s->closed = *closed;
      s->closed_index = entry.index;
      s->closed_at = entry.at;
      s->closed_boot_index = boot_index_;
    }
  } else if (const auto* crashed = std::get_if<CrashedEntry>(&entry.body)) {
    if (LedgerSession* s = session_that_runs(crashed->no)) {
      s->crashed = *crashed;
      s->power_cut = is_other_boot(*s);
      s->crashed_index = entry.index;
      s->crashed_boot_index = boot_index_;
    }
  } else if (const auto* pruned = std::get_if<PrunedEntry>(&entry.body)) {
    const std::string why = pruned->why.empty() ? "policy" : pruned->why;
    const auto no = verdict_.by_recording.find(pruned->recording);
    if (LedgerSession* s = no != verdict_.by_recording.end() ? session_of(no->second) : nullptr) {
      s->pruned = why;
      s->pruned_index = entry.index;
    } else {
      verdict_.pruned_unsealed[pruned->recording] = {why, entry.index};
    }
  }
  if (const auto* compressed = std::get_if<CompressedEntry>(&entry.body)) {
    const auto no = verdict_.by_recording.find(compressed->recording);
    if (no != verdict_.by_recording.end()) session_of(no->second)->compressed = true;
  }
  if (std::holds_alternative<ThawedEntry>(entry.body)) verdict_.thawed_index = entry.index;
  if (!by_proofs_) take_host_entry(entry);
  if (const auto* boot = std::get_if<BootEntry>(&entry.body)) {
    boot_ = boot->boot_id;
    boot_index_ = entry.index;
  }
}

bool LedgerVerifier::is_other_boot(const LedgerSession& session) const {
  return !boot_.empty() && !session.boot.empty() && session.boot != boot_;
}

// What concerns the host as a whole: of few entries it would say nothing true.
void LedgerVerifier::take_host_entry(const LedgerEntry& entry) {
  if (std::holds_alternative<BootEntry>(entry.body)) {
    if (booted_ && !shut_down_)
      found("unclean-boot",
            "the daemon began anew without having stopped, at entry " + std::to_string(entry.index),
            entry.index);
    else if (shut_down_)
      found("off",
            "the daemon did not run for " + seconds_text(std::max<std::int64_t>(0, entry.at - *shut_down_)),
            entry.index);
    booted_ = true;
    shut_down_.reset();
  } else if (std::holds_alternative<ShutdownEntry>(entry.body)) {
    shut_down_ = entry.at;
  } else if (const auto* clock = std::get_if<ClockEntry>(&entry.body)) {
    found("clock-set", "the host's clock was set by " + std::to_string(clock->by / kUsPerMs) + " ms",
          entry.index);
  }
}

void LedgerVerifier::check_roots() {
  const std::uint64_t size = tree_.size();
  for (; next_root_ < known_.size() && known_[next_root_].checkpoint.size <= size; ++next_root_) {
    const Checkpoint& c = known_[next_root_].checkpoint;
    if (c.size == size && c.root != tree_.root() && !std::exchange(altered_, true))
      found("ledger-altered",
            "an entry before " + std::to_string(size) + " is not the one that the checkpoint of epoch " +
                std::to_string(c.epoch) + " signed",
            size);
  }
  for (const Pin& pin : pins_) {
    if (pin.seen && pin.seen->size == size && verdict_.origin + "/epoch" == pin.key.name &&
        pin.seen->root != tree_.root())
      found("ledger-forked", "the tree of " + std::to_string(size) + " entries is not the pinned one", size);
  }
}

// What the checkpoints alone say, once the entries have said which key begins the chain.
void LedgerVerifier::conclude_chain() {
  verdict_.checkpoints = known_.size();
  if (!verdict_.pinned && std::none_of(verdict_.findings.begin(), verdict_.findings.end(),
                                       [](const Finding& f) { return f.what == "unpinned"; }))
    found("unpinned", "the ledger's first key is not pinned");
  for (const Checkpoint& c : unlinked_at_)
    found("key-chain-broken", "the checkpoint of epoch " + std::to_string(c.epoch) + " (" +
                                  std::to_string(c.size) +
                                  " entries) is not signed by the key whose turn it was");
  for (const Known& k : known_)
    verdict_.signed_entries = std::max(verdict_.signed_entries, k.checkpoint.size);
  if (!known_.empty()) verdict_.last = known_.back().checkpoint;
}

// A closed entry that says so later than at once, or that nobody signed, would be a way to make a session
// vanish.
void LedgerVerifier::conclude_sessions() {
  for (auto& [no, s] : verdict_.sessions) {
    s.abandoned = s.closed && s.closed->n == 0 && !s.sealed && !s.contradicted &&
                  s.closed_index < verdict_.signed_entries && s.closed_boot_index == s.boot_index &&
                  s.closed_at >= s.at && s.closed_at - s.at <= kAbandonedUs;
  }
}

LedgerVerdict LedgerVerifier::finish() {
  if (lines_.too_long())
    found("ledger-altered", "entries: a line longer than any entry", tree_.size());
  else if (!lines_.rest().empty())
    found("unsigned-tail", "the last entry is not whole yet", tree_.size());
  verdict_.entries = tree_.size();
  if (verdict_.entries == 0) found("ledger-cut", "there are no entries");
  conclude_chain();
  if (verdict_.signed_entries > verdict_.entries)
    found("ledger-cut", "a checkpoint counts " + std::to_string(verdict_.signed_entries) +
                            " entries, and there are " + std::to_string(verdict_.entries));
  for (const Pin& pin : pins_) {
    if (pin.seen && pin.seen->size > verdict_.entries && verdict_.origin + "/epoch" == pin.key.name)
      found("ledger-rolled-back", "a pin has seen " + std::to_string(pin.seen->size) +
                                      " entries, and there are " + std::to_string(verdict_.entries));
  }
  if (verdict_.signed_entries < verdict_.entries)
    found("unsigned-tail",
          std::to_string(verdict_.entries - verdict_.signed_entries) + " entries behind the last checkpoint",
          verdict_.signed_entries);
  verdict_.signed_entries = std::min(verdict_.signed_entries, verdict_.entries);
  conclude_sessions();
  for (auto& [no, s] : verdict_.sessions)
    s.unsettled = !s.closed && !s.crashed && boot_index_ > s.index && is_other_boot(s);
  return std::move(verdict_);
}

// ---- a ledger that is known by proofs only

void LedgerVerifier::feed_proven(std::string_view line, const std::vector<Digest>& path) {
  by_proofs_ = true;
  const auto entry = parse_entry(line);
  if (!entry) return found("ledger-altered", "what should be an entry is none");
  const std::string where = "entry " + std::to_string(entry->index);
  if (entry->index < next_proven_)
    return found("ledger-altered", where + " stands there twice, or not in its place", entry->index);
  next_proven_ = entry->index + 1;
  const Digest leaf = leaf_hash(line);
  if (known_.empty() || !proves_inclusion(leaf, entry->index, known_.back().checkpoint.size, path,
                                          known_.back().checkpoint.root))
    return found("ledger-altered", where + " is not in the tree that the last checkpoint signed",
                 entry->index);
  verdict_.proven = verdict_.proven.value_or(0) + 1;
  take_entry(*entry, leaf);
}

// A pin was made of a checkpoint, and all of them are here up to the last.
void LedgerVerifier::check_seen_pins() {
  for (const Pin& pin : pins_) {
    if (!pin.seen || verdict_.origin + "/epoch" != pin.key.name || known_.empty() ||
        pin.seen->size > known_.back().checkpoint.size)
      continue;
    const auto same_size = [&](const Known& k) { return k.checkpoint.size == pin.seen->size; };
    const auto at = std::find_if(known_.begin(), known_.end(), same_size);
    if (at == known_.end())
      found("ledger-forked",
            "no checkpoint counts the " + std::to_string(pin.seen->size) + " entries that a pin has seen",
            pin.seen->size);
    else if (at->checkpoint.root != pin.seen->root)
      found("ledger-forked",
            "the tree of " + std::to_string(pin.seen->size) + " entries is not the pinned one",
            pin.seen->size);
  }
}

LedgerVerdict LedgerVerifier::finish_proven() {
  by_proofs_ = true;
  conclude_chain();
  if (known_.empty()) found("ledger-cut", "there are no checkpoints");
  check_seen_pins();
  verdict_.entries = verdict_.signed_entries = verdict_.last ? verdict_.last->size : 0;
  verdict_.proven = verdict_.proven.value_or(0);
  conclude_sessions();
  return std::move(verdict_);
}

}  // namespace opelog::seal
