// The lines of a timing file: their constants, encoding and parsing. docs/formats/recording.md is the
// reference; a test reads the tables of that page and compares them with the constants here.
//
// Pure: bytes in, values out. Not here: what a note's JSON means (session_header.h), files (…_io.h).
// Invariant: whatever an encode_ function returns, TimingScanner reads back, and util-linux scriptreplay
// >= 2.35 plays: one record a line, six decimals, no empty O or I, no H without a name, no control
// characters.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace opelog::format {

/// Bytes of an H record's name: scriptreplay reads it by %128s.
constexpr std::size_t kMaxNameBytes = 128;
/// Bytes of an H record's value: scriptreplay's line buffer can be 1024 (BUFSIZ of some libc).
constexpr std::size_t kMaxValueBytes = 1000;
/// Bytes of a value we write before splitting: leaves room for kTornMark, should the line be torn.
constexpr std::size_t kSplitValueBytes = 990;
/// Parts one value may be split into (about 1 MB: a command line of 128 KiB with every byte escaped, and
/// more).
constexpr std::size_t kMaxParts = 1024;
/// A line without LF after this many bytes is no timing file. Plain script writes whole command lines.
constexpr std::size_t kMaxLineBytes = 65536;
/// Largest delay of one record, about 31 years: anything above is damage.
constexpr std::int64_t kMaxDelayUs = 1000000000000000;
/// Largest sum of delays; keeps every addition inside 64 bits.
constexpr std::int64_t kMaxTimeUs = 4000000000000000000;
/// Largest size of one O or I record: a file offset.
constexpr std::uint64_t kMaxDataBytes = 0x7fffffffffffffff;
/// Ends a value (or a name) that a crash cut short. `~` is never written otherwise.
constexpr std::string_view kTornMark = "~torn";

// Names that util-linux script writes.
constexpr std::string_view kStartTime = "START_TIME";
constexpr std::string_view kTerm = "TERM";
constexpr std::string_view kTty = "TTY";
constexpr std::string_view kColumns = "COLUMNS";
constexpr std::string_view kLines = "LINES";
constexpr std::string_view kShell = "SHELL";
constexpr std::string_view kCommand = "COMMAND";
constexpr std::string_view kTimingLog = "TIMING_LOG";
constexpr std::string_view kOutputLog = "OUTPUT_LOG";
constexpr std::string_view kInputLog = "INPUT_LOG";
constexpr std::string_view kDuration = "DURATION";
constexpr std::string_view kExitCode = "EXIT_CODE";
constexpr std::string_view kSigwinch = "SIGWINCH";  // of an S record

// Ours.
constexpr std::string_view kOurPrefix = "OPELOG_";
constexpr std::string_view kOpelogSession = "OPELOG_SESSION";
constexpr std::string_view kOpelogUser = "OPELOG_USER";
constexpr std::string_view kOpelogClient = "OPELOG_CLIENT";
constexpr std::string_view kOpelogAncestry = "OPELOG_ANCESTRY";
constexpr std::string_view kOpelogCommand = "OPELOG_COMMAND";
constexpr std::string_view kOpelogKept = "OPELOG_KEPT";
constexpr std::string_view kOpelogPolicy = "OPELOG_POLICY";
constexpr std::string_view kOpelogStream = "OPELOG_STREAM";
constexpr std::string_view kOpelogNote = "OPELOG_NOTE";
constexpr std::string_view kOpelogExec = "OPELOG_EXEC";
constexpr std::string_view kOpelogExit = "OPELOG_EXIT";
constexpr std::string_view kOpelogGap = "OPELOG_GAP";
constexpr std::string_view kOpelogRepair = "OPELOG_REPAIR";
/// The session's opening entry in the ledger, and the seals (docs/formats/seals.md).
constexpr std::string_view kOpelogOpened = "OPELOG_OPENED";
constexpr std::string_view kOpelogSeal = "OPELOG_SEAL";
constexpr std::string_view kOpelogResumed = "OPELOG_RESUMED";
constexpr std::string_view kOpelogTorn = "OPELOG_TORN";
constexpr std::string_view kOpelogEnd = "OPELOG_END";

