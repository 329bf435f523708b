#include "seal/session_verdict.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>
#include <vector>

#include "seal/sealed_timing.h"

namespace opelog::seal {
namespace {

enum File : std::size_t { kLog = 0, kTime = 1, kIn = 2, kFiles = 3 };
constexpr std::array<const char*, kFiles> kFileNames = {".log", ".time", ".in"};
constexpr std::string_view kDataFirstLine = "Script started on ";
/// A power cut takes what was sealed in this time at most: the longest sync interval that a policy may have,
/// twice (a round that waits for the one before), and some.
constexpr std::int64_t kLostUs = 60 * kUsPerS;
/// Of the keys that a wrong signature is tried against.
constexpr std::size_t kMaxKeysTried = 4096;
/// Lines of another's number or out of turn whose signature is looked at all the same, in case only the
/// number was changed; and so many are named.
constexpr std::size_t kMaxStrangers = 1000;

std::uint64_t size_of(const FileSizes& sizes, std::size_t file) {
  return file == kLog ? sizes.log : file == kTime ? sizes.time : sizes.in;
}

std::string range_text(std::uint64_t from, std::uint64_t to) {
  return "bytes " + std::to_string(from) + " to " + std::to_string(to);
}

// A seal whose turn it was, and the seal line it was found in.
struct Walked {
  const SealLine* line = nullptr;
  std::uint64_t n = 0;  ///< whose turn it was, whatever its line says
  Digest message{};
  bool compare = true;  ///< false: what it covers begins at an unknown place
  bool adopted = false;
  bool bad = false;  ///< its signature fits nothing: its sizes may be anything
};

class SessionVerifier {
 public:
  SessionVerifier(RecordingBytes& files, const SessionQuestion& question)
      : files_(files), question_(question) {
    verdict_.recording = question.recording;
  }

  Result<SessionVerdict> run() {
    for (std::size_t i = 0; i < kFiles; ++i) sizes_[i] = files_.size(i);
    if (sizes_[kTime]) {
      if (auto read = files_.read(kTime, 0, *sizes_[kTime], [this](std::string_view b) { timing_.feed(b); });
          !read)
        return std::move(read).error();
    }
    timing_.finish();
    check();
    if (!error_) return std::move(error_).error();
    return std::move(verdict_);
  }

 private:
  void check() {
    if (!find_opening()) return;
    trust();
    if (pruned_in_part()) return;
    walk();
    compare_time();
    for (const std::size_t file : {kLog, kIn}) compare_data(file);
    compare_tails();
    compare_ledger();
    state_ends();
    verdict_.seals = walked_.size();
  }

  // ---- findings

  Finding& found(const char* what, std::string text) {
    Finding finding;
    finding.what = what;
    finding.text = std::move(text);
    verdict_.findings.push_back(std::move(finding));
    return verdict_.findings.back();
  }

  Finding& found_in(const char* what, std::size_t file, std::uint64_t from, std::uint64_t to,
                    const std::string& text) {
    Finding& finding = found(what, std::string(kFileNames[file]) + ": " + text);
    finding.file = file;
    finding.from = from;
    finding.to = to;
    return finding;
  }

  // Says when a segment was: between the seal before it and its own.
  void place(Finding& finding, std::size_t segment) const {
    finding.from_us = segment == 0 ? 0 : static_cast<std::int64_t>(walked_[segment - 1].line->seal.at);
    finding.to_us = static_cast<std::int64_t>(walked_[segment].line->seal.at);
    if (segment > 0) finding.command = walked_[segment - 1].line->command;
  }

  Digest digest(std::size_t file, std::uint64_t from, std::uint64_t to) {
    Sha256 hash(kFileDomains[file]);
    auto read = files_.read(file, from, to, [&hash](std::string_view bytes) { hash.update(bytes); });
    if (!read && error_) error_ = std::move(read);
    return hash.digest();
  }

