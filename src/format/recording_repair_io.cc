#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "format/json_text.h"
#include "format/recording_files_io.h"
#include "format/recording_writer_io.h"
#include "format/session_header.h"
#include "format/timing_record.h"

namespace opelog::format {
namespace {

/// What every one of our timing files begins with.
constexpr std::string_view kOurBegin = "H 0.000000 OPELOG_";

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

Result<Scan> scan_timing(int fd, const std::string& name) {
  Scan scan;
  TimingScanner scanner;
  TimingRecord record;
  std::vector<char> buffer(kReadBytes);
  bool err = false;
  for (std::uint64_t at = 0;;) {
    auto got = read_at(fd, buffer.data(), buffer.size(), at);
    if (!got) return std::move(got).error();
    if (*got == 0) break;
    at += *got;
    scanner.feed({buffer.data(), *got});
    TimingScanner::Outcome outcome;
    while ((outcome = scanner.next(record)) == TimingScanner::Outcome::kRecord) {
      scan.at_us = std::min(scan.at_us + delay_of(record), kMaxTimeUs);
      if (const auto* o = std::get_if<OutputRecord>(&record)) {
        scan.out += std::min(o->size, kMaxDataBytes - scan.out);
        if (err) scan.err += std::min(o->size, kMaxDataBytes - scan.err);
      } else if (const auto* i = std::get_if<InputRecord>(&record)) {
        scan.in += std::min(i->size, kMaxDataBytes - scan.in);
      } else if (const auto* h = std::get_if<HeaderRecord>(&record);
                 h != nullptr && h->name == kOpelogStream) {
        err = h->value == "2";
      }
    }
    if (outcome == TimingScanner::Outcome::kCorrupt || scanner.classic()) {
      return Error{Code::kInvalid,
                   name + ".time: damaged at byte " + std::to_string(scanner.offset()) +
                       ", not touched: " + (scanner.classic() ? "not ours" : scanner.problem()),
                   0};
    }
  }
  scan.tail = scanner.tail();
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
  if (!head || kOurBegin.substr(0, head->size()) != *head) return false;
  auto whole = has_end(time->get());
  return whole && !*whole;
}

Result<std::string> repair_tail(int directory, const std::string& name, WallUs now) {
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
  if (*head != kOurBegin && (kOurBegin.substr(0, head->size()) != *head || !nobody_else_has(time->get()))) {
    return Error{Code::kInvalid, path + ": not made by opelog, not touched", 0};
  }
  auto scan = scan_timing(time->get(), name);
  if (!scan) return std::move(scan).error();

  std::string did;
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
    did = "completed a torn record; " + did;
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
