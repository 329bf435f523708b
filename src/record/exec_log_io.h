// ExecLog: writes the exec events of one session into its recording.
//
// What the record refuses is counted and stated by a gap as soon as it takes something again; so are events
// that were lost before they came here. What happened before the recording's beginning says how long before.
// Lives no longer than the writer.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "core/clock.h"
#include "format/recording_writer_io.h"
#include "record/exec_event.h"
#include "record/output_trail.h"

namespace opelog::record {

/// Of events that come before a recording.
constexpr const char* kMoreBefore = "more happened before this recording began than was kept";

class ExecLog {
 public:
  /// Before any output.
  explicit ExecLog(format::RecordingWriter& writer) : ExecLog(writer, writer.log_bytes()) {}
  /// `first_line`: its length; there may be output behind it.
  /// `state_loss` writes the gap that counts the missing; nullptr: the writer.
  using StateLoss = std::function<Status(const format::GapInfo& gap, MonoUs now)>;
  ExecLog(format::RecordingWriter& writer, std::uint64_t first_line, StateLoss state_loss = nullptr)
      : writer_(writer), first_line_(first_line), state_loss_(std::move(state_loss)) {}

  /// Output was recorded.
  void output(MonoUs now) noexcept { trail_.add(now, writer_.log_bytes() - first_line_); }
  void take(const ProcessEvent& event, MonoUs now);
  /// So many more are missing; 0: nobody knows how many.
  void lost(std::uint64_t count, const std::string& why, MonoUs now);
  /// One that must not be written now: counted, and stated with the next that is.
  void withheld(const std::string& why) {
    ++missing_;
    why_ = why;
  }
  /// Before the recording's end.
  void end(MonoUs now);

  [[nodiscard]] std::uint64_t written() const noexcept { return written_; }
  /// Events that are missing, and not yet stated.
  [[nodiscard]] std::uint64_t missing() const noexcept { return missing_; }

 private:
  void tell_loss(MonoUs now);
  format::RecordingWriter& writer_;
  std::uint64_t first_line_;  ///< bytes of `.log` that are no output
  StateLoss state_loss_;
  OutputTrail trail_;
  std::uint64_t written_ = 0;
  std::uint64_t missing_ = 0;  ///< not yet stated
  bool some_ = false;          ///< further ones, nobody knows how many
  std::string why_;
};

}  // namespace opelog::record