  bool begins_with(std::size_t file, std::string_view text) {
    std::string head;
    auto read = files_.read(file, 0, std::min<std::uint64_t>(*sizes_[file], text.size()),
                            [&head](std::string_view bytes) { head += bytes; });
    if (!read && error_) error_ = std::move(read);
    return head == text.substr(0, head.size());
  }

  // ---- steps 2 and 3: by which opening entry it is checked

  bool find_opening() {
    const LedgerVerdict* ledger = question_.ledger;
    std::uint64_t index = 0;
    const auto opened = parse_opened(timing_.opened, index);
    const LedgerSession* known = ledger != nullptr ? ledger->find(question_.recording) : nullptr;
    if (opened) {
      opening_.index = index;
      opening_.leaf = leaf_hash(timing_.opened);
      opening_.no = opened->no;
      opening_.recording = opened->recording;
      opening_.key = opened->key;
      if (ledger != nullptr) {
        const auto own = ledger->sessions.find(opened->no);
        if (own != ledger->sessions.end() && own->second.index == index &&
            own->second.leaf == opening_.leaf) {
          opening_ = own->second;
          in_ledger_ = true;
        } else if (known != nullptr) {
          found_in("altered", kTime, 0, first_seal_begin(), "the opening entry is not the one in the ledger");
          opening_ = *known;
          in_ledger_ = true;
        } else {
          found("not-in-ledger", "the ledger does not hold its opening entry");
          if (index >= ledger->entries) verdict_.beyond_ledger = index;
        }
      }
    } else {
      if (known == nullptr && ledger != nullptr && !timing_.seals.empty()) {
        const auto by_number = ledger->sessions.find(timing_.seals.front().seal.no);
        if (by_number != ledger->sessions.end()) known = &by_number->second;
      }
      if (known == nullptr && timing_.seals.empty()) {
        found("unsealed", "it has no seals: recorded before there were any, or not by opelog");
        return false;
      }
      if (known == nullptr) {
        found_in("altered", kTime, 0, first_seal_begin(),
                 "the opening entry is missing or damaged, so no seal can be checked");
        verdict_.no = timing_.seals.front().seal.no;
        trust();
        state_ends();
        return false;
      }
      if (!interrupted_before_its_header(*known)) tell_lost_opening(*known);
      opening_ = *known;
      in_ledger_ = head_told_ = true;
    }
    verdict_.no = opening_.no;
    if (opening_.recording != question_.recording)
      found("renamed", "these are the files of " + opening_.recording);
    return true;
  }

  void tell_lost_opening(const LedgerSession& known) {
    opening_ = known;
    if (!sizes_[kTime]) {
      found_in("file-missing", kTime, 0, 0, "the file is not there");
    } else if (!timing_.begins_whole) {
      found_in("cut-head", kTime, 0, first_seal_begin(), "the beginning is missing");
    } else if (const char* word = lost_word(kTime, timing_.size)) {
      found_in(word, kTime, 0, timing_.size,
               std::string("the opening entry was lost in a power cut") + as_it_seems());
    } else {
      found_in("altered", kTime, 0, first_seal_begin(), "the opening entry is missing or damaged");
      head_altered_told_ = true;
    }
  }

  // Killed between the opening entry and the first record: all there is came at the next start, if it came
  // yet.
  bool interrupted_before_its_header(const LedgerSession& known) const {
    if (known.sealed || known.closed || !timing_.seals.empty()) return false;
    if (!known.crashed) return sizes_[kTime] && timing_.size == 0;
    if (known.crashed->missing) return false;
    for (std::size_t file = 0; file < kFiles; ++file) {
      if (size_of(known.crashed->sizes, file) != sizes_[file].value_or(0)) return false;
    }
    return true;
  }

  std::uint64_t first_seal_begin() const {
    return timing_.seals.empty() ? timing_.size : timing_.seals.front().begin;
  }

