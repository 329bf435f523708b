#include "replay/read_session_io.h"

#include "replay/exec_events.h"
#include "replay/screen.h"
#include "replay/typed_lines.h"

namespace opelog::replay {
namespace {

// What the terminal showed of `event`.
void show(Screen& screen, const format::Event& event) {
  if (event.kind == format::Event::Kind::kOutput) screen.feed(event.bytes, event.at_us, event.offset);
  if (event.kind == format::Event::Kind::kResize) screen.resize(event.rows, event.cols);
}

}  // namespace

SessionCommandList read_commands(format::RecordingReader& reader) {
  SessionCommandList list;
  Screen screen(reader.info().rows, reader.info().cols);
  TypedLines typed(screen);
  ExecEvents executed;
  std::vector<TypedLine> lines;
  const auto take = [&] {
    for (TypedLine& line : typed.take()) lines.push_back(std::move(line));
  };
  // Of a session without a terminal the output is data, not a screen.
  const bool terminal = reader.info().terminal || !reader.native();
  format::Event event;
  while ((list.outcome = reader.next(event)) == format::Outcome::kEvent) {
    if (terminal) show(screen, event);
    if (event.kind == format::Event::Kind::kNote) executed.note(event.name, event.value);
    if (event.gap) executed.gap(*event.gap);
    if (event.kind == format::Event::Kind::kOutput) take();
  }
  list.problem = reader.problem();
  typed.finish();
  screen.finish();
  take();
  list.events = executed.events();
  list.missing = executed.missing();
  list.unreadable = executed.unreadable();
  list.commands = join_commands(lines, list.events);
  return list;
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
    if (event.kind == format::Event::Kind::kOutput && !hand_on()) return end;
  }
  end.problem = reader.problem();
  screen.finish();
  transcript.finish();
  hand_on();
  return end;
}

}  // namespace opelog::replay