/// `size` bytes went to the terminal (or came from it).
struct OutputRecord {
  std::int64_t delay_us = 0;
  std::uint64_t size = 0;
  bool operator==(const OutputRecord&) const = default;
};
struct InputRecord {
  std::int64_t delay_us = 0;
  std::uint64_t size = 0;
  bool operator==(const InputRecord&) const = default;
};
struct SignalRecord {
  std::int64_t delay_us = 0;
  std::string name, value;
  bool operator==(const SignalRecord&) const = default;
};
struct HeaderRecord {
  std::int64_t delay_us = 0;
  std::string name, value;
  bool operator==(const HeaderRecord&) const = default;
};
using TimingRecord = std::variant<OutputRecord, InputRecord, SignalRecord, HeaderRecord>;

std::int64_t delay_of(const TimingRecord& record);

/// Room for the longest O or I record.
constexpr std::size_t kDataRecordBytes = 48;
/// "O 0.001234 17\n" into `out` (kDataRecordBytes), without allocation. `size` >= 1; a negative delay becomes
/// 0, one above kMaxDelayUs becomes that. Returns the length.
std::size_t encode_data_record(char* out, char letter, std::int64_t delay_us, std::uint64_t size) noexcept;

std::string encode_resize(std::int64_t delay_us, int rows, int cols);

/// One H line with the text of a standard name: made printable, cut to kSplitValueBytes.
std::string encode_text_header(std::string_view name, std::string_view text);

/// H lines of one note of any length: made safe (a JSON string where it is not plain ASCII), split into parts
/// NAME:1/3 …; a value beyond kMaxParts is cut and says so by kTornMark. The delay is on the first line.
/// Characters of `name` other than letters, digits, `_`, `-`, `.` become `_`.
std::string encode_note(std::int64_t delay_us, std::string_view name, std::string_view value);

/// Reads records out of bytes that arrive in any pieces. Bounded: keeps at most one unfinished line
/// (kMaxLineBytes) beyond what was fed.
class TimingScanner {
 public:
  enum class Outcome {
    kRecord,
    kNeedMore,  ///< feed() more; at the end of the file: tail() is what a crash left, "" if nothing
    kCorrupt,   ///< sticky; problem() says why, offset() where
  };

  void feed(std::string_view bytes);
  Outcome next(TimingRecord& record);

  [[nodiscard]] bool classic() const noexcept {
    return classic_;
  }  ///< "delay size" lines; known after the first byte
  [[nodiscard]] std::uint64_t offset() const noexcept { return offset_; }  ///< where the next record begins
  [[nodiscard]] std::string_view tail() const noexcept { return std::string_view(buffer_).substr(from_); }
  [[nodiscard]] const std::string& problem() const noexcept { return problem_; }

 private:
  Outcome corrupt(std::string why);
  std::string buffer_;
  std::size_t from_ = 0;      ///< of the unread part of buffer_
  std::size_t searched_ = 0;  ///< no LF before this index
  std::uint64_t offset_ = 0;
  bool begun_ = false, classic_ = false;
  std::string problem_;
};

/// Parses one line without its LF. Returns "" and fills `record`, or what is wrong with it.
std::string parse_timing_line(std::string_view line, bool classic, TimingRecord& record);

/// "ROWS=24 COLS=80", nothing else; false for any other text or a size outside 1..65535.
bool parse_window_size(std::string_view value, int& rows, int& cols) noexcept;

/// What must follow the torn `tail` (an unfinished multi-stream line) so that it becomes a valid record, LF
/// included. `out_left` and `in_left` are bytes of `.log` and `.in` that no record speaks of yet: a torn O or
/// I takes as many as its digits allow. False if `tail` is not the beginning of a record. Never claims a note
/// was complete unless it was.
bool complete_torn_line(std::string_view tail, std::uint64_t out_left, std::uint64_t in_left,
                        std::string& suffix);

}  // namespace opelog::format