  void trust() {
    const LedgerVerdict* ledger = question_.ledger;
    if (ledger == nullptr) {
      found("no-ledger", "there is no ledger to prove it by");
      return;
    }
    if (!ledger->pinned) found("unpinned", "the ledger's first key is not pinned");
    if (ledger->integrity() == Integrity::kAltered)
      found("ledger-damaged", "the ledger that should prove it is damaged");
    if (in_ledger_ && opening_.index >= ledger->signed_entries)
      found("unsigned", "no checkpoint counts its opening entry yet");
  }

  // Removal by policy was entered, begun, and has not come to its end.
  bool pruned_in_part() {
    const LedgerVerdict* ledger = question_.ledger;
    if (opening_.pruned.empty() || opening_.pruned_index >= ledger->signed_entries ||
        (sizes_[kLog] && sizes_[kTime]))
      return false;
    found("pruned", "removed in part by policy: " + opening_.pruned);
    return true;
  }

  // ---- step 4: the chain

  bool is_signed(const SealLine& line, std::uint64_t n, const PublicKey& key, const Digest& prev,
                 Digest& message) const {
    Seal seal = line.seal;
    seal.n = n;
    const std::string text = seal_message(seal, opening_.leaf, prev);
    message = sha256(text);
    return verify(key, text, seal.signature);
  }

  bool fits_another_key(const SealLine& line, const Digest& prev) {
    Digest message;
    if (is_signed(line, line.seal.n, opening_.key, prev, message)) return true;
    for (std::size_t i = 0; i < timing_.seals.size() && keys_tried_ < kMaxKeysTried; ++i, ++keys_tried_) {
      if (is_signed(line, line.seal.n, timing_.seals[i].seal.next, prev, message)) return true;
    }
    return false;
  }

  void walk() {
    PublicKey key = opening_.key;
    Digest prev = opening_.leaf;
    std::uint64_t expected = 1;
    // Behind a seal that is not what was signed the next one's `prev` is not known.
    bool known = true;
    for (const SealLine& line : timing_.seals) {
      const Seal& seal = line.seal;
      const bool behind_final = final_walked();
      const bool its_turn = seal.no == opening_.no && seal.n == expected;
      Walked walked{&line, expected, {}, true, false};
      if (!behind_final && !known && seal.no == opening_.no && seal.n == expected) {
        walked.adopted = true;
      } else if (!behind_final && known && (its_turn || strangers_ < kMaxStrangers) &&
                 is_signed(line, expected, key, prev, walked.message)) {
        if (seal.no != opening_.no || seal.n != expected)
          found_in("altered", kTime, line.begin, line.end,
                   "the numbers of seal " + std::to_string(expected) + " were changed");
      } else if (seal.no != opening_.no) {
        if (strangers_++ < kMaxStrangers)
          found_in("spliced", kTime, line.begin, line.end, "a seal of session " + std::to_string(seal.no));
        continue;
      } else if (seal.n < expected) {
        if (strangers_++ < kMaxStrangers)
          found_in("repeated", kTime, line.begin, line.end,
                   "seal " + std::to_string(seal.n) + " stands there again");
        continue;
      } else if (behind_final) {
        continue;
      } else if (seal.n == expected) {
        if (fits_another_key(line, prev)) {
          found_in("resigned", kTime, line.begin, line.end,
                   "seal " + std::to_string(expected) + " is signed by another key than its turn's");
        } else {
          found_in("altered", kTime, line.begin, line.end,
                   "the signature of seal " + std::to_string(expected) + " fits nothing");
          walked.bad = true;
          known = false;
        }
      } else {
        const std::uint64_t from = walked_.empty() ? 0 : walked_.back().line->begin;
        const std::uint64_t claimed =
            seal.sizes.time - (walked_.empty() ? 0 : walked_.back().line->seal.sizes.time);
        const std::string numbers = "seals " + std::to_string(expected) + " to " + std::to_string(seal.n - 1);
        if (line.begin - from == claimed)
          found_in("altered", kTime, from, line.begin, numbers + " cannot be read");
        else
          found_in("seals-missing", kTime, from, line.begin, numbers + " are missing");
        walked.compare = false;
        walked.adopted = true;
        walked.n = expected = seal.n;
        known = false;
      }
      walked_.push_back(walked);
      prev = walked.message;
      key = seal.next;
      ++expected;
    }
    if (timing_.too_many)
      found_in("altered", kTime, timing_.size, timing_.size, "more seals than can be checked");
  }

