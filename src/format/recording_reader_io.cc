#include "format/recording_reader_io.h"

#include <algorithm>
#include <deque>
#include <utility>
#include <vector>

#include "format/recording_files_io.h"
#include "format/recording_open_io.h"

namespace opelog::format {
namespace {

constexpr std::size_t kPieceBytes = 64 * 1024;  // of one event; what the contract promises
constexpr std::uint64_t kHoleBytes = 1 << 20;   // smaller ones are read as the zeros they stand for
constexpr std::string_view kScriptDone = "\nScript done on ";

}  // namespace

struct RecordingReader::State {
  /// A file that O or I records take their bytes from.
  struct Source {
    StoredFile* file = nullptr;
    std::uint64_t begin = 0, at = 0;
    std::uint64_t missing = 0;  ///< bytes that records spoke of and no gap has stated
  };

  RecordingFiles files;
  HeaderDecoder header;
  std::vector<char> buffer = std::vector<char>(kReadBytes);

  TimingScanner scanner;
  NoteJoiner joiner;
  Source log, in;
  bool header_read = false;     ///< open() found one
  bool shared_log = false;      ///< script --log-io: input and output lie in one file
  std::uint64_t time_at = 0;    ///< bytes of `.time` read
  std::uint64_t record_at = 0;  ///< where the record in hand begins
  bool in_header = true;
  std::int64_t delay = 0;  ///< of records swallowed since the last event
  std::int64_t at_us = 0;
  std::optional<HeaderRecord> again;  ///< to be added once more after a torn note

  char data_letter = 0;  ///< 'O' or 'I' while bytes of a record are being handed out
  std::uint64_t data_left = 0;

  bool ended = false;  ///< an end record was seen
  bool leave_out_holes = false;
  bool tail_told = false;              ///< bytes without timing were handed out
  Outcome final = Outcome::kNeedMore;  ///< sticky once it is something else
  std::string problem;
  std::deque<Event> queue;  ///< events made together; at most three

  [[nodiscard]] bool native() const { return header.native || ended; }
  Source& source(char letter) { return letter == 'I' && !shared_log ? in : log; }

  Status begin() {
    scanner = TimingScanner();
    joiner = NoteJoiner();
    time_at = record_at = 0;
    in_header = true;
    delay = at_us = 0;
    again.reset();
    data_letter = 0;
    data_left = 0;
    ended = tail_told = false;
    final = Outcome::kNeedMore;
    problem.clear();
    queue.clear();
    for (const auto& [file, to] : {std::pair{&files.log, &log}, std::pair{&files.in, &in}}) {
      *to = Source{};
      if (!*file) continue;
      StoredFile& from = **file;
      auto found = data_begin(
          [&](char* data, std::size_t size, std::uint64_t at) { return from.read_at(data, size, at); },
          !files.time);
      // Damage is told by next(), when it comes to these bytes.
      if (!found && found.error().code == Code::kInvalid) found = std::optional<std::uint64_t>(0);
      if (!found) return std::move(found).error();
      std::uint64_t at = 0;
      if (*found) {
        at = **found;
      } else {
        auto size = from.size();
        if (!size && size.error().code != Code::kInvalid) return std::move(size).error();
        at = size ? *size : 0;
      }
      *to = Source{&from, at, at, 0};
    }
    return {};
  }

  Outcome finish(Outcome outcome, std::string why) {
    final = outcome;
    problem = std::move(why);
    return outcome;
  }

  /// An event at the present time, carrying the delay that has come together.
  Event make(Event::Kind kind, std::uint64_t offset) {
    Event event;
    event.kind = kind;
    event.delay_us = std::exchange(delay, 0);
    event.at_us = at_us;
    event.offset = offset;
    return event;
  }

  void queue_gap(const char* what, std::string why, std::uint64_t bytes, std::uint64_t offset) {
    Event event = make(Event::Kind::kGap, offset);
    event.gap = GapInfo{what, std::move(why), bytes};
    queue.push_back(std::move(event));
  }

  /// More of `.time` into the scanner; false at its end.
  Result<bool> read_more() {
    if (!files.time) return false;
    auto got = files.time->read_at(buffer.data(), buffer.size(), time_at);
    if (!got) return std::move(got).error();
    time_at += *got;
    scanner.feed({buffer.data(), *got});
    return *got > 0;
  }

  bool is_live() const { return files.time && is_locked(files.time->descriptor()); }

