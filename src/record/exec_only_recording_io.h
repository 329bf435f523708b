// ExecOnlyRecording: a recording of what a login executes, without its terminal.
//
// A session's recording in all but its output: the same files, name, guard and end.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "core/clock_io.h"
#include "core/result.h"
#include "format/recording_writer_io.h"
#include "format/session_info.h"
#include "record/disk_share_io.h"
#include "record/exec_event.h"
#include "record/exec_log_io.h"

namespace opelog::record {

class ExecOnlyRecording {
 public:
  ExecOnlyRecording(format::SessionInfo info, std::unique_ptr<format::RecordingWriter> writer,
                    DiskReserve& reserve)
      : info_(std::move(info)),
        writer_(std::move(writer)),
        log_(*writer_),
        disk_(reserve, info_.uid, *writer_) {}
  ExecOnlyRecording(const ExecOnlyRecording&) = delete;
  ExecOnlyRecording& operator=(const ExecOnlyRecording&) = delete;

  void executed(const ProcessEvent& event) {
    if (!disk_.may_write()) return log_.withheld(kNoPart);
    log_.take(event, mono_now());
    disk_.charge();
  }
  void lost(std::uint64_t count, const std::string& why) { log_.lost(count, why, mono_now()); }
  /// Nothing is written after it.
  Status end(const format::EndInfo& how) {
    log_.end(mono_now());
    return writer_->end(how, mono_now());
  }

  [[nodiscard]] const format::SessionInfo& info() const noexcept { return info_; }
  [[nodiscard]] format::RecordingWriter& writer() noexcept { return *writer_; }

 private:
  format::SessionInfo info_;
  std::unique_ptr<format::RecordingWriter> writer_;
  ExecLog log_;
  DiskShare disk_;
};

}  // namespace opelog::record