  // ---- steps 5 to 7: the bytes

  // Sizes are compared only where both ends are what was signed (or cannot be checked).
  [[nodiscard]] bool sized(std::size_t i) const {
    return walked_[i].compare && !walked_[i].bad && (i == 0 || !walked_[i - 1].bad);
  }

  void compare_time() {
    std::uint64_t begin = 0, claimed_begin = 0;
    for (std::size_t i = 0; i < walked_.size(); ++i) {
      const Walked& w = walked_[i];
      const std::uint64_t end = w.line->begin;
      const std::uint64_t claimed = std::max(w.line->seal.sizes.time, claimed_begin) - claimed_begin;
      if (w.compare) compare_time_segment(i, begin, end, sized(i) ? claimed : end - begin);
      begin = end;
      claimed_begin = w.line->seal.sizes.time;
    }
  }

  void compare_time_segment(std::size_t i, std::uint64_t begin, std::uint64_t end, std::uint64_t claimed) {
    const std::uint64_t held = end - begin;
    if (held < claimed) {
      const bool head = i == 0 && !timing_.begins_whole;
      if (head && head_told_) return;
      place(found_in(head ? "cut-head" : "missing-bytes", kTime, begin, end,
                     std::to_string(claimed - held) +
                         (head ? " bytes of the beginning are missing" : " bytes are missing there")),
            i);
    } else if (held > claimed) {
      place(found_in("inserted-bytes", kTime, begin, end,
                     std::to_string(held - claimed) + " bytes too many there"),
            i);
    } else if (digest(kTime, begin, end) != walked_[i].line->seal.digests[kTime]) {
      if (i == 0 && head_altered_told_) return;
      place(found_in("altered", kTime, begin, end, range_text(begin, end) + " are not what was sealed"), i);
    } else {
      verdict_.sealed += end - begin;
    }
  }

  struct Segment {
    std::size_t walked;
    std::uint64_t from, to;
  };

  bool matches(std::size_t file, const Segment& s, std::int64_t earlier) {
    const auto from = static_cast<std::int64_t>(s.from) - earlier;
    const auto to = static_cast<std::int64_t>(s.to) - earlier;
    return from >= 0 && to <= static_cast<std::int64_t>(*sizes_[file]) &&
           digest(file, static_cast<std::uint64_t>(from), static_cast<std::uint64_t>(to)) ==
               walked_[s.walked].line->seal.digests[file];
  }

  void compare_data(std::size_t file) {
    std::vector<Segment> segments;
    std::uint64_t last = 0;
    for (std::size_t i = 0; i < walked_.size(); ++i) {
      const std::uint64_t to = size_of(walked_[i].line->seal.sizes, file);
      // Sizes that fall are none: each byte is covered once.
      if (sized(i) && to > last) segments.push_back({i, last, to});
      if (!walked_[i].bad) last = std::max(last, to);
    }
    if (!sizes_[file]) {
      if (const std::uint64_t then = std::max(last, size_in_ledger(file)); then > 0) {
        found_in("file-missing", file, 0, then, "the file is not there");
        shift_told_[file] = true;
      }
      return;
    }
    if (last == 0) return;
    const std::uint64_t size = *sizes_[file];
    std::vector<bool> equal(segments.size());
    std::size_t first_bad = segments.size();
    for (std::size_t i = 0; i < segments.size(); ++i) {
      const bool whole = segments[i].to <= size;
      equal[i] = whole && matches(file, segments[i], 0);
      if (equal[i]) verdict_.sealed += segments[i].to - segments[i].from;
      if (whole && !equal[i] && first_bad == segments.size()) first_bad = i;
    }
    const auto shift = static_cast<std::int64_t>(last) - static_cast<std::int64_t>(size);
    if (first_bad == segments.size()) {
      if (shift <= 0) return;
      const bool headless = final_walked() && size > 0 && !begins_with(file, kDataFirstLine);
      if (!headless || !shifted(file, segments, 0, shift)) cut_tail(file, size, last);
      return;
    }
    if (final_walked() && shift != 0 && shifted(file, segments, first_bad, shift)) return;
    for (std::size_t i = first_bad; i < segments.size(); ++i) {
      const Segment& s = segments[i];
      if (!equal[i] && s.to <= size)
        place(found_in("altered", file, s.from, s.to, range_text(s.from, s.to) + " are not what was sealed"),
              s.walked);
    }
    if (shift > 0) cut_tail(file, size, last);
  }