  void take_note(const Note& note) {
    if (in_header) {
      if (HeaderDecoder::is_header_name(note.name)) {
        if (!header_read) header.take(note);  // open() came before the writer's header
        return;
      }
      in_header = false;
    }
    if (auto gap = decode_gap(note)) {
      if (gap->what == "output") log.missing -= std::min(log.missing, gap->bytes);
      if (gap->what == "input") in.missing -= std::min(in.missing, gap->bytes);
      Event event = make(Event::Kind::kGap, record_at);
      event.gap = std::move(gap);
      queue.push_back(std::move(event));
      return;
    }
    auto end = decode_end(note);
    if (!end && !header.native && note.name == kExitCode) {
      end = EndRecord{};
      if (auto code = parse_duration(note.value + ".0"))
        end->info.exit_code = static_cast<int>(*code / kUsPerS);
      end->info.bytes_out = log.at - log.begin;
      end->info.bytes_in = shared_log ? 0 : in.at - in.begin;
    } else if (end) {
      ended = true;
    }
    Event event = make(end ? Event::Kind::kEnd : Event::Kind::kNote, record_at);
    if (end) {
      event.end = end->info;
    } else {
      event.name = note.name;
      event.value = note.value;
    }
    queue.push_back(std::move(event));
  }

  void take_header(HeaderRecord record) {
    bool taken = false;
    const auto note = joiner.add(record, taken);
    if (!taken) again = std::move(record);
    if (note) take_note(*note);
  }

  /// False: time runs past its bound.
  bool take_record(TimingRecord record) {
    const std::int64_t d = delay_of(record);
    if (at_us + d > kMaxTimeUs) return false;
    delay += d;
    at_us += d;
    if (auto* h = std::get_if<HeaderRecord>(&record)) {
      take_header(std::move(*h));
      return true;
    }
    if (auto note = joiner.drain()) take_note(*note);
    in_header = false;
    if (const auto* o = std::get_if<OutputRecord>(&record)) {
      data_letter = 'O';
      data_left = o->size;
    } else if (const auto* i = std::get_if<InputRecord>(&record)) {
      data_letter = 'I';
      data_left = i->size;
    } else if (auto* s = std::get_if<SignalRecord>(&record)) {
      int rows = 0;
      int cols = 0;
      const bool resize = s->name == kSigwinch && parse_window_size(s->value, rows, cols);
      Event event = make(resize ? Event::Kind::kResize : Event::Kind::kSignal, record_at);
      event.rows = rows;
      event.cols = cols;
      if (!resize) {
        event.name = std::move(s->name);
        event.value = std::move(s->value);
      }
      queue.push_back(std::move(event));
    }
    return true;
  }

  /// The next bytes of the record in hand into `event`; kNeedMore if a live writer has yet to write them,
  /// kEvent if there is an event (perhaps queued), kEnd if the record is used up.
  Outcome take_data(Event& event) {
    if (data_left == 0) return Outcome::kEnd;
    Source& from = source(data_letter);
    const std::size_t want = static_cast<std::size_t>(std::min<std::uint64_t>(data_left, kPieceBytes));
    std::string bytes(want, '\0');
    std::size_t got = 0;
    if (from.file != nullptr) {
      const bool live = is_live_for_short_read(from, want, bytes, got);
      if (got == 0 && live) return Outcome::kNeedMore;
      if (final != Outcome::kNeedMore) return final;
    }
    if (got == 0) {
      const bool output = data_letter == 'O';
      from.missing += data_left;
      queue_gap(output ? "output" : "input",
                std::string(output ? "the .log" : "the .in") + " ends before the bytes this record speaks of",
                data_left, record_at);
      data_left = 0;
      return Outcome::kEvent;
    }
    if (const std::uint64_t hole = hole_behind(from, bytes, got); hole > 0) {
      queue_gap(data_letter == 'O' ? "output" : "input", "a hole in the file: its zero bytes are not played",
                hole, record_at);
      from.at += hole;
      data_left -= hole;
      return Outcome::kEvent;
    }
    bytes.resize(got);
    event = make(data_letter == 'O' ? Event::Kind::kOutput : Event::Kind::kInput, from.at);
    event.bytes = std::move(bytes);
    from.at += got;
    data_left -= got;
    queue_front_ = true;
    return Outcome::kEvent;
  }

  /// Bytes of a hole of the file at this place, 0 if there is none worth a word.
  std::uint64_t hole_behind(const Source& from, const std::string& bytes, std::size_t got) const {
    if (!leave_out_holes || data_left < kHoleBytes || bytes.find_first_not_of('\0') < got) return 0;
    auto data = from.file->next_data(from.at);
    if (!data) return 0;  // a file system that does not tell
    const std::uint64_t hole = std::min(*data - from.at, data_left);
    return hole < kHoleBytes ? 0 : hole;
  }

  /// Reads from `from`; asks whether a writer lives only if nothing came.
  bool is_live_for_short_read(const Source& from, std::size_t want, std::string& bytes, std::size_t& got) {
    auto read = from.file->read_at(bytes.data(), want, from.at);
    if (!read) {
      finish(Outcome::kCorrupt, read.error().message);
      return false;
    }
    got = *read;
    return got == 0 && is_live();
  }

  bool queue_front_ = false;  ///< take_data() filled the caller's event itself

