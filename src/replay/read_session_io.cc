#include "replay/read_session_io.h"

#include <utility>

#include "replay/exporter.h"

namespace opelog::replay {
namespace {

// What the terminal showed of `event`.
void show(Screen& screen, const format::Event& event) {
  if (event.kind == format::Event::Kind::kOutput) screen.feed(event.bytes, event.at_us, event.offset);
  if (event.kind == format::Event::Kind::kResize) screen.resize(event.rows, event.cols);
}

}  // namespace

CommandReading::CommandReading(format::RecordingReader& reader, std::size_t max_bytes)
    : reader_(reader),
      screen_(reader.info().rows, reader.info().cols),
      typed_(screen_),
      max_bytes_(max_bytes),
      // Of a session without a terminal the output is data, not a screen.
      terminal_(reader.info().terminal || !reader.native()) {
  reader.leave_out_holes(true);  // zero bytes draw nothing
}

void CommandReading::keep_lines() {
  for (TypedLine& line : typed_.take()) {
    if (kept_bytes_ >= max_bytes_) {
      ++list_.left_out;
      continue;
    }
    const std::size_t size = sizeof(line) + line.text.size() + line.prompt.size();
    lines_.push_back(std::move(line));
    kept(size);
  }
}

void CommandReading::kept(std::size_t bytes) {
  kept_bytes_ += bytes;
  if (kept_bytes_ >= max_bytes_) executed_.keep_no_more();
}

bool CommandReading::step(std::size_t events) {
  format::Event event;
  for (; events > 0; --events) {
    list_.outcome = reader_.next(event);
    if (list_.outcome != format::Outcome::kEvent) return false;
    list_.length_us = event.at_us;
    if (terminal_) show(screen_, event);
    if (terminal_ && is_output_gap(event)) {
      // One place may have two records: that some is missing from here on, and how much it was.
      list_.gaps += output_bytes_ != gap_at_ ? 1U : 0U;
      gap_at_ = output_bytes_;
      typed_.gap();
      screen_.break_off();
      keep_lines();
    }
    if (event.kind == format::Event::Kind::kNote && executed_.note(event.name, event.value))
      kept(sizeof(ExecEvent) + event.value.size());
    if (event.gap) executed_.gap(*event.gap);
    if (event.kind != format::Event::Kind::kOutput) continue;
    output_bytes_ += event.bytes.size();
    keep_lines();
  }
  return true;
}

SessionCommandList CommandReading::take() {
  list_.problem = reader_.problem();
  typed_.finish();
  screen_.finish();
  keep_lines();
  list_.events = executed_.events();
  list_.missing = executed_.missing();
  list_.unreadable = executed_.unreadable();
  list_.left_out += executed_.left_out();
  list_.commands = join_commands(lines_, list_.events, typed_.last_prompt_us());
  return std::move(list_);
}

SessionCommandList read_commands(format::RecordingReader& reader, std::size_t max_bytes) {
  CommandReading reading(reader, max_bytes);
  while (reading.step(1024)) {
  }
  return reading.take();
}

TranscriptEnd read_transcript(format::RecordingReader& reader,
                              const std::function<bool(const TranscriptEntry&)>& give) {
  TranscriptEnd end;
  Screen screen(reader.info().rows, reader.info().cols);
  Transcript transcript(screen);
  const auto hand_on = [&] {
    for (const TranscriptEntry& entry : transcript.take())
      if (!give(entry)) return false;
    return true;
  };
  format::Event event;
  while ((end.outcome = reader.next(event)) == format::Outcome::kEvent) {
    show(screen, event);
    if (event.gap) transcript.gap(gap_text(*event.gap), event.at_us, is_output_gap(event));
    if ((event.kind == format::Event::Kind::kOutput || event.gap) && !hand_on()) return end;
  }
  end.problem = reader.problem();
  screen.finish();
  transcript.finish();
  hand_on();
  return end;
}

}  // namespace opelog::replay
