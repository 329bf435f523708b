#include "replay/export_transcript.h"

#include <utility>

#include "core/fact.h"
#include "replay/export_text.h"

namespace opelog::replay {

void ExportReadable::begin(const ExportHeader& header, ExportBytes& out) {
  screen_ = std::make_unique<Screen>(header.info.rows, header.info.cols);
  transcript_ = std::make_unique<Transcript>(*screen_);
  from_us_ = header.from_us;
  head(header, out);
}

void ExportReadable::event(const ExportEvent& event, ExportBytes& out) {
  switch (event.kind) {
    case ExportEvent::Kind::kOutput:
      screen_->feed(event.bytes, event.at_us, offset_);
      offset_ += event.bytes.size();
      give(transcript_->take(), out);
      break;
    case ExportEvent::Kind::kResize:
      screen_->resize(event.rows, event.cols);
      give(transcript_->take(), out);
      break;
    case ExportEvent::Kind::kGap:
      transcript_->gap(event.bytes, event.at_us, event.of_output);
      give(transcript_->take(), out);
      break;
    case ExportEvent::Kind::kCommand:
      held_.push_back(event);
      if (held_.size() > kMaxHeldPieces) {
        between(held_.front(), out);
        held_.pop_front();
      }
      break;
    case ExportEvent::Kind::kEnd:
      end_ = std::make_unique<ExportEvent>(event);
      break;
    case ExportEvent::Kind::kInput:
      break;
  }
}

void ExportReadable::give(const std::vector<TranscriptEntry>& entries, ExportBytes& out) {
  for (const TranscriptEntry& e : entries) {
    // An empty line has no time: it stands with the one before.
    if (e.begin_us >= 0) line_us_ = e.begin_us;
    if (line_us_ < from_us_) continue;
    while (e.begin_us >= 0 && !held_.empty() && held_.front().at_us < e.begin_us) {
      between(held_.front(), out);
      held_.pop_front();
    }
    if (e.kind != TranscriptEntry::Kind::kGap) {
      entry(e, out);
      continue;
    }
    ExportEvent gap;
    gap.kind = ExportEvent::Kind::kGap;
    gap.at_us = e.begin_us;
    gap.bytes = e.text;
    between(gap, out);
  }
}

void ExportReadable::finish(ExportBytes& out) {
  screen_->finish();
  transcript_->finish();
  std::vector<TranscriptEntry> last = transcript_->take();
  // The rows below the last text are the screen's, not the session's.
  while (!last.empty() && last.back().begin_us < 0 && last.back().text.empty()) last.pop_back();
  give(last, out);
  for (const ExportEvent& event : held_) between(event, out);
  held_.clear();
  foot(end_.get(), out);
}

void TranscriptWriter::entry(const TranscriptEntry& entry, ExportBytes& out) {
  if (unfinished_ && !entry.continues) out.main += '\n';
  unfinished_ = false;
  if (entry.kind == TranscriptEntry::Kind::kLine) {
    out.main += entry.text;
    if (entry.text.size() >= kMaxLine) {
      unfinished_ = true;
    } else {
      out.main += '\n';
    }
    return;
  }
  out.main += "[full screen, " + elapsed_text(entry.begin_us - from_us()) + " to " +
              elapsed_text(entry.end_us - from_us()) + ", as it stood last]\n";
  for (const std::string& row : entry.screen) out.main += "| " + row + "\n";
}

void TranscriptWriter::between(const ExportEvent& event, ExportBytes& out) {
  if (event.kind != ExportEvent::Kind::kGap) return;  // a command stands in its line already
  if (std::exchange(unfinished_, false)) out.main += '\n';
  out.main += "[" + printable(event.bytes) + "]\n";
}

void TranscriptWriter::foot(const ExportEvent* end, ExportBytes& out) {
  (void)end;
  if (std::exchange(unfinished_, false)) out.main += '\n';
}

}  // namespace opelog::replay
