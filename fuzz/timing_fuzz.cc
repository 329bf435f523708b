// The timing reader on any bytes: the same records however they arrive, bounded, every offset inside the
// input; notes, headers and ends decode to values that survive being written again; whatever tail is left can
// be completed or is refused.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "format/json_text.h"
#include "format/session_header.h"
#include "format/timing_record.h"

namespace {

using namespace opelog::format;

void require(bool holds) {
  if (!holds) std::abort();
}

struct Scanned {
  std::vector<TimingRecord> records;
  TimingScanner::Outcome outcome = TimingScanner::Outcome::kNeedMore;
  std::uint64_t offset = 0;
  std::string problem, tail;
  bool classic = false;
};

Scanned scan(std::string_view bytes, std::size_t step) {
  TimingScanner scanner;
  Scanned scanned;
  TimingRecord record;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    scanner.feed(bytes.substr(at, step));
    while ((scanned.outcome = scanner.next(record)) == TimingScanner::Outcome::kRecord)
      scanned.records.push_back(record);
    if (scanned.outcome == TimingScanner::Outcome::kCorrupt) break;
  }
  scanned.offset = scanner.offset();
  scanned.problem = scanner.problem();
  scanned.tail = scanner.tail();
  scanned.classic = scanner.classic();
  require(scanned.offset <= bytes.size());
  require((scanned.outcome == TimingScanner::Outcome::kCorrupt) == !scanned.problem.empty());
  return scanned;
}

void check_notes(const std::vector<TimingRecord>& records) {
  NoteJoiner joiner;
  HeaderDecoder decoder;
  const auto take = [&](const Note& note) {
    decoder.take(note);
    if (const auto gap = decode_gap(note)) require(!encode_gap(0, *gap).empty());
    if (const auto end = decode_end(note)) {
      const std::string lines = encode_end(0, end->duration_us, end->info);
      const std::size_t last = lines.rfind(" {");
      const auto again =
          decode_end(Note{std::string(kOpelogEnd), lines.substr(last + 1, lines.size() - last - 2), false});
      require(again && again->info == end->info && again->duration_us == end->duration_us);
    }
  };
  for (const TimingRecord& record : records) {
    require(delay_of(record) >= 0 && delay_of(record) <= kMaxDelayUs);
    const auto* header = std::get_if<HeaderRecord>(&record);
    if (header == nullptr) continue;
    int rounds = 0;
    for (bool taken = false; !taken; ++rounds) {
      require(rounds < 2);
      if (const auto note = joiner.add(*header, taken)) take(*note);
    }
  }
  if (const auto note = joiner.drain()) take(*note);
  // What was understood, written and read again, is the same.
  const std::string lines = encode_header(decoder.info, {"name", decoder.append_only, true});
  NoteJoiner again_joiner;
  HeaderDecoder again;
  const Scanned scanned = scan(lines, lines.size());
  require(scanned.outcome == TimingScanner::Outcome::kNeedMore && scanned.tail.empty());
  for (const TimingRecord& record : scanned.records) {
    bool taken = false;
    if (const auto note = again_joiner.add(std::get<HeaderRecord>(record), taken)) require(again.take(*note));
    require(taken);
  }
  // Strings beyond the header's limits are cut; inputs here are too short for that.
  require(again.info == decoder.info);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 4096) return 0;  // the limits of single strings; longer inputs find nothing more
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Scanned whole = scan(bytes, size == 0 ? 1 : size);
  const Scanned pieces = scan(bytes, 1 + size % 7);
  require(whole.records == pieces.records && whole.outcome == pieces.outcome &&
          whole.offset == pieces.offset);
  check_notes(whole.records);
  if (whole.outcome == TimingScanner::Outcome::kNeedMore && !whole.classic) {
    std::string suffix;
    if (complete_torn_line(whole.tail, size, size / 2, suffix) && !whole.tail.empty()) {
      const std::string line = whole.tail + suffix;
      const Scanned completed = scan(line, line.size());
      require(completed.records.size() == 1 && completed.tail.empty());
    }
  }
  if (const auto json = parse_json(bytes); json && json->kind == JsonValue::Kind::kText) {
    std::string text;
    append_json_string(text, json->string);
    const auto again = parse_json(text);
    require(again && again->string == json->string);
  }
  (void)parse_start_time(bytes);
  (void)parse_duration(bytes);
  return 0;
}
