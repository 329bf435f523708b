// RecordingReader: one reader for every tool: ours, plain `script` recordings (classic and multi-stream
// timing), live or closed. Bounded memory; outcomes are named. Never writes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "format/session_info.h"
#include "format/timing_record.h"

namespace opelog::format {

/// One step of a recording. For kOutput/kInput `bytes` are the data (a long record comes in pieces of at most
/// 64 KiB, the delay on the first).
struct Event {
  enum class Kind { kOutput, kInput, kResize, kSignal, kNote, kGap, kEnd };
  Kind kind = Kind::kOutput;
  std::int64_t delay_us = 0;  ///< since the event before
  std::int64_t at_us = 0;     ///< since the start
  std::uint64_t offset = 0;   ///< of `bytes` in `.log` or `.in`, or of the record in `.time`
  std::string bytes;
  int rows = 0, cols = 0;   ///< kResize
  std::string name, value;  ///< kNote (parts joined), kSignal (name)
  std::optional<GapInfo> gap;
  std::optional<EndInfo> end;
};

enum class Outcome {
  kEvent,
  kNeedMore,  ///< live: nothing more yet, call again later
  kEnd,       ///< clean end: an end record was seen (or, for plain script, the files' end)
  kTorn,      ///< closed without an end record, or in the middle of a record
  kCorrupt,   ///< cannot be a recording from offset() on
};

class RecordingReader {
 public:
  /// `path` is any of the recording's files or its base path. Reads the header.
  static Result<std::unique_ptr<RecordingReader>> open(const std::string& path);
  ~RecordingReader();

  [[nodiscard]] const SessionInfo& info()
      const noexcept;                          ///< what is known; plain script: from the name and file times
  [[nodiscard]] bool native() const noexcept;  ///< made by opelog
  [[nodiscard]] bool live() const;             ///< a writer holds it now

  Outcome next(Event& event);
  [[nodiscard]] std::uint64_t offset() const noexcept;        ///< in `.time`, where the next record begins
  [[nodiscard]] const std::string& problem() const noexcept;  ///< one sentence for kTorn and kCorrupt

  /// A hole of the data files of a MiB or more becomes a gap instead of zero bytes: one of terabytes costs
  /// whoever made it nothing, and would keep a reader busy for hours. Off at first.
  void leave_out_holes(bool on) noexcept;

  /// Starts again at the beginning.
  Status rewind();

 private:
  struct State;
  explicit RecordingReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace opelog::format
