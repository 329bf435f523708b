#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "core/append_only_io.h"
#include "core/host_id_io.h"
#include "core/sha256.h"
#include "format/json_text.h"
#include "format/recording_files_io.h"
#include "format/recording_name.h"
#include "format/recording_sealer.h"
#include "format/recording_writer_io.h"
#include "format/session_header.h"
#include "format/timing_record.h"

namespace opelog::format {
namespace {

/// What every one of our timing files begins with.
constexpr std::string_view kOurBegin = "H 0.000000 OPELOG_";

/// How much of a file's end is looked at for bytes that a power cut took: more than a block of any file
/// system …
constexpr std::size_t kLostWindow = 64 * 1024;
/// … a block of most, of which any sector may be missing.
constexpr std::uint64_t kBlockBytes = 4096, kSectorBytes = 512;

/// What the timing file says, read from its beginning.
struct Scan {
  std::string tail;  ///< unfinished line
  std::uint64_t out = 0, err = 0, in = 0;
  std::int64_t at_us = 0;
};

Result<std::string> read_part(int fd, std::uint64_t from, std::size_t size) {
  std::string text(size, '\0');
  auto got = read_at(fd, text.data(), size, from);
  if (!got) return std::move(got).error();
  text.resize(*got);
  return text;
}

/// Where what a power cut left of a file's last block begins: a file system may know a file's new size and
/// have lost the bytes, or some sectors of them; zeros stand there. `text` is the file's end, from `from` on.
/// A timing file has no zeros of its own.
std::uint64_t lost_from(const std::string& text, std::uint64_t from, bool timing) {
  if (timing) return from + std::min(text.find('\0'), text.size());
  const auto without_zeros = [&](std::uint64_t end) {
    return from + text.find_last_not_of('\0', end - from - 1) + 1;  // npos + 1 is 0
  };
  const std::uint64_t size = from + text.size();
  if (text.empty()) return size;
  for (std::uint64_t at = (size - 1) / kBlockBytes * kBlockBytes; at + kSectorBytes <= size;
       at += kSectorBytes) {
    if (at < from || text.find_first_not_of('\0', at - from) < at - from + kSectorBytes) continue;
    return at == from ? from : without_zeros(at);
  }
  return text.back() == '\0' ? without_zeros(size) : size;
}

/// Where a file is to be cut off: its size if not at all. Nothing below `proven` was lost. With `only_zeros`
/// not if there is anything but zeros behind that place.
Result<std::uint64_t> lost_end(int fd, std::uint64_t size, std::uint64_t proven, bool timing,
                               bool only_zeros) {
  const std::uint64_t from = std::max(size > kLostWindow ? size - kLostWindow : 0, proven);
  auto text = read_part(fd, from, kLostWindow);
  if (!text) return std::move(text).error();
  const std::uint64_t end = lost_from(*text, from, timing);
  if (only_zeros && end < size && text->find_first_not_of('\0', end - from) != std::string::npos) return size;
  return end;
}

Status cut_off(int fd, std::uint64_t end) {
  auto flagged = has_append_only(fd);
  if (flagged && *flagged) {
    if (auto cleared = set_append_only(fd, false); !cleared) return std::move(cleared).error();
  }
  const int err = ::ftruncate(fd, static_cast<off_t>(end)) == 0 ? 0 : errno;
  if (flagged && *flagged) (void)set_append_only(fd, true).ok();
  if (err != 0) return error_from_errno(err, "cut off what a power cut left");
  return {};
}

/// The boot that the recording's header names; "" if it cannot be read.
std::string boot_of(int time) {
  HeaderDecoder header;
  (void)read_header(
      [&](char* data, std::size_t size, std::uint64_t at) { return read_at(time, data, size, at); },
      kReadBytes, header)
      .ok();
  return header.info.boot_id;
}

/// What a file begins with, without what a power cut left of it.
std::string begin_of(std::string text) {
  text.resize(text.find_last_not_of('\0') + 1);
  return text;
}

/// Whether the file's last line is whole and an end record, or the seal behind one.
Result<bool> has_end(int fd) {
  auto facts = look_at(fd);
  if (!facts) return std::move(facts).error();
  const std::uint64_t from = facts->size > kTailBytes ? facts->size - kTailBytes : 0;
  auto text = read_part(fd, from, kTailBytes);
  if (!text) return std::move(text).error();
  if (text->empty() || text->back() != '\n') return false;
  for (bool sealed = false;; sealed = true) {
    text->pop_back();
    const std::size_t lf = text->rfind('\n');
    TimingRecord record;
    if (!parse_timing_line(std::string_view(*text).substr(lf + 1), false, record).empty())
      return false;  // npos + 1 is 0
    const auto* h = std::get_if<HeaderRecord>(&record);
    if (h == nullptr) return false;
    if (decode_end(Note{h->name, h->value, false})) return true;
    if (sealed || h->name != kOpelogSeal || lf == std::string::npos) return false;
    text->resize(lf + 1);
  }
}

/// A file that holds too little to say whose it is: ours only if root's, and if nobody has it open (plain
/// script, run by root in this directory, would).
bool nobody_else_has(int fd) {
  auto facts = look_at(fd);
  if (!facts || facts->uid != 0) return false;
  if (::fcntl(fd, F_SETLEASE, F_WRLCK) != 0) return false;
  return ::fcntl(fd, F_SETLEASE, F_UNLCK) == 0;
}

/// Visits all whole records; the unfinished line behind them.
template <typename Visit>
Result<std::string> read_timing(int fd, const std::string& name, Visit visit) {
  TimingScanner scanner;
  TimingRecord record;
  std::vector<char> buffer(kReadBytes);
  for (std::uint64_t at = 0;;) {
    auto got = read_at(fd, buffer.data(), buffer.size(), at);
    if (!got) return std::move(got).error();
    if (*got == 0) return std::string(scanner.tail());
    at += *got;
    scanner.feed({buffer.data(), *got});
    TimingScanner::Outcome outcome;
    while ((outcome = scanner.next(record)) == TimingScanner::Outcome::kRecord) visit(record);
    if (outcome == TimingScanner::Outcome::kCorrupt || scanner.classic()) {
      return Error{Code::kInvalid,
                   name + ".time: damaged at byte " + std::to_string(scanner.offset()) +
                       ", not touched: " + (scanner.classic() ? "not ours" : scanner.problem()),
                   0};
    }
  }
}

Result<Scan> scan_timing(int fd, const std::string& name) {
  Scan scan;
  bool err = false;
  auto tail = read_timing(fd, name, [&](const TimingRecord& record) {
    scan.at_us = std::min(scan.at_us + delay_of(record), kMaxTimeUs);
    if (const auto* o = std::get_if<OutputRecord>(&record)) {
      scan.out += std::min(o->size, kMaxDataBytes - scan.out);
      if (err) scan.err += std::min(o->size, kMaxDataBytes - scan.err);
    } else if (const auto* i = std::get_if<InputRecord>(&record)) {
      scan.in += std::min(i->size, kMaxDataBytes - scan.in);
    } else if (const auto* h = std::get_if<HeaderRecord>(&record); h != nullptr && h->name == kOpelogStream) {
      err = h->value == "2";
    }
  });
  if (!tail) return std::move(tail).error();
  scan.tail = std::move(*tail);
  return scan;
}

/// One log file: how many bytes of data it holds, after its first line was completed if a crash left none.
Result<std::uint64_t> complete_first_line(int directory, const std::string& path, WallUs now,
                                          std::string& did) {
  auto fd = open_regular(directory, path, O_RDWR | O_APPEND);
  if (!fd) {
    if (fd.error().code == Code::kNotFound) return std::uint64_t{0};
    return std::move(fd).error();
  }
  auto facts = look_at(fd->get());
  if (!facts) return std::move(facts).error();
  auto found = data_begin(
      [&](char* data, std::size_t size, std::uint64_t at) { return read_at(fd->get(), data, size, at); },
      false);
  if (!found) return std::move(found).error();
  const std::uint64_t begin = found->value_or(facts->size);
  if (begin == facts->size) {
    auto last = read_part(fd->get(), facts->size - std::min<std::uint64_t>(facts->size, 1), 1);
    if (!last) return std::move(last).error();
    if (*last != "\n") {
      SessionInfo unknown;
      unknown.started = now;
      const std::string line = facts->size == 0 ? encode_first_line(unknown) : "]\n";
      if (auto done = write_all(fd->get(), line); !done) return std::move(done).error();
      did += "completed the first line of " + path + "; ";
    }
  }
  return facts->size - begin;
}

/// `.log` or `.in`, where something may have been lost of its end.
struct LostEnd {
  std::string_view suffix;
  std::size_t file = 0;  ///< as seals number them
  Fd fd;
  std::uint64_t size = 0;
  std::uint64_t end = 0;     ///< where it would be cut off, but for the seals
  std::uint64_t sealed = 0;  ///< up to where the seals read so far cover it
  std::uint64_t proven = 0;  ///< up to where they fit what is there
  bool differs = false;
};

/// A further seal. One that does not fit ends what is proven: bytes before it were lost, so all behind them
/// is.
Status take_claim(const SealKnowledge& seals, const SealClaim& claim, LostEnd& lost) {
  const std::uint64_t from = lost.sealed, size = claim.sizes[lost.file];
  if (lost.differs || size <= from) return {};
  lost.sealed = size;
  if (size <= lost.end) {
    lost.proven = size;
    return {};
  }
  lost.differs = true;
  if (size > lost.size) return {};
  Sha256 hash(seals.domains[lost.file]);
  std::vector<char> buffer(kReadBytes);
  for (std::uint64_t at = from; at < size;) {
    auto got = read_at(lost.fd.get(), buffer.data(), std::min<std::uint64_t>(buffer.size(), size - at), at);
    if (!got) return std::move(got).error();
    if (*got == 0) return {};
    hash.update({buffer.data(), *got});
    at += *got;
  }
  if (hash.digest() != claim.digests[lost.file]) return {};
  lost.differs = false;
  lost.proven = size;
  return {};
}

/// Up to where seals prove each file.
Status find_proven(int time, const std::string& name, const SealKnowledge& seals,
                   std::vector<LostEnd>& ends) {
  if (seals.read == nullptr) return {};
  Status taken;
  auto read = read_timing(time, name, [&](const TimingRecord& record) {
    const auto* h = std::get_if<HeaderRecord>(&record);
    if (h == nullptr || h->name != kOpelogSeal) return;
    const auto claim = seals.read(h->value);
    for (LostEnd& lost : ends)
      if (claim && taken) taken = take_claim(seals, *claim, lost);
  });
  if (!read) return std::move(read).error();
  return taken;
}

/// What only looks like bytes, in each file. Of output a zero byte may be one that a program wrote: not
/// touched in the boot that it was recorded in, nor where a seal proves it.
Status cut_lost(int directory, const std::string& name, int time, const SealKnowledge& seals,
                std::string& did) {
  const auto state = [&](std::uint64_t bytes, std::string_view suffix) {
    did += "cut off " + std::to_string(bytes) + " bytes of " + std::string(suffix) +
           " that a power cut had left of lost ones; ";
  };
  const bool same_boot = boot_of(time) == boot_id();
  auto facts = look_at(time);
  if (!facts) return std::move(facts).error();
  auto time_end = lost_end(time, facts->size, 0, true, same_boot);
  if (!time_end) return std::move(time_end).error();
  if (*time_end < facts->size) {
    if (auto cut = cut_off(time, *time_end); !cut) return cut;
    state(facts->size - *time_end, kTimeSuffix);
  } else if (same_boot) {
    return {};
  }

  std::vector<LostEnd> ends;
  for (const auto& [suffix, file] : {std::pair(kLogSuffix, 0), std::pair(kInputSuffix, 2)}) {
    auto fd = open_regular(directory, name + std::string(suffix), O_RDWR | O_APPEND);
    if (!fd && fd.error().code == Code::kNotFound) continue;
    if (!fd) return std::move(fd).error();
    auto found = look_at(fd->get());
    if (!found) return std::move(found).error();
    auto end = lost_end(fd->get(), found->size, 0, false, false);
    if (!end) return std::move(end).error();
    if (*end < found->size)
      ends.push_back({suffix, static_cast<std::size_t>(file), std::move(*fd), found->size, *end});
  }
  if (ends.empty()) return {};
  if (auto found = find_proven(time, name, seals, ends); !found) return found;
  for (const LostEnd& lost : ends) {
    auto end = lost_end(lost.fd.get(), lost.size, lost.proven, false, same_boot);
    if (!end) return std::move(end).error();
    if (*end >= lost.size) continue;
    if (auto cut = cut_off(lost.fd.get(), *end); !cut) return cut;
    state(lost.size - *end, lost.suffix);
  }
  return {};
}

/// States bytes without a record, or records without bytes. `left`: data bytes less what records claim,
/// signed.
void settle(char letter, std::uint64_t held, std::uint64_t claimed, std::string& records, std::string& did) {
  const std::string file = letter == 'O' ? ".log" : ".in";
  if (held > claimed) {
    const std::uint64_t n = held - claimed;
    records += encode_gap(0, {"timing", "a crash: no record says when these bytes of " + file + " came", n});
    char line[kDataRecordBytes];
    records.append(line, encode_data_record(line, letter, 0, n));
    did += "gave " + std::to_string(n) + " bytes of " + file + " a record; ";
  } else if (claimed > held) {
    const std::uint64_t n = claimed - held;
    records += encode_gap(0, {letter == 'O' ? "output" : "input",
                              "a crash: " + file + " ends before the bytes that timing records speak of", n});
    did += "stated " + std::to_string(n) + " bytes missing from " + file + "; ";
  }
}

}  // namespace

bool needs_repair(int directory, const std::string& name) {
  auto time = open_regular(directory, name + std::string(kTimeSuffix), O_RDONLY);
  if (!time || is_locked(time->get())) return false;
  auto head = read_part(time->get(), 0, kOurBegin.size());
  if (!head || !kOurBegin.starts_with(begin_of(*head))) return false;
  auto whole = has_end(time->get());
  return whole && !*whole;
}

bool remove_unbegun(int directory, const std::string& name) {
  if (!parse_name(name)) return false;
  std::vector<std::pair<std::string, Fd>> files;
  for (const std::string_view suffix : {kLogSuffix, kInputSuffix, kTimeSuffix}) {
    const std::string path = name + std::string(suffix);
    auto fd = open_regular(directory, path, O_RDONLY);
    if (!fd && fd.error().code == Code::kNotFound) continue;
    if (!fd || !nobody_else_has(fd->get())) return false;
    auto facts = look_at(fd->get());
    if (!facts || facts->size != 0) return false;
    files.emplace_back(path, std::move(*fd));
  }
  for (const auto& [path, fd] : files) {
    (void)set_append_only(fd.get(), false).ok();
    if (::unlinkat(directory, path.c_str(), 0) != 0) return false;
  }
  return !files.empty();
}

Result<std::string> repair_tail(int directory, const std::string& name, WallUs now,
                                const SealKnowledge& seals) {
  const std::string path = name + std::string(kTimeSuffix);
  {
    auto look = open_regular(directory, path, O_RDONLY);
    if (!look) return std::move(look).error();
    auto whole = has_end(look->get());
    if (!whole) return std::move(whole).error();
    if (*whole) return std::string();
  }
  auto time = open_regular(directory, path, O_RDWR | O_APPEND);
  if (!time) return std::move(time).error();
  if (auto locked = lock_as_writer(time->get(), name); !locked) return std::move(locked).error();
  auto head = read_part(time->get(), 0, kOurBegin.size());
  if (!head) return std::move(head).error();
  if (*head != kOurBegin && (!kOurBegin.starts_with(begin_of(*head)) || !nobody_else_has(time->get()))) {
    return Error{Code::kInvalid, path + ": not made by opelog, not touched", 0};
  }
  std::string did;
  auto lost = cut_lost(directory, name, time->get(), seals, did);
  if (!lost) return std::move(lost).error();
  auto scan = scan_timing(time->get(), name);
  if (!scan) return std::move(scan).error();

  auto held_out = complete_first_line(directory, name + std::string(kLogSuffix), now, did);
  if (!held_out) return std::move(held_out).error();
  std::uint64_t held_in = 0;
  {
    auto input = open_regular(directory, name + std::string(kInputSuffix), O_RDONLY);
    if (input) {
      auto held = complete_first_line(directory, name + std::string(kInputSuffix), now, did);
      if (!held) return std::move(held).error();
      held_in = *held;
    }
  }

  std::string records;
  const auto left = [](std::uint64_t held, std::uint64_t claimed) {
    return held > claimed ? held - claimed : 0;
  };
  if (!complete_torn_line(scan->tail, left(*held_out, scan->out), left(held_in, scan->in), records)) {
    return Error{Code::kInvalid, path + ": its last line cannot be completed, not touched", 0};
  }
  if (!scan->tail.empty()) {
    did += "completed a torn record; ";
    TimingRecord record;
    const std::string line = scan->tail + records.substr(0, records.size() - 1);
    if (parse_timing_line(line, false, record).empty()) {
      scan->at_us = std::min(scan->at_us + delay_of(record), kMaxTimeUs);
      if (const auto* o = std::get_if<OutputRecord>(&record))
        scan->out += std::min(o->size, kMaxDataBytes - scan->out);
      if (const auto* i = std::get_if<InputRecord>(&record))
        scan->in += std::min(i->size, kMaxDataBytes - scan->in);
    }
  }
  settle('O', *held_out, scan->out, records, did);
  settle('I', held_in, scan->in, records, did);
  did += "wrote the end";
  JsonObject repair;
  repair.number("at_us", now).text("did", did);
  records += encode_note(0, kOpelogRepair, std::move(repair).take());
  EndInfo end;
  end.reason = EndReason::kCrash;
  end.bytes_out = *held_out;
  end.bytes_err = std::min(scan->err, *held_out);
  end.bytes_in = held_in;
  records += encode_end(0, scan->at_us, end);
  if (auto done = write_all(time->get(), records); !done) {
    return Error{done.error().code, path + ": " + done.error().message, done.error().err};
  }
  // Not synced: should this be lost as well, the next start finds the same tail again.
  return did;
}

}  // namespace opelog::format
