// Reads one recording from its beginning and tells its lines and commands as they become final.
//
// The same recording tells the same, however often it is read and however far it had come: a live one that is
// read again tells first what it told before. Time and memory are bounded by its size: output that makes
// the terminal draw more than kMaxDrawn times what it wrote (full screens by the thousand) goes on as plain
// text without a screen, and `plain_from_us` says from when. Where output is missing, no line goes on. Keys
// (`.in`) are not read: passwords.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "format/recording_reader_io.h"
#include "index/line_block.h"
#include "index/session_commands.h"

namespace opelog::index {

/// Honest programs draw at most twice what they write (an editor's screen again when it leaves).
constexpr std::uint64_t kMaxDrawn = 4;
/// … beyond this, which is nothing.
constexpr std::uint64_t kDrawnFree = 4 << 20;

class SessionSink {
 public:
  virtual ~SessionSink() = default;
  /// Neither empty nor blank. false: enough, read no further.
  virtual bool line(const TextLine& line) = 0;
  virtual bool command(const SessionCommand& command) = 0;
  /// What is told from here on stands on the screen of a session that goes on, and may change.
  virtual void rest() {}
  /// Now and then, between two events: how many bytes of output have been read.
  virtual bool progress(std::uint64_t bytes) { return (void)bytes, true; }
};

struct SessionRead {
  format::Outcome outcome = format::Outcome::kNeedMore;  ///< kEvent: the sink had enough
  std::string problem;                                   ///< of kTorn and kCorrupt
  std::optional<format::EndInfo> end;
  std::int64_t at_us = 0;  ///< of the last event
  std::uint64_t output_bytes = 0;
  std::uint64_t gaps = 0;           ///< records that output is missing
  std::int64_t plain_from_us = -1;  ///< -1: all of it was drawn
};

SessionRead read_session(format::RecordingReader& reader, SessionSink& sink);

}  // namespace opelog::index