  // What the ledger says a file had at the most; 0 for one that it says nothing of.
  [[nodiscard]] std::uint64_t size_in_ledger(std::size_t file) const {
    std::uint64_t size = 0;
    if (opening_.sealed) size = std::max(size, size_of(opening_.sealed->sizes, file));
    if (opening_.closed) size = std::max(size, size_of(opening_.closed->sizes, file));
    if (opening_.crashed && !opening_.crashed->missing)
      size = std::max(size, size_of(opening_.crashed->sizes, file));
    return size;
  }

  // Whether all behind segment `bad` is there, `shift` bytes earlier (or later): then it lies in that one.
  bool shifted(std::size_t file, const std::vector<Segment>& segments, std::size_t bad, std::int64_t shift) {
    for (std::size_t i = bad + 1; i < segments.size(); ++i) {
      if (!matches(file, segments[i], shift)) return false;
    }
    const Segment& s = segments[bad];
    const bool head = shift > 0 && bad == 0 && !begins_with(file, kDataFirstLine);
    const std::string count = std::to_string(shift > 0 ? shift : -shift);
    place(found_in(head        ? "cut-head"
                   : shift > 0 ? "missing-bytes"
                               : "inserted-bytes",
                   file, s.from, s.to,
                   count +
                       (head        ? " bytes of the beginning are missing"
                        : shift > 0 ? " bytes are missing within "
                                    : " bytes too many within ") +
                       (head ? std::string() : range_text(s.from, s.to))),
          s.walked);
    shift_told_[file] = true;
    return true;
  }

  void cut_tail(std::size_t file, std::uint64_t size, std::uint64_t sealed) {
    const std::string count = std::to_string(sealed - size);
    const char* word = lost_word(file, size);
    if (word != nullptr && young_behind(file, size))
      found_in(word, file, size, sealed,
               count + " sealed bytes of the end were lost in a power cut" + as_it_seems());
    else
      found_in("cut-tail", file, size, sealed, count + " sealed bytes of the end are missing");
    shift_told_[file] = true;
  }

  // Whether a power cut may have made the file as short as that: the daemon found it so after another boot,
  // or such a boot has come and what it finds is not entered yet. Else nullptr.
  [[nodiscard]] const char* lost_word(std::size_t file, std::uint64_t size) const {
    if (opening_.unsettled) return "unsettled";
    const bool found_so = opening_.crashed && opening_.power_cut && !opening_.crashed->missing &&
                          size_of(opening_.crashed->sizes, file) == size;
    return found_so ? "lost" : nullptr;
  }
  [[nodiscard]] const char* as_it_seems() const {
    return opening_.unsettled ? ", as it seems: the ledger has not got yet what the start found" : "";
  }
  // When the newest seal that is known of was made, since the beginning of the recording.
  [[nodiscard]] std::int64_t newest_seal_at() const {
    const std::int64_t here = walked_.empty() ? 0 : made_at(walked_.back());
    std::int64_t told = 0;
    if (!opening_.sealed || __builtin_sub_overflow(opening_.sealed_at, opening_.at, &told)) return here;
    return std::max(here, told);
  }
  static std::int64_t made_at(const Walked& w) {
    return static_cast<std::int64_t>(
        std::min<std::uint64_t>(w.line->seal.at, std::numeric_limits<std::int64_t>::max()));
  }
  // Nothing that lay behind `size` was sealed longer ago than a power cut reaches.
  [[nodiscard]] bool young_behind(std::size_t file, std::uint64_t size) const {
    const std::int64_t old = newest_seal_at() - kLostUs;
    return std::none_of(walked_.begin(), walked_.end(), [&](const Walked& w) {
      return made_at(w) < old && size_of(w.line->seal.sizes, file) > size;
    });
  }
  // The same of the seals behind the last one here: the next one, or all came after that.
  [[nodiscard]] bool young_seals(const SealedEntry& sealed) const {
    const bool none = walked_.empty();
    return sealed.n == (none ? 0 : walked_.back().n) + 1 ||
           newest_seal_at() - (none ? 0 : made_at(walked_.back())) <= kLostUs;
  }

