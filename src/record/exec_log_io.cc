#include "record/exec_log_io.h"

#include <algorithm>

#include "format/timing_record.h"

namespace opelog::record {

void ExecLog::take(const ProcessEvent& event, MonoUs now) {
  const MonoUs at = event.when - writer_.begun();
  const format::ExecPlace place{std::max<MonoUs>(at, 0), trail_.at(event.when), std::max<MonoUs>(-at, 0)};
  const auto* exec = std::get_if<format::ExecInfo>(&event.what);
  const Status noted =
      exec != nullptr ? writer_.note(format::kOpelogExec, format::exec_value(place, *exec), now)
                      : writer_.note(format::kOpelogExit,
                                     format::exit_value(place, std::get<format::ExitInfo>(event.what)), now);
  if (!noted) {
    ++missing_;
    why_ = noted.error().message;
    return;
  }
  ++written_;
  tell_loss(now);
}

void ExecLog::lost(std::uint64_t count, const std::string& why, MonoUs now) {
  missing_ += count;
  some_ = some_ || count == 0;
  why_ = why;
  tell_loss(now);
}

void ExecLog::end(MonoUs now) {
  tell_loss(now);
}

void ExecLog::tell_loss(MonoUs now) {
  if (missing_ == 0 && !some_) return;
  const std::string why = some_ ? why_ + "; others are missing, nobody knows how many" : why_;
  const format::GapInfo gap{"exec", why, 0, missing_};
  if (!(state_loss_ ? state_loss_(gap, now) : writer_.gap(gap, now))) return;
  missing_ = 0;
  some_ = false;
}

}  // namespace opelog::record
