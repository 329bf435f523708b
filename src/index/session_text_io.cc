#include "index/session_text_io.h"

#include <memory>
#include <utility>

#include "index/plain_text.h"
#include "replay/exporter.h"
#include "replay/screen.h"
#include "replay/transcript.h"

namespace opelog::index {
namespace {

using format::Event;
using format::Outcome;

/// Columns for output that no terminal wrapped.
constexpr int kStreamCols = replay::kMaxCols;
/// What an entry costs whoever draws it, besides its text.
constexpr std::uint64_t kEntryCost = 16;
constexpr std::uint64_t kProgressBytes = 1 << 20;

class SessionText {
 public:
  SessionText(const format::SessionInfo& info, SessionSink& sink)
      : sink_(sink),
        commands_(info),
        stream_(!info.id.empty() && !info.terminal),
        plain_([this](const TextLine& line) { give(line); }),
        screen_(std::make_unique<Drawn>(info.rows, stream_ ? kStreamCols : info.cols)) {}

  [[nodiscard]] bool wanted() const { return wanted_; }
  [[nodiscard]] std::int64_t plain_from_us() const { return plain_from_us_; }

  void output(const Event& event) {
    fed_ += event.bytes.size();
    if (!screen_) {
      plain_.feed(event.bytes, event.at_us, event.offset);
      return;
    }
    if (stream_)
      feed_stream(event);
    else
      screen_->screen.feed(event.bytes, event.at_us, event.offset);
    take();
    if (drawn_ > kMaxDrawn * fed_ + kDrawnFree) {
      (void)finish_screen();
      plain_from_us_ = event.at_us;
    }
  }

  void resize(const Event& event) {
    if (screen_ && !stream_) screen_->screen.resize(event.rows, event.cols);
    take();
  }

  void gap(const Event& event) {
    if (screen_) {
      screen_->typed.gap();
      screen_->transcript.gap("", event.at_us, true);
      take();
    } else {
      plain_.gap();
      mark_gap();
    }
  }

  void note(const Event& event) {
    commands_.note(event.name, event.value);
    take();
  }

  void finish() {
    const std::int64_t last_prompt_us = finish_screen();
    plain_.finish();
    give_held();
    commands_.finish(last_prompt_us);
    give_commands();
  }

 private:
  struct Drawn {
    Drawn(int rows, int cols) : screen(rows, cols), transcript(screen), typed(screen) {}
    replay::Screen screen;
    replay::Transcript transcript;
    replay::TypedLines typed;
  };

  // No line discipline stood behind it that made CR LF of LF.
  void feed_stream(const Event& event) {
    std::string_view left = event.bytes;
    std::uint64_t offset = event.offset;
    while (!left.empty()) {
      const std::size_t size = std::min(left.find('\n'), left.size() - 1) + 1;
      screen_->screen.feed(left.substr(0, size), event.at_us, offset);
      if (left[size - 1] == '\n') screen_->screen.feed("\r", event.at_us, offset + size - 1);
      left.remove_prefix(size);
      offset += size;
    }
  }

  void take() {
    if (screen_) {
      for (const auto& entry : screen_->transcript.take()) give(entry);
      for (auto& typed : screen_->typed.take()) {
        drawn_ += typed.text.size();
        if (!stream_) commands_.typed(std::move(typed));
      }
    }
    give_commands();
  }

  void give(const replay::TranscriptEntry& entry) {
    drawn_ += kEntryCost + entry.text.size();
    if (entry.kind == replay::TranscriptEntry::Kind::kGap) return mark_gap();
    if (entry.kind == replay::TranscriptEntry::Kind::kLine)
      give({entry.end_us, entry.begin_offset, entry.text});
    for (const auto& row : entry.screen) {
      drawn_ += kEntryCost + row.size();
      give({entry.end_us, entry.begin_offset, row});
    }
  }

  // A line is held until what comes behind it is known.
  void give(const TextLine& line) {
    give_held();
    const unsigned before = std::exchange(gap_before_, false) ? kGapBefore : kNoGap;
    if (line.text.find_first_not_of(' ') == std::string_view::npos) return;
    held_text_.assign(line.text);
    held_ = line;
    held_->gaps = before;
  }

  void mark_gap() {
    if (held_) held_->gaps |= kGapBehind;
    give_held();
    gap_before_ = true;
  }

  void give_held() {
    if (!held_) return;
    held_->text = held_text_;
    wanted_ = wanted_ && sink_.line(*held_);
    held_.reset();
  }

  void give_commands() {
    for (const auto& command : commands_.take()) wanted_ = wanted_ && sink_.command(command);
  }

  // When the prompt was shown behind which no line is known any more.
  std::int64_t finish_screen() {
    if (!screen_) return replay::kNoPrompt;
    screen_->typed.finish();
    const std::int64_t last_prompt_us = screen_->typed.last_prompt_us();
    screen_->screen.finish();
    screen_->transcript.finish();
    take();
    screen_.reset();
    return last_prompt_us;
  }

  SessionSink& sink_;
  SessionCommands commands_;
  bool stream_;
  PlainText plain_;
  std::unique_ptr<Drawn> screen_;
  std::uint64_t fed_ = 0, drawn_ = 0;
  std::int64_t plain_from_us_ = -1;
  std::optional<TextLine> held_;
  std::string held_text_;  ///< of held_
  bool gap_before_ = false;
  bool wanted_ = true;
};

}  // namespace

SessionRead read_session(format::RecordingReader& reader, SessionSink& sink) {
  reader.leave_out_holes(true);
  SessionText text(reader.info(), sink);
  SessionRead read;
  std::uint64_t told = 0;
  while (text.wanted()) {
    Event event;
    read.outcome = reader.next(event);
    if (read.outcome != Outcome::kEvent) break;
    read.at_us = event.at_us;
    if (event.kind == Event::Kind::kOutput) {
      read.output_bytes += event.bytes.size();
      text.output(event);
    } else if (event.kind == Event::Kind::kResize) {
      text.resize(event);
    } else if (event.kind == Event::Kind::kNote) {
      text.note(event);
    } else if (replay::is_output_gap(event)) {
      ++read.gaps;
      text.gap(event);
    } else if (event.kind == Event::Kind::kEnd) {
      read.end = event.end;
    }
    if (read.output_bytes - told >= kProgressBytes) {
      told = read.output_bytes;
      if (!sink.progress(told)) return read;
    }
  }
  if (read.outcome == Outcome::kEvent) return read;
  read.problem = reader.problem();
  if (read.outcome == Outcome::kNeedMore) sink.rest();
  text.finish();
  read.plain_from_us = text.plain_from_us();
  return read;
}

}  // namespace opelog::index