  [[nodiscard]] bool final_walked() const { return !walked_.empty() && walked_.back().line->seal.final; }

  // Bytes behind the last seal.
  void compare_tails() {
    std::array<std::uint64_t, kFiles> sealed{};
    if (!walked_.empty()) {
      for (const std::size_t file : {kLog, kIn})
        sealed[file] = size_of(walked_.back().line->seal.sizes, file);
      sealed[kTime] = walked_.back().line->end;
    }
    std::uint64_t unsealed = 0;
    for (std::size_t file = 0; file < kFiles; ++file) {
      const std::uint64_t size = sizes_[file].value_or(0);
      if (size <= sealed[file] || shift_told_[file]) continue;
      if (!final_walked())
        unsealed += size - sealed[file];
      else
        found_in("inserted-bytes", file, sealed[file], size,
                 std::to_string(size - sealed[file]) + " bytes behind the final seal");
    }
    if (unsealed == 0 || final_walked()) return;
    const std::int64_t from = walked_.empty() ? 0 : walked_.back().line->at_us;
    const std::int64_t ms = std::max<std::int64_t>(0, timing_.at_us - from) / kUsPerMs;
    Finding& finding = found("tail-unsealed", std::to_string(unsealed) + " bytes behind the last seal, " +
                                                  std::to_string(ms) + " ms");
    finding.from_us = from;
    finding.to_us = timing_.at_us;
    tail_unsealed_ = true;
  }

  // ---- step 8: the ledger

  void compare_ledger() {
    if (question_.ledger == nullptr) return;
    const std::uint64_t last = walked_.empty() ? 0 : walked_.back().n;
    const auto& closed = opening_.closed;
    const auto& sealed = opening_.sealed;
    const std::uint64_t behind = walked_.empty() ? 0 : walked_.back().line->end;
    const char* word = lost_word(kTime, timing_.size);
    if (closed && closed->n > last) {
      if (timing_.size >= closed->sizes.time)
        found_in("altered", kTime, behind, timing_.size,
                 "the seals behind seal " + std::to_string(last) + " cannot be read");
      else
        found_in("cut-tail", kTime, timing_.size, closed->sizes.time,
                 "the ledger knows of seal " + std::to_string(closed->n) + ", the last one here is " +
                     std::to_string(last));
    } else if (sealed && sealed->n > last && word != nullptr && young_seals(*sealed)) {
      found_in(word, kTime, timing_.size, timing_.size,
               "the seals from " + std::to_string(last + 1) + " to " + std::to_string(sealed->n) +
                   " were lost in a power cut" + as_it_seems());
    } else if (sealed && sealed->n > last && timing_.size > sealed->sizes.time) {
      found_in("altered", kTime, behind, timing_.size,
               "the seals behind seal " + std::to_string(last) + " cannot be read");
    } else if (sealed && sealed->n > last) {
      found_in("cut-tail", kTime, timing_.size, std::max(timing_.size, sealed->sizes.time),
               "the ledger knows of seal " + std::to_string(sealed->n) + ", the last one here is " +
                   std::to_string(last));
    }
    if (closed) same_seal(closed->n, closed->seal);
    if (sealed) same_seal(sealed->n, sealed->seal);
    if (opening_.crashed) compare_crashed(*opening_.crashed);
  }

