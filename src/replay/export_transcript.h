// What the exports for readers are made of: the transcript of a session, its commands and what is missing, in
// order of time; and TranscriptWriter, the same as plain text.
//
// The screen is drawn from the session's beginning, so a part of it looks as it looked then; a line belongs
// to the part in which it was first written. Invariants: pieces come in the order in which lines left the
// screen, a command before the first line written after it; text is valid UTF-8 without controls
// (Transcript). Memory: one screen, kMaxHeldPieces commands. Pure.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "replay/export_writer.h"
#include "replay/screen.h"
#include "replay/transcript.h"

namespace opelog::replay {

/// Commands that wait for the line before which they stand; when there are more, the oldest go out.
constexpr std::size_t kMaxHeldPieces = 4096;

/// A writer that gets lines instead of bytes.
class ExportReadable : public ExportWriter {
 public:
  void begin(const ExportHeader& header, ExportBytes& out) final;
  void event(const ExportEvent& event, ExportBytes& out) final;
  void finish(ExportBytes& out) final;
  [[nodiscard]] bool draws() const final { return true; }

 protected:
  virtual void head(const ExportHeader& header, ExportBytes& out) = 0;
  virtual void entry(const TranscriptEntry& entry, ExportBytes& out) = 0;
  /// kCommand, kGap.
  virtual void between(const ExportEvent& event, ExportBytes& out) = 0;
  /// `end` is null if the session has none, or the part does not reach it.
  virtual void foot(const ExportEvent* end, ExportBytes& out) = 0;
  [[nodiscard]] std::int64_t from_us() const noexcept { return from_us_; }

 private:
  void give(const std::vector<TranscriptEntry>& entries, ExportBytes& out);

  std::unique_ptr<Screen> screen_;
  std::unique_ptr<Transcript> transcript_;
  std::int64_t from_us_ = 0;
  std::int64_t line_us_ = 0;  ///< of the last line that was written to
  std::uint64_t offset_ = 0;
  std::deque<ExportEvent> held_;
  std::unique_ptr<ExportEvent> end_;
};

/// Plain text: one logical line a line. What a full-screen program showed last stands behind "| "; what is
/// not in the record in brackets.
class TranscriptWriter final : public ExportReadable {
 private:
  void head(const ExportHeader& header, ExportBytes& out) override { (void)header, (void)out; }
  void entry(const TranscriptEntry& entry, ExportBytes& out) override;
  void between(const ExportEvent& event, ExportBytes& out) override;
  void foot(const ExportEvent* end, ExportBytes& out) override;
  bool unfinished_ = false;  ///< the last line goes on in the next entry
};

}  // namespace opelog::replay
