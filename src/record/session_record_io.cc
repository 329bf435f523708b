// What of a session the record takes: output and input within its limits, what it executes, its end, and
// every gap with its count.

#include <algorithm>
#include <utility>

#include "core/clock_io.h"
#include "record/session_io.h"

namespace opelog::record {
namespace {

constexpr const char* kSizeReached = "limits.session_size was reached";
constexpr const char* kDropBegins =
    "faster than limits.output_rate: from here on some is shown and not recorded";
constexpr const char* kDropped = "shown and not recorded, it was faster than limits.output_rate";

}  // namespace

std::size_t Session::accept(int flow, std::string_view bytes) {
  const MonoUs now = mono_now();
  machine_.active(now);
  if (flow == flow_in_) return take_input(bytes, now);
  if (!info_.terminal && !info_.records_payload) return bytes.size();
  return take_output(bytes, flow == flow_err_ ? 2 : 1, now);
}

std::size_t Session::take_output(std::string_view bytes, int stream, MonoUs now) {
  if (ended_) return bytes.size();  // only our own last words come this late
  return quota_.limits_output() ? limited_output(bytes, stream, now) : record_output(bytes, stream, now);
}

// What the limits leave of it is recorded and shown; the rest waits, or is shown and counted.
std::size_t Session::limited_output(std::string_view bytes, int stream, MonoUs now) {
  OutputRate::Share share{within_size(bytes.size()), OutputRate::Rest::kNone, false};
  if (share.record == 0) return 0;
  bytes = bytes.substr(0, share.record);
  if (quota_.rate) share = quota_.rate->share(bytes.size(), now);
  if (share.above) above_rate();
  std::size_t taken = 0;
  if (share.record > 0) {
    if (quota_.drop_stated && !state_dropped(now)) return refused(bytes.size(), 0, failure_);
    taken = record_output(bytes.substr(0, share.record), stream, now);
    if (quota_.rate) {
      quota_.rate->recorded(taken);
      if (memory_ != nullptr) memory_->rate.set(quota_.rate->mark());
    }
    if (taken < share.record) return taken;
  }
  switch (share.rest) {
    case OutputRate::Rest::kNone:
      break;
    case OutputRate::Rest::kWait:
      quota_.wait_until = quota_.rate->next(now);
      if (quota_.wait_until < armed_for_) arm();
      break;
    case OutputRate::Rest::kDrop:
      if (!quota_.drop_stated) {
        // Before the first of it is shown: a crash leaves this statement.
        const Status stated = writer_->gap({"output", kDropBegins, 0}, now);
        if (!stated) return refused(bytes.size(), taken, stated.error().message);
        quota_.drop_stated = true;
        if (machine_.holding()) post({SessionEvent::Kind::kRecordAccepted, false, 0, {}});
      }
      quota_.dropped += bytes.size() - taken;
      return took(bytes.size());
  }
  return taken;
}

// So much of the chunk goes on, and counts say what the files do not: both in the mark at once, or whoever
// goes on would take and count it again.
std::size_t Session::took(std::size_t size) {
  took_turn_ = buffer_.turn;
  took_ = size;
  save();
  return size;
}

// How many of the bytes fit into the recording. At the first that does not the session ends.
std::size_t Session::within_size(std::size_t size) {
  if (quota_.size_limit == 0) return size;
  const std::uint64_t held = disk_.total();
  const std::uint64_t left = quota_.size_limit - std::min(quota_.size_limit, held);
  if (size <= left) return size;
  if (!quota_.size_reached) {
    quota_.size_reached = true;
    post({SessionEvent::Kind::kLimit, false, 0, std::to_string(quota_.size_limit)});
  }
  return static_cast<std::size_t>(left);
}

// False: the record does not take it.
bool Session::state_dropped(MonoUs now) {
  if (auto stated = state_count(Counted::kDropped, {"output", kDropped, quota_.dropped}, now); !stated) {
    failure_ = stated.error().message;
    return false;
  }
  quota_.drop_stated = false;
  save();
  return true;
}

// A number that is stated once, whoever is killed meanwhile: the mark says behind which byte of `.time` the
// gap comes, and whoever goes on sees whether it has come.
Status Session::state_count(Counted what, const format::GapInfo& gap, MonoUs now) {
  // The gap is the very next of what is written.
  if (auto flushed = writer_->flush(now); !flushed) return flushed;
  stating_ = what;
  stating_from_ = writer_->time_meant();
  save();
  auto stated = writer_->gap(gap, now);
  stating_ = Counted::kNothing;
  if (stated) {
    switch (what) {
      case Counted::kDropped:
        quota_.dropped = 0;
        return stated;  // saved with what else changes
      case Counted::kLostOutput:
        lost_output_ = 0;
        break;
      case Counted::kLostInput:
        lost_input_ = 0;
        break;
      case Counted::kHiddenInput:
        hidden_input_ = 0;
        break;
      case Counted::kLostSizes:
        lost_sizes_ = 0;
        break;
      case Counted::kNothing:
      case Counted::kLostEvents:
        return stated;  // the log of them forgets, then saves
    }
  }
  save();
  return stated;
}

void Session::above_rate() {
  if (std::exchange(quota_.above_told, true)) return;
  static constexpr const char* kWhat[] = {"delayed", "shown and not recorded", "recorded all the same"};
  const auto what = static_cast<std::size_t>(quota_.rate->on_above());
  state(Level::kWarning, "output-limited",
        std::string("output faster than limits.output_rate or output_rate_per_user is ") + kWhat[what]);
}

// Whether a small record may be written, by the limits of the session and its user.
Status Session::may_write() {
  if (within_size(1) == 0) return Error{Code::kLimit, kSizeReached, 0};
  if (!disk_.may_write()) return Error{Code::kLimit, kNoPart, 0};
  return {};
}

std::size_t Session::record_output(std::string_view bytes, int stream, MonoUs now) {
  if (!disk_.may_write()) return refused(bytes.size(), 0, kNoPart);
  // What was executed before this output is recorded before it.
  if (exec_ != nullptr) exec_->drain();
  if (stream != stream_now_) {
    auto noted = writer_->note("OPELOG_STREAM", std::to_string(stream), now);
    if (!noted)
      return refused(bytes.size(), 0, noted.error().message);  // bytes under the wrong name would be a lie
    stream_now_ = stream;
    save();
  }
  auto taken = writer_->output(bytes, now, format::RecordingWriter::Digesting::kLater);
  disk_.charge();
  if (taken) {
    exec_log_.output(now);
    if (machine_.holding()) post({SessionEvent::Kind::kRecordAccepted, false, 0, {}});
    if (lost_output_ > 0 && *taken == bytes.size()) {
      if (state_count(Counted::kLostOutput, {"output", failure_, lost_output_}, now)) {
        state(Level::kWarning, "record-resumed", "recording works again; the recording says what is missing");
      }
    }
    if (lost_sizes_ > 0) (void)state_sizes(now);
    if (resumes_ > 0) tell_resumed(now);
    if (auto at = writer_->flush_deadline(); at && *at < armed_for_) arm();
    if (*taken == bytes.size()) return bytes.size();
    return refused(bytes.size(), *taken, "the record took only a part");
  }
  return refused(bytes.size(), 0, taken.error().message);
}

// The record took only `accepted` of `size` bytes of output: how many may be shown.
std::size_t Session::refused(std::size_t size, std::size_t accepted, const std::string& why) {
  failure_ = why;
  if (!unrecorded_) {
    post({SessionEvent::Kind::kRecordFailed, false, 0, failure_});
    return accepted;
  }
  if (lost_output_ == 0) state(Level::kError, "record-failed", "recording fails again: " + failure_);
  lost_output_ += size - accepted;
  return took(size);
}

Status Session::state_sizes(MonoUs now) {
  return state_count(Counted::kLostSizes,
                     {"resize", std::to_string(lost_sizes_) + " changes of the window size: " + failure_, 0},
                     now);
}

// All of it, or none until it is known whether the terminal inside echoes it.
std::size_t Session::take_input(std::string_view bytes, MonoUs now) {
  if (!info_.records_input || ended_) return bytes.size();
  if (!info_.terminal && !info_.records_payload) return bytes.size();  // what is copied or piped in
  if (info_.terminal) {
    if (!echoes_ && ask_echo()) return 0;
    const bool echoes = echoes_.value_or(false);
    echoes_.reset();
    if (!echoes) {
      hidden_input_ += bytes.size();  // a password is being typed, or a full-screen program reads keys
      return took(bytes.size());
    }
  }
  if (within_size(bytes.size()) < bytes.size()) return 0;  // the session ends
  Result<std::size_t> taken = Error{Code::kLimit, kNoPart, 0};
  if (disk_.may_write()) taken = writer_->input(bytes, now);
  disk_.charge();
  if (!taken || *taken < bytes.size()) {
    failure_ = taken ? "the record took only a part" : taken.error().message;
    if (lost_input_ == 0) state(Level::kError, "record-failed", "input is not recorded: " + failure_);
    lost_input_ += bytes.size() - (taken ? *taken : 0);
    return took(bytes.size());
  }
  return bytes.size();
}

// False: it cannot be asked.
bool Session::ask_echo() {
  return questions_.ask_echo(relay_.descriptor(master_), [this](bool echoes) {
    echoes_ = echoes;
    relay_.retry();
  });
}

// ---- what is executed, and the end

void Session::executed(const ProcessEvent& event) {
  if (ended_) return;
  const std::uint64_t missing = exec_log_.missing();
  if (const Status may = may_write(); !may) {
    exec_log_.withheld(may.error().message);
  } else {
    exec_log_.take(event, mono_now());
    disk_.charge();
  }
  if (exec_log_.missing() != missing) save();
}

void Session::events_lost(std::uint64_t count, const std::string& why) {
  if (ended_) return;
  const std::uint64_t missing = exec_log_.missing();
  exec_log_.lost(count, why, mono_now());
  if (exec_log_.missing() != missing) save();
}

void Session::write_end() {
  if (ended_) return;
  if (exec_ != nullptr) exec_->drain();
  ended_ = true;
  const MonoUs now = mono_now();
  const bool told = resumed_in_order_ && writer_->ending();  // by the daemon before
  tell_resumed(now);
  exec_log_.end(now);
  if (lost_output_ > 0) (void)state_count(Counted::kLostOutput, {"output", failure_, lost_output_}, now);
  const std::uint64_t held = held_output();
  if (held > 0) (void)writer_->gap({"output", "neither recorded nor shown: " + held_why(), held}, now);
  if (quota_.drop_stated) (void)state_dropped(now);
  if (lost_input_ > 0) (void)state_count(Counted::kLostInput, {"input", failure_, lost_input_}, now);
  if (lost_sizes_ > 0) (void)state_sizes(now);
  if (hidden_input_ > 0)
    (void)state_count(Counted::kHiddenInput, {"input", "the terminal did not echo", hidden_input_}, now);
  format::EndInfo end = machine_.end();
  end.bytes_out = bytes_out();
  end.bytes_err = flow_err_ >= 0 ? relay_.bytes(flow_err_) : 0;
  end.bytes_in = bytes_in();
  auto written = writer_->end(end, now);
  if (!written)
    state(Level::kError, "record-failed", "the end could not be recorded: " + written.error().message);
  if (told) return;
  std::vector<std::pair<std::string, std::string>> fields{
      {"client", info_.client.empty() ? "UNKNOWN" : info_.client},
      {"reason", format::end_reason_word(end.reason)},
      {"bytes_out", std::to_string(end.bytes_out)},
      {"bytes_in", std::to_string(end.bytes_in)}};
  if (end.exit_code) fields.emplace_back("exit", std::to_string(*end.exit_code));
  if (end.signal) fields.emplace_back("signal", std::to_string(*end.signal));
  state(Level::kInfo, "session-end", "session of " + info_.user + " ended", std::move(fields));
}

// Read, and neither recorded nor shown.
std::uint64_t Session::held_output() const {
  std::uint64_t held = 0;
  for (const int flow : {flow_out_, flow_err_}) held += flow >= 0 ? relay_.unrecorded(flow) : 0;
  return held;
}

std::string Session::held_why() const {
  if (quota_.size_reached) return kSizeReached;
  if (quota_.wait_until != 0) return "it waited for limits.output_rate";
  return failure_;
}

}  // namespace opelog::record