  void same_seal(std::uint64_t n, const Digest& message) {
    for (const Walked& w : walked_) {
      if (w.n == n && !w.adopted && !w.bad && w.message != message)
        found_in("altered", kTime, w.line->begin, w.line->end,
                 "seal " + std::to_string(n) + " is not the one that the ledger knows");
    }
  }

  void compare_crashed(const CrashedEntry& crashed) {
    const std::array<Digest, kFiles> digests = {crashed.log, crashed.time, crashed.in};
    // With a final seal only the daemon was interrupted: before it had entered the end. Then all is here that
    // ever was, wherever it lay at the next start (rotated, or its directory moved).
    if (crashed.missing && final_walked()) return;
    if (!final_walked()) {
      found("crash", crashed.missing ? "it was interrupted, and its files were gone at the next start"
                                     : "it was interrupted; completed at the next start");
      crash_told_ = true;
    }
    if (crashed.missing) {
      for (std::size_t file = 0; file < kFiles; ++file) {
        if (sizes_[file])
          found_in("inserted-bytes", file, 0, *sizes_[file],
                   "the file was gone after the crash, and is here now");
      }
      return;
    }
    for (std::size_t file = 0; file < kFiles; ++file) {
      const std::uint64_t then = size_of(crashed.sizes, file), now = sizes_[file].value_or(0);
      if (shift_told_[file] || !sizes_[file]) continue;
      if (now < then)
        found_in("cut-tail", file, now, then,
                 std::to_string(then - now) + " bytes are missing that were there after the crash");
      else if (now > then)
        found_in("inserted-bytes", file, then, now,
                 std::to_string(now - then) + " bytes more than after the crash");
      else if (tail_unsealed_ && now > 0 && digest(file, 0, now) != digests[file] && !told_altered(file))
        found_in("altered", file, sealed_end(file), now,
                 "the bytes behind the last seal are not those after the crash");
    }
  }

  [[nodiscard]] bool told_altered(std::size_t file) const {
    return std::any_of(verdict_.findings.begin(), verdict_.findings.end(),
                       [&](const Finding& f) { return f.file == file && f.what == "altered"; });
  }

  [[nodiscard]] std::uint64_t sealed_end(std::size_t file) const {
    if (walked_.empty()) return 0;
    return file == kTime ? walked_.back().line->end : size_of(walked_.back().line->seal.sizes, file);
  }

  // ---- step 9

  void state_ends() {
    if (timing_.gaps > 0)
      found("gap", std::to_string(timing_.gaps) + (timing_.gaps == 1 ? " gap is" : " gaps are") +
                       " stated, the first: " + timing_.first_gap);
    if (crash_told_) return;
    if (timing_.crashed)
      found("crash", "it was interrupted, and completed later");
    else if (!final_walked() && question_.live)
      found("live", "it has not ended yet");
    else if (!final_walked())
      found("no-end", "it has no sealed end");
  }

  RecordingBytes& files_;
  const SessionQuestion& question_;
  SessionVerdict verdict_;
  SealedTiming timing_;
  Status error_;
  std::array<std::optional<std::uint64_t>, kFiles> sizes_;
  LedgerSession opening_;
  std::vector<Walked> walked_;
  std::array<bool, kFiles> shift_told_{};
  std::size_t keys_tried_ = 0, strangers_ = 0;
  bool in_ledger_ = false, head_told_ = false, head_altered_told_ = false, tail_unsealed_ = false,
       crash_told_ = false;
};

}  // namespace

Result<SessionVerdict> verify_session(RecordingBytes& files, const SessionQuestion& question) {
  return SessionVerifier(files, question).run();
}

}  // namespace opelog::seal