  /// Bytes that no record speaks of: handed out once, as a gap of timing and their data. True if there were
  /// any.
  Result<bool> tell_untimed(char letter) {
    Source& from = source(letter);
    if (from.file == nullptr) return false;
    auto size = from.file->size();
    if (!size) return std::move(size).error();
    if (*size <= from.at) return false;
    if (!native()) {
      std::string head(kScriptDone.size(), '\0');
      auto got = from.file->read_at(head.data(), head.size(), from.at);
      if (!got) return std::move(got).error();
      if (head == kScriptDone) return false;
    }
    data_letter = letter;
    data_left = *size - from.at;
    queue_gap("timing", "no record says when these bytes came", data_left, record_at);
    return true;
  }

  /// At the end of `.time` with no writer left.
  Outcome at_end() {
    if (auto note = joiner.drain()) {
      take_note(*note);
      return Outcome::kEvent;
    }
    for (const char letter : {'O', 'I'}) {
      if (letter == 'I' && (shared_log || !native())) continue;
      auto told = tell_untimed(letter);
      if (!told) return finish(Outcome::kCorrupt, told.error().message);
      if (*told) {
        tail_told = true;
        return Outcome::kEvent;
      }
    }
    if (!scanner.tail().empty()) return finish(Outcome::kTorn, "torn in the middle of a timing record");
    if (!files.time) return finish(Outcome::kTorn, "there is no timing file");
    if (!files.log) return finish(Outcome::kTorn, "there is no .log");
    const std::uint64_t missing = log.missing + in.missing;
    if (missing > 0)
      return finish(Outcome::kTorn, std::to_string(missing) + " recorded bytes are missing from the files");
    if (native() && !ended) return finish(Outcome::kTorn, "there is no end record");
    if (native() && tail_told)
      return finish(Outcome::kTorn, "there are bytes that no timing record speaks of");
    return finish(Outcome::kEnd, "");
  }

  Outcome next(Event& event) {
    for (;;) {
      if (!queue.empty()) {
        event = std::move(queue.front());
        queue.pop_front();
        return Outcome::kEvent;
      }
      if (final != Outcome::kNeedMore) return final;
      if (again) {
        HeaderRecord record = std::move(*again);
        again.reset();
        take_header(std::move(record));
        continue;
      }
      const Outcome data = take_data(event);
      if (data == Outcome::kNeedMore || data == Outcome::kCorrupt) return data;
      if (data == Outcome::kEvent) {
        if (std::exchange(queue_front_, false)) return data;
        continue;
      }
      record_at = scanner.offset();
      TimingRecord record;
      const auto outcome = scanner.next(record);
      if (outcome == TimingScanner::Outcome::kRecord) {
        if (!take_record(std::move(record)))
          return finish(Outcome::kCorrupt, "the delays add up to more than any session lasts");
        continue;
      }
      if (outcome == TimingScanner::Outcome::kCorrupt) {
        return finish(Outcome::kCorrupt,
                      "byte " + std::to_string(scanner.offset()) + ": " + scanner.problem());
      }
      // Whether a writer lives is asked before the last look: one that ends in between has then written all.
      const bool was_live = !ended && is_live();
      auto more = read_more();
      if (!more) return finish(Outcome::kCorrupt, more.error().message);
      if (*more) continue;
      if (was_live) return Outcome::kNeedMore;
      const Outcome last = at_end();
      if (last != Outcome::kEvent) return last;
    }
  }
};

RecordingReader::RecordingReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
RecordingReader::~RecordingReader() = default;

Result<std::unique_ptr<RecordingReader>> RecordingReader::open(const std::string& path) {
  auto files = open_recording(path);
  if (!files) return std::move(files).error();
  auto state = std::make_unique<State>();
  state->files = std::move(*files);
  auto problem = read_header(state->files, kReadBytes, state->header);
  if (!problem) return std::move(problem).error();  // a corrupt file is told by next(), with its place
  if (auto done = open_named_logs(state->files, state->header); !done) return std::move(done).error();
  const HeaderDecoder& header = state->header;
  state->shared_log = !header.native && !header.input_log.empty() && header.input_log == header.output_log;
  state->header_read = state->files.time_facts.size > 0;
  fill_from_outside(state->files, state->header.info);
  if (auto done = state->begin(); !done) return std::move(done).error();
  return std::unique_ptr<RecordingReader>(new RecordingReader(std::move(state)));
}

const SessionInfo& RecordingReader::info() const noexcept {
  return state_->header.info;
}
bool RecordingReader::native() const noexcept {
  return state_->native();
}
bool RecordingReader::live() const {
  return state_->is_live();
}
Outcome RecordingReader::next(Event& event) {
  return state_->next(event);
}
std::uint64_t RecordingReader::offset() const noexcept {
  return state_->scanner.offset();
}
const std::string& RecordingReader::problem() const noexcept {
  return state_->problem;
}
void RecordingReader::leave_out_holes(bool on) noexcept {
  state_->leave_out_holes = on;
}
Status RecordingReader::rewind() {
  return state_->begin();
}

}  // namespace opelog::format
